"""From bytes to text for formats that do not say their encoding, or say it inside the text."""

from __future__ import annotations

import codecs
import re

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DECLARED = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?\s*([A-Za-z0-9_.:\-]+)""", re.IGNORECASE)
_SNIFFED_BYTES = 65_536
_WESTERN = {"Basic Latin", "Latin-1 Supplement", "General Punctuation", "Currency Symbols"}


def decode(data: bytes) -> str:
    """Text of ``data``: by its byte order mark, as UTF-8, by what it declares, by what it looks like, at last as Windows-1252.

    Never fails: bytes that no guess can read become U+FFFD.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    if b"\x00" in data[:_SNIFFED_BYTES]:
        return data.decode(_wide_encoding(data[:_SNIFFED_BYTES]), "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start > 0 and len(data) - error.start < 4 and error.reason == "unexpected end of data":
            return data.decode("utf-8", "replace")
    declared = _DECLARED.search(data[:2048])
    if declared is not None:
        try:
            # browsers read latin-1 as Windows-1252 too: the bytes it adds are control codes in latin-1
            name = codecs.lookup(re.sub(r"-[ie]$", "", declared.group(1).decode("ascii"), flags=re.IGNORECASE)).name
            return data.decode("cp1252" if name in ("iso8859-1", "ascii", "utf-8") else name, "replace")
        except LookupError:
            pass  # a made-up name declares nothing
    return data.decode(_likely_encoding(data[:_SNIFFED_BYTES]), "replace")


def is_utf16(data: bytes) -> bool:
    """Whether text is in UTF-16, with a mark or without: what it says of its own encoding is then of another time."""
    sample = data[:_SNIFFED_BYTES]
    return data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or (b"\x00" in sample and _wide_encoding(sample) != "utf-8")


def _wide_encoding(sample: bytes) -> str:
    """UTF-16 without a mark puts the NULs of ASCII letters at odd or at even places."""
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if max(even, odd) < len(sample) // 8 or min(even, odd) * 4 > max(even, odd):
        return "utf-8"
    return "utf-16-le" if odd > even else "utf-16-be"


def _likely_encoding(sample: bytes) -> str:
    """A multi-byte or non-Latin encoding when the statistics speak for one, else Windows-1252."""
    from charset_normalizer import from_bytes

    best = from_bytes(sample, enable_fallback=False).best()
    if best is None or set(best.alphabets) <= _WESTERN:
        return "cp1252"
    return best.encoding
