"""From the bytes of one file to a parsed document, through unstructured (PDF: pypdfium2)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import unescape
from importlib import import_module
from io import BytesIO
from itertools import chain
from typing import TYPE_CHECKING

from pipelines.parsing.assembly import Metadata, Part, assemble, one_line
from pipelines.parsing.elements import office_metadata, parts_of, table_text, title_of
from pipelines.parsing.encoding import decode, is_utf16
from pipelines.parsing.formats import BY_NAME, Format, extension_of, parser_fingerprint, parser_name
from pipelines.parsing.guards import refuse_deep_html, refuse_hostile
from pipelines.parsing.long_text import by_length
from pipelines.parsing.mail import DEEPEST_MAIL, attached, body_as_text, mail_metadata, read_attached, refuse_encrypted
from pipelines.parsing.markdown import split_front_matter, to_html, without_components
from pipelines.parsing.office import converted, without_macro_type
from pipelines.parsing.reading import DEFAULT_PARSING, Reading, begin
from pipelines.parsing.signature import format_of
from pipelines.parsing.tagger import prepare_unstructured
from pipelines.parsing.unreadable import from_error, without_text
from pipelines.parsing.word import beside_the_body
from pipelines.parsing.xml_text import xml_paragraphs
from quality_checks.contract_terms import Parsing
from search_index.errors import DocumentUnreadable
from search_index.model.document import ParsedDocument

if TYPE_CHECKING:
    from unstructured.documents.elements import Element as UnstructuredElement

__all__ = ["parse", "parser_fingerprint", "table_text"]

_HTML_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_NO_DETECTION = [""]
"""What unstructured's ``languages`` wants for leaving language detection out: it costs more than all the rest."""

Read = tuple[str, list[Part], Metadata]


def parse(data: bytes, path: str, parsing: Parsing = DEFAULT_PARSING) -> ParsedDocument:
    """Text, elements and metadata of one file. The format is what its bytes are signed as, else what its extension says.

    Not thread-safe for PDF (pdfium is not): use ``ParserPool`` to parse many files at once, within their limits.

    Raises:
        DocumentUnreadable: empty, without text, encrypted, broken, of an unknown type, or in need of something not installed.
    """
    if not data.strip(b"\x00\t\n\r \xef\xbb\xbf"):
        raise DocumentUnreadable(f"{path} is empty.", "Replace it with the intended file or remove it.")
    file_format = format_of(data, path)
    return _parse(data, begin(path, file_format.name, parsing), file_format)


def _parse(data: bytes, reading: Reading, file_format: Format) -> ParsedDocument:
    path = reading.path
    refuse_hostile(data, path, file_format)
    try:
        title, parts, metadata = _read(data, reading, file_format)
        if file_format.pictures and not any(part.text.strip() for part in parts):
            from pipelines.parsing.ocr import read_pictures

            parts, more = read_pictures(data, reading)
            metadata |= more
    except DocumentUnreadable:
        raise
    except Exception as error:  # a dozen libraries read these formats, each with errors of its own
        raise from_error(path, file_format, error) from error
    parser = parser_name(file_format, reading.parsing)
    document = assemble(parts, title=title, parser=parser, mime_type=file_format.mime_type, metadata=metadata)
    if not re.search(r"\w", document.text):
        raise without_text(path, file_format)
    return document


def _parse_attached(data: bytes, reading: Reading) -> ParsedDocument:
    if not data.strip():
        raise DocumentUnreadable(f"{reading.path} is empty.", "")
    file_format = format_of(data, reading.path)
    if file_format.reader == "mail" and reading.depth >= DEEPEST_MAIL:
        raise DocumentUnreadable(f"{reading.path} is a mail within a mail within a mail.", "Save it as a file of its own.")
    return _parse(data, reading, file_format)


def _read(data: bytes, reading: Reading, file_format: Format) -> Read:
    """Title, parts and metadata; raises whatever the format's reader raises."""
    match file_format.reader:
        case "pdfium":
            return _read_pdf(data, reading)
        case "image":
            from pipelines.parsing.ocr import read_image

            parts, metadata = read_image(data, reading)
            return title_of(metadata, parts, reading.path, file_format), parts, metadata
        case "office":
            prepare_unstructured()
            modern = BY_NAME[file_format.read_as]
            return _read_with_unstructured(converted(data, file_format, reading), reading, modern)
        case "mail":
            prepare_unstructured()
            return _read_mail(data, reading, file_format)
        case _:
            prepare_unstructured()
            return _read_with_unstructured(data, reading, file_format)


def _read_pdf(data: bytes, reading: Reading) -> Read:
    if reading.parsing.pdf != "pypdfium2":
        from pipelines.parsing.pdf.strategies import partition_with

        elements = partition_with(data, reading)
        parts = list(parts_of(elements, BY_NAME["pdf"]))
        return title_of({}, parts, reading.path, BY_NAME["pdf"]), parts, {}
    from pipelines.parsing.pdf.reader import read_pdf
    from pipelines.parsing.pdf.scans import with_scanned_pages

    title, parts, metadata = read_pdf(data, reading.path)
    parts, metadata = with_scanned_pages(data, reading, parts, metadata)
    return title, parts, metadata


def _read_with_unstructured(data: bytes, reading: Reading, file_format: Format) -> Read:
    metadata: Metadata = {}
    if file_format.name == "md":
        metadata, text = split_front_matter(decode(data).replace("\r\n", "\n"))
        elements = _html_elements(to_html(without_components(text) if extension_of(reading.path) == "mdx" else text))
    elif file_format.name == "html":
        html = decode(data)
        refuse_deep_html(html)
        elements = _html_elements(html)
        match = _HTML_TITLE.search(html)
        metadata = {"title": one_line(unescape(match.group(1)))} if match else {}
    elif file_format.reader == "pandoc":
        from pipelines.parsing.pandoc import to_html as pandoc_html

        elements = _html_elements(pandoc_html(_utf8(data, file_format), file_format, reading))
    elif file_format.name == "xml":
        elements = _text_elements(xml_paragraphs(data))
    elif file_format.name == "txt":
        elements = _plain_elements(decode(data))
    else:
        if file_format.name in ("docx", "pptx", "xlsx"):
            data = without_macro_type(data, file_format)
        elements = _partition(_utf8(data, file_format), file_format)
        metadata = office_metadata(data, file_format)
    parts = list(parts_of(elements, file_format))
    if file_format.name == "docx":
        parts += beside_the_body(data)
    if file_format.name == "json" and not any(part.text.strip() for part in parts):
        parts = [Part("UncategorizedText", text) for text in _strings(json.loads(decode(data)))]
    return title_of(metadata, parts, reading.path, file_format), parts, metadata


def _read_mail(data: bytes, reading: Reading, file_format: Format) -> Read:
    if file_format.name == "eml":
        data = _utf8(data, file_format)
        refuse_encrypted(data, reading.path)
    try:
        elements = _partition(data, file_format)
    except LookupError:  # the charset that it names does not exist
        elements = _plain_elements(body_as_text(data).encode("utf-8", "replace").decode())
        metadata = mail_metadata([], data, file_format)
    else:
        metadata = mail_metadata(elements, data, file_format)
    parts = list(parts_of(elements, file_format))
    if reading.parsing.attachments == "include":
        more, named = read_attached(attached(data, file_format), reading, _parse_attached)
        metadata |= named
        parts += more
    if not any(part.text.strip() for part in parts):
        parts = [Part("Title", str(metadata.get("title", "")), depth=0)]
    own = [part for part in parts[: len(elements)] if part.kind == "Title"] or parts
    return title_of(metadata, own, reading.path, file_format), parts, metadata


def _utf8(data: bytes, file_format: Format) -> bytes:
    """Text as UTF-8; a saved mail keeps the charsets it declares, unless somebody's editor wrote all of it as UTF-16."""
    if file_format.decoded or (file_format.name == "eml" and is_utf16(data)):
        return decode(data).encode("utf-8", "replace")
    return data


def _html_elements(html: str) -> list[UnstructuredElement]:
    from unstructured.partition.html import partition_html

    return partition_html(text=html, languages=_NO_DETECTION) if html.strip() else []


def _plain_elements(text: str) -> list[UnstructuredElement]:
    from unstructured.documents.elements import NarrativeText
    from unstructured.partition.text import partition_text

    elements: list[UnstructuredElement] = []
    for overlong, part in by_length(text):
        elements += [NarrativeText(part)] if overlong else partition_text(text=part, languages=_NO_DETECTION)
    return elements


def _text_elements(texts: Iterator[str]) -> list[UnstructuredElement]:
    from unstructured.documents.elements import NarrativeText
    from unstructured.partition.text import element_from_text

    parts = chain.from_iterable(map(by_length, texts))
    return [NarrativeText(part) if overlong else element_from_text(part) for overlong, part in parts]


def _partition(data: bytes, file_format: Format) -> list[UnstructuredElement]:
    name, options = _PARTITIONERS[file_format.name]
    partition = getattr(import_module(f"unstructured.partition.{name}"), f"partition_{name}")
    try:
        return list(partition(file=BytesIO(data), languages=_NO_DETECTION, **options))
    except ValueError:
        if name != "csv":
            raise
        return _plain_elements(decode(data))  # pandas finds no delimiter in a single column and takes commas in it for cells


_PARTITIONERS: dict[str, tuple[str, dict[str, str | bool]]] = {
    "docx": ("docx", {}),
    "pptx": ("pptx", {"include_slide_notes": True}),
    "xlsx": ("xlsx", {}),
    "xls": ("xlsx", {}),
    "csv": ("csv", {"encoding": "utf-8"}),
    "tsv": ("tsv", {}),
    "eml": ("email", {"process_attachments": False}),
    "msg": ("msg", {"process_attachments": False}),
    "json": ("json", {}),
    "ndjson": ("ndjson", {}),
}
"""Format -> module of ``unstructured.partition`` (its function is ``partition_<module>``) and options. Attachments go through
``mail``, which has them read by these same parsers."""


def _strings(value: object) -> Iterator[str]:
    """Every text in a JSON value, for a file in which unstructured's own schema says that there is none."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
