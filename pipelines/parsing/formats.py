"""Which formats are read, by which parser, and what that parser is called in lineage."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import PurePosixPath
from typing import Literal

from pipelines.parsing.reading import DEFAULT_PARSING
from pipelines.parsing.tagger import tagger_name
from pipelines.parsing.tools import SOFFICE, TESSERACT, version_of
from quality_checks.contract_terms import Parsing

CODE_VERSION = 3
"""Raised whenever a change of this package changes what it makes of a file, so that files are parsed again."""

Reader = Literal["pdfium", "markdown", "html", "partitioner", "pandoc", "mail", "office", "image"]


@dataclass(frozen=True, slots=True)
class Format:
    """One file format.

    ``decoded``: its bytes are text, to be decoded first. ``paged``: its elements have page (slide, sheet) numbers.
    ``read_as``: for what LibreOffice converts, the format it becomes; ``pictures``: its pictures are read where it has no text.
    """

    name: str
    mime_type: str
    reader: Reader
    decoded: bool = False
    paged: bool = False
    pictures: bool = False
    read_as: str = ""


_OPEN_XML = "application/vnd.openxmlformats-officedocument"
_OPEN_DOCUMENT = "application/vnd.oasis.opendocument"
FORMATS = (
    Format("pdf", "application/pdf", "pdfium", paged=True),
    Format("md", "text/markdown", "markdown", decoded=True),
    Format("html", "text/html", "html", decoded=True),
    Format("txt", "text/plain", "partitioner", decoded=True),
    Format("docx", f"{_OPEN_XML}.wordprocessingml.document", "partitioner", paged=True, pictures=True),
    Format("pptx", f"{_OPEN_XML}.presentationml.presentation", "partitioner", paged=True, pictures=True),
    Format("xlsx", f"{_OPEN_XML}.spreadsheetml.sheet", "partitioner", paged=True, pictures=True),
    Format("csv", "text/csv", "partitioner", decoded=True),
    Format("tsv", "text/tab-separated-values", "partitioner", decoded=True),
    Format("eml", "message/rfc822", "mail"),
    Format("msg", "application/vnd.ms-outlook", "mail"),
    Format("epub", "application/epub+zip", "pandoc", pictures=True),
    Format("odt", f"{_OPEN_DOCUMENT}.text", "pandoc", pictures=True),
    Format("rtf", "application/rtf", "pandoc"),
    Format("rst", "text/x-rst", "pandoc", decoded=True),
    Format("org", "text/x-org", "pandoc", decoded=True),
    Format("json", "application/json", "partitioner", decoded=True),
    Format("ndjson", "application/x-ndjson", "partitioner", decoded=True),
    Format("xml", "application/xml", "partitioner"),
    Format("xls", "application/vnd.ms-excel", "partitioner", paged=True),
    Format("doc", "application/msword", "office", paged=True, read_as="docx"),
    Format("ppt", "application/vnd.ms-powerpoint", "office", paged=True, read_as="pptx"),
    Format("ods", f"{_OPEN_DOCUMENT}.spreadsheet", "office", paged=True, read_as="xlsx"),
    Format("odp", f"{_OPEN_DOCUMENT}.presentation", "office", paged=True, read_as="pptx"),
    Format("png", "image/png", "image", paged=True),
    Format("jpg", "image/jpeg", "image", paged=True),
    Format("tiff", "image/tiff", "image", paged=True),
    Format("bmp", "image/bmp", "image", paged=True),
    Format("heic", "image/heic", "image", paged=True),
    Format("gif", "image/gif", "image", paged=True),
    Format("webp", "image/webp", "image", paged=True),
)
BY_NAME = {file_format.name: file_format for file_format in FORMATS}
_OTHER_EXTENSIONS = {
    "mdx": "md", "markdown": "md", "htm": "html", "xhtml": "html", "text": "txt", "log": "txt", "jsonl": "ndjson",
    "docm": "docx", "dotx": "docx", "dotm": "docx", "pptm": "pptx", "ppsx": "pptx", "ppsm": "pptx", "potx": "pptx", "potm": "pptx",
    "xlsm": "xlsx", "xltx": "xlsx", "xltm": "xlsx", "dot": "doc", "pps": "ppt", "pot": "ppt", "xlt": "xls",
    "ott": "odt", "ots": "ods", "otp": "odp",
    "jpeg": "jpg", "jpe": "jpg", "jfif": "jpg", "tif": "tiff", "heif": "heic",
}  # fmt: skip


def extension_of(path: str) -> str:
    """The lower-case extension of ``path``, without the dot."""
    return PurePosixPath(path).suffix.lower().lstrip(".")


def format_by_extension(path: str) -> Format | None:
    """The format that the name of a file claims, None where it claims none that is known.

    >>> format_by_extension("a/Report.DOCM").name
    'docx'
    """
    extension = extension_of(path)
    return BY_NAME.get(_OTHER_EXTENSIONS.get(extension, extension))


@cache
def _version(package: str) -> str:
    """Looking it up takes milliseconds, and is done for every file."""
    return metadata.version(package)


def parser_name(file_format: Format | None, parsing: Parsing = DEFAULT_PARSING) -> str:
    """What ``ParsedDocument.parser`` says for a format."""
    if file_format is None:
        return f"unstructured {_version('unstructured')} by content"
    if file_format.reader == "pdfium" and parsing.pdf == "pypdfium2":
        return f"pypdfium2 {_version('pypdfium2')}"
    if file_format.reader == "pdfium":
        return f"unstructured {_version('unstructured')} pdf {parsing.pdf}"
    if file_format.reader == "image":
        return f"{version_of(TESSERACT)} {file_format.name}"
    through = f" through {version_of(SOFFICE)}" if file_format.reader == "office" else ""
    return f"unstructured {_version('unstructured')} {file_format.name}{through}"


def parser_fingerprint(path: str, parsing: Parsing = DEFAULT_PARSING) -> str:
    """Everything that decides what parsing the file at ``path`` gives, apart from its bytes. Cheap: imports no parser.

    A file has to be parsed again exactly when its bytes or this string change: so it names the programs that a format may
    need, and installing tesseract has the scanned files read that were quarantined without it.
    """
    file_format = format_by_extension(path)
    parts = [parser_name(file_format, parsing)]
    reader = file_format.reader if file_format else "unknown"
    if reader != "pdfium" or parsing.pdf != "pypdfium2":
        parts.append(tagger_name())
    if reader in ("pdfium", "image", "mail", "unknown", "office") or (file_format and file_format.pictures):
        parts.append(f"{version_of(TESSERACT)} {'+'.join(parsing.languages)}" if parsing.ocr == "auto" else "no text recognition")
    if reader in ("mail", "unknown"):
        parts.append(f"{version_of(SOFFICE)}; attachments {parsing.attachments}; pdf {parsing.pdf}")
    return "; ".join([*parts, f"code {CODE_VERSION}"])
