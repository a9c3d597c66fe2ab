"""From the bytes of one file to a parsed document, through unstructured (PDF: pypdfium2)."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from html import unescape
from importlib import import_module
from io import BytesIO
from typing import TYPE_CHECKING
from zipfile import ZipFile

from lxml import etree
from lxml import html as lxml_html

from pipelines.parsing.assembly import Metadata, Part, assemble, has_human_name, meaningful_title, one_line, stem_of
from pipelines.parsing.encoding import decode
from pipelines.parsing.formats import Format, extension_of, format_by_content, format_by_extension, parser_fingerprint, parser_name
from pipelines.parsing.markdown import split_front_matter, to_html, without_components
from pipelines.parsing.tagger import prepare_unstructured
from search_index.errors import DocumentUnreadable
from search_index.model.document import ParsedDocument

if TYPE_CHECKING:
    from unstructured.documents.elements import Element as UnstructuredElement

__all__ = ["parse", "parser_fingerprint"]

_PLAIN_TEXT = Format("txt", "text/plain", decoded=True)
_HTML_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_OCR = "If it holds images of text, run it through an OCR program first (there is none in this version); else leave it out."
_NO_DETECTION = [""]
"""What unstructured's ``languages`` wants for leaving language detection out: it costs more than all the rest."""


def parse(data: bytes, path: str) -> ParsedDocument:
    """Text, elements and metadata of one file. The format is what the extension of ``path`` says, else what the bytes look like.

    Not thread-safe for PDF (pdfium is not): use ``ParserPool`` to parse many files at once.

    Raises:
        DocumentUnreadable: empty, without text, encrypted, broken, of an unknown type, or in need of something not installed.
    """
    if not data.strip(b"\x00\t\n\r \xef\xbb\xbf"):
        raise DocumentUnreadable(f"{path} is empty.", "Replace it with the intended file or remove it.")
    file_format = format_by_extension(path) or format_by_content(data, path)
    try:
        title, parts, metadata = _read(data, path, file_format)
    except DocumentUnreadable:
        raise
    except MemoryError as error:
        remedy = "Split the file, or allow the parser more memory."
        raise DocumentUnreadable(f"{path} takes more memory to parse than allowed.", remedy) from error
    except Exception as error:  # a dozen libraries read these formats, each with errors of its own
        raise _unreadable(path, file_format, error) from error
    document = assemble(parts, title=title, parser=parser_name(file_format), mime_type=file_format.mime_type, metadata=metadata)
    if not re.search(r"\w", document.text):
        raise DocumentUnreadable(f"{path} has no text in it.", _OCR if file_format.paged else "Fill it in, or leave it out.")
    return document


def _unreadable(path: str, file_format: Format, error: Exception) -> DocumentUnreadable:
    """A reason without the file's text: messages of parsers may quote it."""
    if isinstance(error, ImportError):
        remedy = f"Run `pip install 'unstructured[{file_format.name}]'`."
        return DocumentUnreadable(f"{path} needs {error.name or 'a package'} to be parsed.", remedy)
    if "pandoc" in str(error) and isinstance(error, OSError):
        return DocumentUnreadable(f"{path} needs pandoc to be parsed.", "Run `pip install pypandoc_binary`.")
    if "encrypt" in f"{type(error).__name__} {error}".lower():
        return DocumentUnreadable(f"{path} is encrypted.", "Remove the protection or leave the file out.")
    what = f"{path} is broken or not {file_format.name} ({type(error).__name__})."
    return DocumentUnreadable(what, f"Open it in its own program and save it again as {file_format.name}.")


def _read(data: bytes, path: str, file_format: Format) -> tuple[str, list[Part], Metadata]:
    """Title, parts and metadata; raises whatever the format's reader raises."""
    if file_format.name == "pdf":
        from pipelines.parsing.pdf import read_pdf

        return read_pdf(data, path)
    prepare_unstructured()
    metadata: Metadata = {}
    if file_format.name == "md":
        metadata, text = split_front_matter(decode(data).replace("\r\n", "\n"))
        html = to_html(without_components(text) if extension_of(path) == "mdx" else text)
        elements = _html_elements(html)
    elif file_format.name == "html":
        html = decode(data)
        elements = _html_elements(html)
        match = _HTML_TITLE.search(html)
        metadata = {"title": one_line(unescape(match.group(1)))} if match else {}
    else:
        elements = _partition(_utf8(data, file_format), file_format)
        metadata = _mail_metadata(elements) if file_format.name in ("eml", "msg") else _office_metadata(data, file_format)
    parts = list(_parts(elements, file_format))
    return stem_of(path) if file_format.name == "xlsx" else _title(metadata, parts, path), parts, metadata


def _utf8(data: bytes, file_format: Format) -> bytes:
    """Text as UTF-8; a saved mail keeps the charsets it declares, unless somebody's editor wrote all of it as UTF-16."""
    if file_format.decoded or (file_format.name == "eml" and data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return decode(data).encode("utf-8", "replace")
    return data


def _title(metadata: Metadata, parts: list[Part], path: str) -> str:
    """What the metadata says, else a heading, else a file name given by a person, else a first line that looks like a title."""
    said = meaningful_title(str(metadata.pop("title", "")))
    headings = [part for part in parts if part.kind == "Title"]
    levelled = min((part for part in headings if part.depth is not None), key=lambda part: part.depth or 0, default=None)
    if said or levelled:
        return said or one_line(levelled.text if levelled else "")
    if has_human_name(path):
        return stem_of(path)
    top = one_line(parts[0].text) if parts and parts[0].kind == "Title" else ""
    return top if top and top[-1] not in ":,;" else stem_of(path)


def _parts(elements: list[UnstructuredElement], file_format: Format) -> Iterator[Part]:
    sheet = None
    for element in elements:
        if element.category == "PageBreak":
            continue
        about = element.metadata
        page = about.page_number if file_format.paged else None
        if file_format.name == "xlsx" and about.page_name != sheet:
            sheet = about.page_name
            yield Part("Title", meaningful_title(sheet), page, 0)
        html = about.text_as_html if element.category == "Table" else None
        text = (table_text(html) if html else "") or element.text or ""
        yield Part(element.category, text, page, about.category_depth, html)


def table_text(html: str) -> str:
    """The rows of an HTML table, one a line, cells parted by `` | ``; a table inside a cell is part of that cell.

    >>> table_text("<table><tr><th>a</th><th>b</th></tr><tr><td>1<br/>2</td><td/></tr></table>")
    'a | b\\n1 2 |'
    """
    rows = []
    for row in lxml_html.fragment_fromstring(html, create_parent="div").iter("tr"):
        if sum(1 for _ in row.iterancestors("table")) > 1:
            continue
        cells = [" ".join(" ".join(cell.itertext()).split()) for cell in row if cell.tag in ("td", "th")]
        if any(cells):
            rows.append(" | ".join(cells).strip())
    return "\n".join(rows)


def _html_elements(html: str) -> list[UnstructuredElement]:
    from unstructured.partition.html import partition_html

    return partition_html(text=html, languages=_NO_DETECTION) if html.strip() else []


def _partition(data: bytes, file_format: Format) -> list[UnstructuredElement]:
    name, options = _PARTITIONERS[file_format.name]
    partition = getattr(import_module(f"unstructured.partition.{name}"), f"partition_{name}")
    try:
        return list(partition(file=BytesIO(data), languages=_NO_DETECTION, **options))
    except ValueError:
        if name != "csv":
            raise
        return _partition(data, _PLAIN_TEXT)  # pandas finds no delimiter in a single column and takes commas in it for cells


_PARTITIONERS: dict[str, tuple[str, dict[str, str | bool]]] = {
    "txt": ("text", {"encoding": "utf-8"}),
    "docx": ("docx", {}),
    "pptx": ("pptx", {"include_slide_notes": True}),
    "xlsx": ("xlsx", {}),
    "csv": ("csv", {"encoding": "utf-8"}),
    "tsv": ("tsv", {}),
    "eml": ("email", {"process_attachments": False}),
    "msg": ("msg", {"process_attachments": False}),
    "epub": ("epub", {}),
    "odt": ("odt", {}),
    "rtf": ("rtf", {}),
    "rst": ("rst", {}),
    "org": ("org", {}),
    "json": ("json", {}),
    "ndjson": ("ndjson", {}),
    "xml": ("xml", {}),
}
"""Format -> module of ``unstructured.partition`` (its function is ``partition_<module>``) and options. Attachments are
left out: parsing them needs every other parser, and OCR."""


def _mail_metadata(elements: list[UnstructuredElement]) -> Metadata:
    if not elements:
        return {}
    about = elements[0].metadata
    fields = {"title": about.subject, "sent_from": about.sent_from, "sent_to": about.sent_to, "sent_at": about.last_modified}
    return {key: value for key, value in fields.items() if value}


def _office_metadata(data: bytes, file_format: Format) -> Metadata:
    """Title and author that Word and PowerPoint keep in ``docProps/core.xml``; spreadsheets inherit theirs from templates."""
    if file_format.name not in ("docx", "pptx"):
        return {}
    with ZipFile(BytesIO(data)) as archive:
        if "docProps/core.xml" not in archive.namelist():
            return {}
        core = etree.fromstring(archive.read("docProps/core.xml"), etree.XMLParser(resolve_entities=False, no_network=True))
    named = {"title": "title", "creator": "author", "subject": "subject", "keywords": "keywords"}
    found = ((named.get(etree.QName(child).localname), one_line(child.text or "")) for child in core if isinstance(child.tag, str))
    return {key: value for key, value in found if key and value}
