"""The unpacked side of a compressed tar, which ends before it fills memory or takes for ever."""

from __future__ import annotations

import io
from typing import BinaryIO

from search_index.errors import SourceUnavailable

BOMB_RATIO = 200
"""Text packs 3 to 20 times smaller, logs 50; what unpacks to more than this is taken for a bomb. deflate's own limit is 1032."""
_HEADER_BYTES = 16 << 20


class Unpacked(io.RawIOBase):
    """``file`` with an end: reading or seeking past ``allowed`` bytes, or reading more than a file may have at once, is refused.

    Errors (from ``read`` and ``seek``):
        SourceUnavailable: the archive ``source`` reads is a bomb.
    """

    def __init__(self, file: BinaryIO, source: str, at_once: int, allowed: int) -> None:
        self._file, self._source = file, source
        self._at_once, self._allowed = max(at_once, _HEADER_BYTES), allowed

    def read(self, size: int = -1, /) -> bytes:
        """See ``io.RawIOBase``."""
        if not 0 <= size <= self._at_once:
            raise self._bomb()
        data = self._file.read(size)
        self._check(self._file.tell())
        return data

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """See ``io.RawIOBase``: from the start or from here, which is all that is wanted of it."""
        self._check(offset if whence == 0 else self._file.tell() + offset)
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """See ``io.RawIOBase``."""
        return self._file.tell()

    def readable(self) -> bool:
        """See ``io.RawIOBase``."""
        return True

    def seekable(self) -> bool:
        """See ``io.RawIOBase``."""
        return True

    def _check(self, position: int) -> None:
        if position > self._allowed:
            raise self._bomb()

    def _bomb(self) -> SourceUnavailable:
        return SourceUnavailable(
            f"Source {self._source}: its archive unpacks to more than {BOMB_RATIO} times its size, as a bomb does.",
            "Unpack it where that is safe, and point the contract at the folder.",
        )
