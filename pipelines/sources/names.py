r"""Names of files as paths: printable, never colliding, and filtered as the contract says.

Names come as whatever a file system, an archive or a bucket has in it. Bytes that are not UTF-8 and control characters are
written ``\xhh``, lone surrogates ``\uhhhh``; in a name that has any of these, or reads as if it had, a backslash is doubled. So a
name is left as it is unless it has to change, and no two names become one.
"""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass

_LEFT_OUT = ("~$*", "*.tmp", "*.part", "*.swp", "Thumbs.db", "desktop.ini", "__MACOSX", "__pycache__", "node_modules")
_LEAVES_OUT = re.compile("|".join(fnmatch.translate(pattern) for pattern in (".*", *_LEFT_OUT)))
_ESCAPED = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]|\\x[0-9a-f]{2}|\\u[0-9a-f]{4}")
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


def clean_path(name: str) -> str:
    r"""``name`` as a path; bytes that are not UTF-8 stand in it as Python decodes them (surrogateescape).

    >>> clean_path("sub/a.md"), clean_path("two\nlines.md"), clean_path("caf\udce9.txt"), clean_path(r"caf\xe9.txt")
    ('sub/a.md', 'two\\x0alines.md', 'caf\\xe9.txt', 'caf\\\\xe9.txt')
    """
    return "".join(map(_escaped, name)) if _ESCAPED.search(name) else name


def _escaped(character: str) -> str:
    code = ord(character)
    if character == "\\":
        return "\\\\"
    if code < 0x20 or code == 0x7F:
        return f"\\x{code:02x}"
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return f"\\u{code:04x}" if 0xD800 <= code <= 0xDFFF else character


def leaves_its_root(name: str) -> bool:
    """Whether a name in an archive, a bucket or a page of links would lie outside of what it is listed in."""
    return name.startswith(("/", "\\")) or ".." in re.split(r"[\\/]", name) or _DRIVE.match(name) is not None


def harmless_path(name: str) -> str:
    r"""A path to show a refused name by: no part of it climbs.

    >>> harmless_path("../../etc/passwd"), harmless_path("/etc/passwd")
    ('\\x2e\\x2e/\\x2e\\x2e/etc/passwd', '\\x2fetc/passwd')
    """
    parts = clean_path(name).split("/")
    shown = "/".join(r"\x2e\x2e" if part == ".." else part for part in parts)
    return rf"\x2f{shown[1:]}" if shown.startswith("/") else shown


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which paths a contract takes: hidden files and editors' leftovers never, ``exclude`` before ``include``."""

    include: tuple[str, ...]
    exclude: tuple[str, ...]

    def __call__(self, path: str) -> bool:
        """Whether the file at ``path`` is taken."""
        return not any(left_out(part) for part in path.split("/")) and self.chosen(path)

    def chosen(self, path: str) -> bool:
        """Whether the globs take a path no part of which is left out."""
        if any(_matches(path, glob) for glob in self.exclude):
            return False
        return not self.include or any(_matches(path, glob) for glob in self.include)


def left_out(part: str) -> bool:
    """Whether a file or folder of that name is left out whatever the contract says."""
    return _LEAVES_OUT.match(part) is not None


def _matches(path: str, glob: str) -> bool:
    """A glob matches the whole path; ``**/`` also matches no folder at all; one without a slash matches any file name."""
    if "/" not in glob:
        return fnmatch.fnmatchcase(path.rsplit("/", 1)[-1], glob)
    return fnmatch.fnmatchcase(path, glob) or ("**/" in glob and fnmatch.fnmatchcase(path, glob.replace("**/", "")))
