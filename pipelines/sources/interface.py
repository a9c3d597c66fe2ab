"""What a source is: something that lists documents and gives their bytes. ``docs/writing-a-source.md`` shows how to write one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import BinaryIO, Protocol

from search_index.errors import DocumentUnreadable

UNKNOWN_TIME = datetime.fromtimestamp(0, UTC)


def instant(seconds: float) -> datetime:
    """Seconds since 1970 in UTC; ``UNKNOWN_TIME`` for a number that no calendar has, which file systems and archives may hold."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return UNKNOWN_TIME


def utc(told: datetime) -> datetime:
    """A time in UTC; one that names no zone is taken to be."""
    return told.astimezone(UTC) if told.tzinfo else told.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class SourceItem:
    """One document of a source, as listed.

    Args:
        path: what it is called, relative to the source; unique in it, and always printable Unicode.
        location: what ``read`` finds it by; means something to its source alone.
        size: bytes, 0 where the source does not know before reading.
        modified_at: when its content changed, in UTC; ``UNKNOWN_TIME`` where nobody knows.
        signature: changes whenever the bytes may have changed: while it stays the same the bytes are not read again.
            Empty: nothing is known, so they are read every time.
        problem: why it cannot be taken. It is listed all the same, so that it ends in quarantine and not unseen.
        remedy: what to do about the problem.
        hides: it stands for a folder that could not be looked into, so that what was known below ``path`` stays as it was.
    """

    path: str
    location: str
    size: int
    modified_at: datetime
    signature: str
    problem: str = ""
    remedy: str = ""
    hides: bool = False


class Source(Protocol):
    """A place that lists documents and gives their bytes. ``pipelines.sources.conformance`` checks an implementation."""

    def list(self) -> Iterator[SourceItem]:
        """Every document, in an order that is the same each time.

        Errors:
            SourceUnavailable: the place is missing or cannot be listed, or holds more than the contract's limits allow. The
                source is held at what was published: an incomplete list would remove what it leaves out.
        """
        ...

    def read(self, item: SourceItem) -> bytes:
        """One document's bytes; no more than the contract's ``limits.file_bytes`` are ever held.

        Errors:
            OSError: it is gone or cannot be read now.
            DocumentUnreadable: it has a problem, or is larger than allowed: reason and remedy.
            SourceUnavailable: the whole place is gone.
        """
        ...


class FilePlace(Source, Protocol):
    """A source of files, each of which can also be read as a stream, whatever its size."""

    def open(self, item: SourceItem) -> AbstractContextManager[BinaryIO]:
        """One file as a stream. Errors are those of ``read``."""
        ...


def refuse_problem(item: SourceItem) -> None:
    """Every ``read`` begins with this: an item listed with a problem is never opened.

    Raises:
        DocumentUnreadable: the item's problem and remedy.
    """
    if item.problem:
        raise DocumentUnreadable(item.problem, item.remedy)
