"""Which formats are read, by which parser, and what that parser is called in lineage."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from pathlib import PurePosixPath

from pipelines.parsing.tagger import tagger_name
from search_index.errors import DocumentUnreadable

CODE_VERSION = 1
"""Raised whenever a change of this package changes what it makes of a file, so that files are parsed again."""


@dataclass(frozen=True, slots=True)
class Format:
    """One file format: its short name, media type, and whether its bytes are text to be decoded first."""

    name: str
    mime_type: str
    decoded: bool = False
    paged: bool = False


_OFFICE = "application/vnd.openxmlformats-officedocument"
FORMATS = (
    Format("pdf", "application/pdf", paged=True),
    Format("md", "text/markdown", decoded=True),
    Format("html", "text/html", decoded=True),
    Format("txt", "text/plain", decoded=True),
    Format("docx", f"{_OFFICE}.wordprocessingml.document", paged=True),
    Format("pptx", f"{_OFFICE}.presentationml.presentation", paged=True),
    Format("xlsx", f"{_OFFICE}.spreadsheetml.sheet", paged=True),
    Format("csv", "text/csv", decoded=True),
    Format("tsv", "text/tab-separated-values", decoded=True),
    Format("eml", "message/rfc822"),
    Format("msg", "application/vnd.ms-outlook"),
    Format("epub", "application/epub+zip"),
    Format("odt", "application/vnd.oasis.opendocument.text"),
    Format("rtf", "application/rtf"),
    Format("rst", "text/x-rst", decoded=True),
    Format("org", "text/x-org", decoded=True),
    Format("json", "application/json", decoded=True),
    Format("ndjson", "application/x-ndjson", decoded=True),
    Format("xml", "application/xml"),
)
_BY_NAME = {file_format.name: file_format for file_format in FORMATS}
_OTHER_EXTENSIONS = {"mdx": "md", "markdown": "md", "htm": "html", "xhtml": "html", "text": "txt", "log": "txt", "jsonl": "ndjson"}
_IMAGES = {"png", "jpg", "jpeg", "tif", "tiff", "bmp", "heic", "gif", "webp"}
_OLD_OFFICE = {"doc": "docx", "ppt": "pptx", "xls": "xlsx"}


def extension_of(path: str) -> str:
    """The lower-case extension of ``path``, without the dot."""
    return PurePosixPath(path).suffix.lower().lstrip(".")


def format_by_extension(path: str) -> Format | None:
    """The format that the name of a file claims, None where it claims none that is known.

    Raises:
        DocumentUnreadable: the extension is of a format that needs something not installed here.
    """
    extension = extension_of(path)
    if extension in _IMAGES:
        raise DocumentUnreadable(
            f"{path} is an image; reading it takes text recognition.",
            "Run it through an OCR program (there is none in this version) and add the text as a file of its own.",
        )
    if extension in _OLD_OFFICE:
        raise DocumentUnreadable(f"{path} is in an old Office format.", f"Save it as .{_OLD_OFFICE[extension]}.")
    return _BY_NAME.get(_OTHER_EXTENSIONS.get(extension, extension))


def format_by_content(data: bytes, path: str) -> Format:
    """The format that the bytes look like.

    Raises:
        DocumentUnreadable: they look like nothing that is read here.
    """
    if data[:1024].lstrip().startswith(b"%PDF-"):
        return _BY_NAME["pdf"]
    from io import BytesIO

    from pipelines.parsing.tagger import prepare_unstructured

    prepare_unstructured()
    from unstructured.file_utils.filetype import detect_filetype

    try:
        detected = detect_filetype(file=BytesIO(data)).value
    except Exception as error:  # the detector reads archives and mail on the way and raises whatever their readers raise
        raise _unknown(path) from error
    found = format_by_extension(f"{path}.{detected}") or _BY_NAME.get(detected)
    if found is None or (found.decoded and b"\x00\x00\x00\x00" in data[:4096]):
        raise _unknown(path)
    return found


def _unknown(path: str) -> DocumentUnreadable:
    known = ", ".join(file_format.name for file_format in FORMATS)
    remedy = f"Give it the extension of its format ({known}), or exclude it in the contract."
    return DocumentUnreadable(f"{path} is of no known file type.", remedy)


def parser_name(file_format: Format | None) -> str:
    """What ``ParsedDocument.parser`` says for a format."""
    if file_format is not None and file_format.name == "pdf":
        return f"pypdfium2 {metadata.version('pypdfium2')}"
    return f"unstructured {metadata.version('unstructured')} {file_format.name if file_format else 'by content'}"


def parser_fingerprint(path: str) -> str:
    """Everything that decides what parsing the file at ``path`` gives, apart from its bytes. Cheap: imports no parser.

    A file has to be parsed again exactly when its bytes or this string change.
    """
    try:
        file_format = format_by_extension(path)
    except DocumentUnreadable:
        return f"unreadable; code {CODE_VERSION}"
    if file_format is not None and file_format.name == "pdf":
        return f"{parser_name(file_format)}; code {CODE_VERSION}"
    return f"{parser_name(file_format)}; {tagger_name()}; code {CODE_VERSION}"
