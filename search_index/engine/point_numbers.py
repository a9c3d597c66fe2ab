"""The number that the embedded engine knows a point by: the last 64 bits of its id, a UUID.

The engine makes a Python object of every UUID that it gives, which takes longer than looking a number up.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from search_index.engine.ledger import Rows

Numbers = npt.NDArray[np.uint64]

_PLACES: Final = [*range(19, 23), *range(24, 36)]
"""Where a UUID's last 64 bits stand in its spelling."""
_SHIFTS: Final = np.arange(60, -1, -4, dtype=np.uint64)
_DIGIT: Final = np.zeros(256, np.uint64)
_DIGIT[list(b"0123456789abcdef")] = range(16)
_AT_ONCE: Final = 1 << 18


def number_of(point_id: str) -> int:
    """The number of one point.

    >>> number_of("e5fe2dd1-6a1b-5ae7-8000-00000000002a") - 2**63
    42
    """
    return int(point_id[19:23] + point_id[24:], 16)


def numbers_of(ids: npt.NDArray[np.bytes_]) -> Numbers:
    """The numbers of many points, spelled as ASCII: shape (n,) of ``S36`` in, (n,) out."""
    numbers = np.empty(len(ids), np.uint64)
    spelled = ids.view(np.uint8).reshape(-1, 36)
    for start in range(0, len(ids), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        np.bitwise_or.reduce(_DIGIT[spelled[part][:, _PLACES]] << _SHIFTS, axis=1, out=numbers[part])
    return numbers


class PointNumbers:
    """The numbers of a ledger's rows, and the rows by number.

    Raises:
        pa.ArrowInvalid: two points go by one number. Among ten million that happens in one index of a hundred thousand.
    """

    def __init__(self, rows: Rows) -> None:
        self._numbers = numbers_of(rows.ids)
        self._rising = np.argsort(self._numbers)
        self._sorted = self._numbers[self._rising]
        if (self._sorted[1:] == self._sorted[:-1]).any():
            raise pa.ArrowInvalid("two points go by one number")

    def of(self, rows: npt.NDArray[np.int64]) -> Numbers:
        """Of ``rows``, none of which may be -1. Shape of ``rows``."""
        return self._numbers[rows]

    def rows(self, numbers: Numbers) -> npt.NDArray[np.int64]:
        """Row of each point by its number, -1 for one that is not there. Shape of ``numbers``."""
        if not len(self._rising):
            return np.full(len(numbers), -1)
        found = np.minimum(np.searchsorted(self._sorted, numbers), len(self._rising) - 1)
        return np.where(self._sorted[found] == numbers, self._rising[found], -1)
