"""PDF text with titles, paragraphs and table rows, through pypdfium2.

pdfium gives the lines of a page in content order, gaps and the text's shape say where columns are, fonts and gaps what belongs
together. Looking at few characters of each line keeps most of the time that of pdfium itself, about 5 ms a page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.parsing.assembly import Metadata, Part, has_human_name, meaningful_title, one_line, stem_of
from pipelines.parsing.pdf.blocks import parts_of_pages
from pipelines.parsing.pdf.columns import in_reading_order
from pipelines.parsing.pdf.line import Line
from pipelines.parsing.pdf.lines import page_lines
from pipelines.parsing.pdf.titles import outline_of
from search_index.errors import DocumentUnreadable

if TYPE_CHECKING:
    import pypdfium2

_METADATA = {"Author": "author", "Subject": "subject", "Keywords": "keywords"}


def read_pdf(data: bytes, path: str) -> tuple[str, list[Part], Metadata]:
    """Title, parts (pages from 1) and metadata of a PDF.

    Raises:
        DocumentUnreadable: encrypted, or not a PDF that can be opened, or none of its pages can.
    """
    import pypdfium2 as pdfium
    from pypdfium2 import raw

    try:
        document = pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        if error.err_code in (raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY):
            raise DocumentUnreadable(f"{path} is encrypted.", "Remove the password or leave the file out.") from error
        raise DocumentUnreadable(f"{path} is not a PDF that can be opened.", "Save it again as PDF.") from error
    try:
        pages, broken = _pages(document)
        outline = outline_of(document)
        said = document.get_metadata_dict()
    finally:
        document.close()
    if broken and broken == len(pages):
        raise DocumentUnreadable(f"{path} has no page that can be opened.", "Save it again as PDF.")
    parts = list(parts_of_pages(pages, outline))
    metadata: Metadata = {ours: one_line(said[theirs]) for theirs, ours in _METADATA.items() if said.get(theirs)}
    metadata["pages"] = len(pages)
    if broken:
        metadata["broken_pages"] = broken
    return _title(said.get("Title", ""), parts, path), parts, metadata


def _pages(document: pypdfium2.PdfDocument) -> tuple[list[list[Line]], int]:
    """The lines of each page as they are read, and how many pages are broken: those have none, the others are worth keeping."""
    import pypdfium2 as pdfium

    pages: list[list[Line]] = []
    broken = 0
    for index in range(len(document)):
        try:
            pages.append(in_reading_order(page_lines(document, index)))
        except pdfium.PdfiumError:
            pages.append([])
            broken += 1
    return pages, broken


def _title(said: str, parts: list[Part], path: str) -> str:
    """The title given in the file, else a name given by a person, else the first title on the first page.

    The name comes before the title on the page, which for forms and filings is what they all share.
    """
    given = meaningful_title(said)
    if given or has_human_name(path):
        return given or stem_of(path)
    return next((one_line(part.text) for part in parts if part.kind == "Title" and part.page == 1), "") or stem_of(path)
