"""PDF text with titles, paragraphs and table rows, through pypdfium2.

pdfium gives the lines of a page in content order; fonts and gaps say what belongs together. Reading only the first and last
character's box and font of each line keeps this above 200 pages a second.
"""

from __future__ import annotations

import re
from ctypes import c_int, create_string_buffer
from typing import TYPE_CHECKING

from pipelines.parsing.assembly import Metadata, Part, has_human_name, meaningful_title, one_line, stem_of
from pipelines.parsing.pdf_blocks import Line, parts_of_pages
from search_index.errors import DocumentUnreadable

if TYPE_CHECKING:
    import pypdfium2

_BOLD = re.compile(rb"bold|black|heavy|semibold|demi", re.IGNORECASE)
_FORCE_BOLD = 1 << 18
_METADATA = {"Author": "author", "Subject": "subject", "Keywords": "keywords"}


def read_pdf(data: bytes, path: str) -> tuple[str, list[Part], Metadata]:
    """Title, parts (pages from 1) and metadata of a PDF.

    Raises:
        DocumentUnreadable: encrypted, or not a PDF that can be opened.
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
        pages = [_lines(document, index) for index in range(len(document))]
        said = document.get_metadata_dict()
    finally:
        document.close()
    parts = list(parts_of_pages(pages))
    metadata: Metadata = {ours: one_line(said[theirs]) for theirs, ours in _METADATA.items() if said.get(theirs)}
    metadata["pages"] = len(pages)
    return _title(said.get("Title", ""), parts, path), parts, metadata


def _title(said: str, parts: list[Part], path: str) -> str:
    """The title given in the file, else a name given by a person, else the first title on the first page.

    The name comes before the title on the page, which for forms and filings is what they all share.
    """
    given = meaningful_title(said)
    if given or has_human_name(path):
        return given or stem_of(path)
    return next((one_line(part.text) for part in parts if part.kind == "Title" and part.page == 1), "") or stem_of(path)


def _lines(document: pypdfium2.PdfDocument, index: int) -> list[Line]:
    """The lines of a page that hold something, in content order."""
    from pypdfium2 import raw

    page = document[index]
    text_page = page.get_textpage()
    text = text_page.get_text_range()
    name, flags = create_string_buffer(128), c_int()
    box = raw.FS_RECTF()

    def bold(char: int) -> bool:
        raw.FPDFText_GetFontInfo(text_page, char, name, 128, flags)
        return bool(_BOLD.search(name.value)) or bool(flags.value & _FORCE_BOLD)

    lines = []
    position = 0
    # pdfium writes lines whose last word goes on as one, with U+FFFE for the hyphen
    for raw_line, ending in re.findall(r"([^\r\n\ufffe]*)(\r\n|[\r\n\ufffe]|\Z)", text):
        stripped = raw_line.strip()
        if stripped:
            before = len(raw_line) - len(raw_line.lstrip())
            width = _utf16_units(stripped)
            first = raw.FPDFText_GetCharIndexFromTextIndex(text_page, position + before)
            last = raw.FPDFText_GetCharIndexFromTextIndex(text_page, position + before + width - 1)
            raw.FPDFText_GetLooseCharBox(text_page, first, box)
            left, bottom, top = box.left, box.bottom, box.top
            raw.FPDFText_GetLooseCharBox(text_page, last, box)
            size = abs(top - bottom)
            lines.append(
                Line(" ".join(stripped.split()) + ending.strip(), left, box.right, bottom, top, round(size, 1), bold(first) and bold(last))
            )
        position += _utf16_units(raw_line) + len(ending)
    text_page.close()
    page.close()
    return lines


def _utf16_units(text: str) -> int:
    """How long pdfium takes ``text`` to be."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2
