"""What a file is, when its name and its first bytes do not agree: the bytes are right."""

from __future__ import annotations

from io import BytesIO

from pipelines.parsing.formats import BY_NAME, FORMATS, Format, format_by_extension
from search_index.errors import DocumentUnreadable

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_STREAMS = (
    ("WordDocument", "doc"),
    ("PowerPoint Document", "ppt"),
    ("Workbook", "xls"),
    ("Book", "xls"),
    ("__properties_version1.0", "msg"),
)
_PICTURES = ((b"\x89PNG\r\n\x1a\n", "png"), (b"\xff\xd8\xff", "jpg"), (b"II*\x00", "tiff"), (b"MM\x00*", "tiff"), (b"GIF8", "gif"))
_OPEN_XML_PARTS = (("word/", "docx"), ("ppt/", "pptx"), ("xl/", "xlsx"))
_ZIPPED = {"docx", "pptx", "xlsx", "epub", "odt", "ods", "odp"}
_OLD = {"doc", "ppt", "xls", "msg"}


def format_of(data: bytes, path: str) -> Format:
    """The format of a file: what its signature says, else what its extension claims, else what its text looks like.

    A name is overruled only by a signature of something else (``scan.pdf`` that is a PNG, ``old.doc`` that is RTF); where the
    bytes have none, the format's own parser decides whether they are what the name says.

    Raises:
        DocumentUnreadable: neither the name nor the bytes tell of a format that is read here; or it is encrypted.
    """
    claimed = format_by_extension(path)
    signed = _signed(data, path)
    if signed is not None and (claimed is None or claimed.name != signed):
        return BY_NAME[signed]
    return claimed or _by_content(data, path)


def _signed(data: bytes, path: str) -> str | None:
    """The name of the format that the bytes bear the signature of."""
    if data[:1024].lstrip().startswith(b"%PDF-"):
        return "pdf"
    for signature, name in _PICTURES:
        if data.startswith(signature):
            return name
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "webp"
    if data[4:8] == b"ftyp" and data[8:12] in (b"heic", b"heix", b"mif1", b"hevc", b"msf1"):
        return "heic"
    if data.startswith(b"{\\rtf"):
        return "rtf"
    if data.startswith(b"PK\x03\x04"):
        return _kind_of_zip(data)
    return _kind_of_ole(data, path) if data.startswith(_OLE) else None


def _kind_of_zip(data: bytes) -> str | None:
    from zipfile import BadZipFile, ZipFile

    try:
        with ZipFile(BytesIO(data)) as archive:
            names = archive.namelist()
            told = archive.open("mimetype").read(100).decode("ascii", "replace").strip() if "mimetype" in names else ""
    except (BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError):
        return None
    told = told.replace("-template", "")
    by_type = next((f.name for f in FORMATS if f.name in _ZIPPED and f.mime_type == told), None)
    return by_type or next((kind for prefix, kind in _OPEN_XML_PARTS if any(name.startswith(prefix) for name in names)), None)


def _kind_of_ole(data: bytes, path: str) -> str | None:
    """Office before 2007, Outlook, or a new Office file behind a password."""
    import olefile

    try:
        with olefile.OleFileIO(data) as container:
            if container.exists("EncryptedPackage"):
                raise DocumentUnreadable(f"{path} is encrypted.", "Remove the password or leave the file out.")
            return next((name for stream, name in _STREAMS if container.exists(stream)), None)
    except OSError:
        return None


def _by_content(data: bytes, path: str) -> Format:
    from pipelines.parsing.tagger import prepare_unstructured

    prepare_unstructured()
    from unstructured.file_utils.filetype import detect_filetype

    try:
        detected = detect_filetype(file=BytesIO(data)).value
    except Exception as error:  # the detector reads archives and mail on the way and raises whatever their readers raise
        raise _unknown(path) from error
    found = format_by_extension(f"{path}.{detected}")
    if found is None or (found.decoded and b"\x00\x00\x00\x00" in data[:4096]):
        raise _unknown(path)
    return found


def _unknown(path: str) -> DocumentUnreadable:
    known = ", ".join(file_format.name for file_format in FORMATS)
    remedy = f"Give it the extension of its format ({known}), or exclude it in the contract."
    return DocumentUnreadable(f"{path} is of no known file type.", remedy)
