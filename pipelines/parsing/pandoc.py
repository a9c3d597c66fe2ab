"""EPUB, ODT, RTF, reStructuredText and Org as HTML, through pandoc in its sandbox: it reads no other file, whatever a document includes."""

from __future__ import annotations

import codecs
import re

from pipelines.parsing.formats import Format
from pipelines.parsing.reading import Reading
from pipelines.parsing.tools import run_tool
from search_index.errors import DocumentUnreadable

_WRITTEN_BYTES = re.compile(rb"(\\u-?\d+ ?(?:\\'[0-9a-fA-F]{2})?)|((?:\\'[0-9a-fA-F]{2})+)")
_CODE_PAGE = re.compile(rb"\\ansicpg(\d+)")


def to_html(data: bytes, file_format: Format, reading: Reading) -> str:
    """The document as HTML.

    Raises:
        DocumentUnreadable: pandoc is not installed, or cannot read the document.
        TimeoutError: it takes longer than the file may.
    """
    import pypandoc

    if file_format.name == "rtf":
        data = with_unicode(data)
    try:
        program = pypandoc.get_pandoc_path()
    except OSError as error:
        raise DocumentUnreadable(f"{reading.path} needs pandoc to be parsed.", "Run `pip install pypandoc_binary`.") from error
    arguments = [program, "--sandbox", "--from", file_format.name, "--to", "html", "--wrap", "none"]
    code, out = run_tool(arguments, deadline=reading.deadline, stdin=data)
    if code:
        raise DocumentUnreadable(
            f"{reading.path} is broken or not {file_format.name} (pandoc ends with {code}).",
            f"Open it in its own program and save it again as {file_format.name}.",
        )
    return out.decode("utf-8", "replace")


def with_unicode(rtf: bytes) -> bytes:
    r"""RTF with the bytes that it writes in the code page it names (``\ansicpg1251``) as Unicode: pandoc takes all for Windows-1252.

    >>> with_unicode(rb"{\rtf1\ansicpg1251 \'cf\'f0}")
    b'{\\rtf1\\ansicpg1251 {\\uc0\\u1055 \\u1088 }}'
    """
    named = _CODE_PAGE.search(rtf[:4096])
    try:
        page = codecs.lookup(f"cp{named.group(1).decode('ascii')}").name if named else "cp1252"
    except LookupError:
        page = "cp1252"
    if page == "cp1252":
        return rtf

    def unicode(match: re.Match[bytes]) -> bytes:
        if match.group(1):  # Unicode already, with a byte for programs that know none
            return match.group()
        text = bytes.fromhex(match.group(2).replace(b"\\'", b"").decode("ascii")).decode(page, "replace")
        return ("{\\uc0" + "".join(f"\\u{ord(character)} " for character in text) + "}").encode("ascii")

    return _WRITTEN_BYTES.sub(unicode, rtf)
