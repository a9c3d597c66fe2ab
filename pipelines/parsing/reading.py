"""How one file is to be read: what the contract says about its source, and how long it may take."""

from __future__ import annotations

import time
from dataclasses import dataclass

from quality_checks.contract_terms import FormatLimit, Parsing

DEFAULT_PARSING = Parsing()
_MIB = 1 << 20
_SHARE_OF_TIME = 0.9
"""Of a file's time for the programs that are called, so that they stop before the worker is killed and what they gave is kept."""

_DEFAULT = FormatLimit(seconds=120, memory_mb=2048)
_BY_FORMAT = {
    "pdf": FormatLimit(seconds=300, memory_mb=2048),
    "eml": FormatLimit(seconds=300, memory_mb=2048),
    "msg": FormatLimit(seconds=300, memory_mb=2048),
}
"""PDFs may hold scanned pages, mails other files; every other format has the default."""


@dataclass(frozen=True, slots=True)
class Limit:
    """What parsing one file may take: wall-clock seconds, and bytes of data in memory (in each process that reads it)."""

    seconds: float
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Reading:
    """One file on its way through the parsers.

    ``deadline`` is in seconds of ``time.monotonic``; ``depth`` is how many mails the file is attached within.
    """

    path: str
    parsing: Parsing
    deadline: float
    depth: int = 0


def limit_of(name: str | None, parsing: Parsing) -> Limit:
    """The limit for files of the format called ``name``: the contract's for it, the contract's ``default``, or ours.

    >>> limit_of("pdf", DEFAULT_PARSING).seconds, limit_of("md", DEFAULT_PARSING).seconds
    (300.0, 120.0)
    """
    said = parsing.limits.get(name or "default", FormatLimit())
    rest = parsing.limits.get("default", FormatLimit())
    ours = _BY_FORMAT.get(name or "default", _DEFAULT)
    seconds = next(limit.seconds for limit in (said, rest, ours) if limit.seconds is not None)
    memory = next(limit.memory_mb for limit in (said, rest, ours) if limit.memory_mb is not None)
    return Limit(seconds, memory * _MIB)


def begin(path: str, name: str | None, parsing: Parsing) -> Reading:
    """A reading that starts now."""
    return Reading(path, parsing, time.monotonic() + limit_of(name, parsing).seconds * _SHARE_OF_TIME)
