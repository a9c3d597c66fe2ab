"""What is known of a line of text on a PDF page.

Named tuples: a page makes dozens of each, and frozen dataclasses take several times as long to make.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeVar

T = TypeVar("T")

COLUMN_TEXT = 14
"""Least characters of a line of prose in a column."""
_NUMBER = r"[$€£¥]?\(?[-\u2013\u2014+]?[$€£¥]?\d[\d.,]*\)?[%)]?|[\u2014\u2013-]|[$€£¥%)]+|n/?[am]|\*"
_NUMERIC = re.compile(rf"^(?:{_NUMBER})$", re.IGNORECASE)
_DASHES = "-\u2013\u2014"


class Segment(NamedTuple):
    """What stands between two wide gaps of a line."""

    text: str
    left: float
    right: float


class Line(NamedTuple):
    """A line of text, its box in points (origin at the bottom left), the height of its font and whether all of it is bold.

    ``numbers`` is how many numbers stand at its end: two or more make a table row. ``segments`` are two or more where wide gaps part
    the line, else none. ``turned`` is for text at an angle to the page's own. Lines of one column of the page have the same ``column``.
    """

    text: str
    left: float
    right: float
    bottom: float
    top: float
    size: float
    bold: bool
    numbers: int
    segments: tuple[Segment, ...] = ()
    turned: bool = False
    column: int = 0


def is_numeric(word: str) -> bool:
    """Whether the word is a number, or a sign that stands for or with one in a table."""
    return bool(_NUMERIC.match(word))


def numbers_at_end(text: str) -> int:
    """How many numbers end the line.

    >>> numbers_at_end("Net sales $ 1,204 $ (987)"), numbers_at_end("in the year 2022"), numbers_at_end("2022 was good")
    (2, 1, 0)
    """
    last = text[-1:]
    if last.isalpha() and last not in "AaMm":
        return 0
    count = 0
    for word in reversed(text.split()):
        if not is_numeric(word):
            break
        count += any(c.isdigit() or c in _DASHES for c in word)
    return count


class FoundLine(NamedTuple):
    """A line with its place in pdfium's text, to look inside it later, and its quarter turns counter-clockwise (None: askew)."""

    line: Line
    raw: str
    start: int
    turns: int | None


def runs_across(line: Line) -> bool:
    """Whether the line has text as long as that of a column on both sides of a wide gap."""
    return sum(len(segment.text) >= COLUMN_TEXT for segment in line.segments) > 1


def top_down(items: Iterable[T], line_of: Callable[[T], Line]) -> list[T]:
    """From top to bottom, and from left to right where lines stand beside each other."""
    rows: list[list[T]] = []
    middle = 0.0
    for item in sorted(items, key=lambda item: -line_of(item).top - line_of(item).bottom):
        line = line_of(item)
        if not rows or middle - (line.top + line.bottom) / 2 > 0.5 * line.size:
            rows.append([])
            middle = (line.top + line.bottom) / 2
        rows[-1].append(item)
    return [item for row in rows for item in sorted(row, key=lambda item: line_of(item).left)]
