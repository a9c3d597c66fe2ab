"""What is refused before a parser sees it: archives that unpack to far more than they are, and files behind a password."""

from __future__ import annotations

from io import BytesIO
from zipfile import BadZipFile, ZipFile

from lxml import etree

from pipelines.parsing.formats import Format
from search_index.errors import DocumentUnreadable

MOST_UNPACKED = 1 << 30
_SUSPICIOUS_UNPACKED = 100 << 20
_SUSPICIOUS_RATIO = 200
"""Sheets of repeated rows pack by a factor of 50; the most that deflate can do is 1,032."""
MOST_MEMBERS = 50_000
_DEEPEST_HTML = 256
_OLD_OFFICE = {"doc", "ppt", "xls"}


def refuse_hostile(data: bytes, path: str, file_format: Format) -> None:
    """Let an ordinary file pass.

    Raises:
        DocumentUnreadable: an archive that unpacks to more than it may, or a file that is encrypted.
    """
    if data.startswith(b"PK\x03\x04"):
        _refuse_bomb(data, path)
    elif file_format.name in _OLD_OFFICE and _encrypted(data):
        raise DocumentUnreadable(f"{path} is encrypted.", "Remove the password or leave the file out.")


def _refuse_bomb(data: bytes, path: str) -> None:
    try:
        with ZipFile(BytesIO(data)) as archive:
            members = archive.infolist()
    except (BadZipFile, NotImplementedError, ValueError, OSError):
        return  # the format's own parser says that it is broken
    if any(member.flag_bits & 1 for member in members):
        raise DocumentUnreadable(f"{path} is encrypted.", "Remove the password or leave the file out.")
    unpacked = sum(member.file_size for member in members)
    remedy = "Save it again without what bloats it, split it, or leave it out."
    if unpacked > MOST_UNPACKED or (unpacked > _SUSPICIOUS_UNPACKED and unpacked > _SUSPICIOUS_RATIO * len(data)):
        what = f"{path} unpacks to {unpacked >> 20:,} MiB, {unpacked // max(1, len(data)):,} times its size"
        raise DocumentUnreadable(f"{what}, which no ordinary file does.", remedy)
    if len(members) > MOST_MEMBERS:
        raise DocumentUnreadable(f"{path} holds {len(members):,} files; {MOST_MEMBERS:,} are read at most.", remedy)


def refuse_deep_html(html: str) -> None:
    """Let HTML pass that the parser reads to its end: below its greatest depth (256) it drops everything without a word.

    Raises:
        RecursionError: it is nested deeper.
    """
    if html.count("<") < _DEEPEST_HTML:
        return
    parser = etree.HTMLParser()
    try:
        etree.fromstring(html.encode("utf-8", "replace"), parser)
    except etree.ParseError:
        return  # nothing in it, which partitioning finds out too
    if any("depth" in entry.message.lower() for entry in parser.error_log):
        raise RecursionError


def _encrypted(data: bytes) -> bool:
    from msoffcrypto import OfficeFile
    from msoffcrypto.exceptions import DecryptionError, FileFormatError, ParseError

    try:
        return bool(OfficeFile(BytesIO(data)).is_encrypted())
    except (FileFormatError, ParseError, DecryptionError, OSError, ValueError, KeyError, IndexError):
        return False  # broken, which is for LibreOffice and xlrd to find out
