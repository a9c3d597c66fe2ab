"""Wide gaps in the lines of a PDF page.

pdfium sets what shares a baseline on one line, whatever lies between. To look at a blank takes two calls, so that is done only where
a gap matters: at the numbers of a table's rows, in the heads of its columns, and where sampled lines run across columns.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pipelines.parsing.pdf.characters import Characters
from pipelines.parsing.pdf.line import (
    COLUMN_TEXT,
    FoundLine,
    Line,
    Segment,
    is_numeric,
    runs_across,
)

_WIDE = 0.5
"""Least gap between two segments of a line, in heights of its font; a blank takes a quarter."""
_SAMPLED = 3
_HEAD_LINES = 4
_HEAD_LENGTH = 100
"""Longest line, in characters, that may be the heads of a table's columns."""
_BLANKS = re.compile(r"\s+")


def with_segments(characters: Characters, found: Sequence[FoundLine]) -> list[Line]:
    """The lines, parted at wide gaps where they are rows of numbers or where the page has columns."""
    rows = [entry.line.numbers > 1 for entry in found]
    if _has_columns(characters, found):
        return [_parted(characters, entry, 0) if entry.turns == 0 else entry.line for entry in found]
    lines = []
    for index, entry in enumerate(found):
        is_row = rows[index] or (entry.line.numbers == 1 and any(rows[max(index - 2, 0) : index + 3]))
        is_head = entry.line.numbers == 0 and any(rows[index + 1 : index + 1 + _HEAD_LINES]) and not any(rows[max(index - 2, 0) : index])
        if entry.turns == 0 and (is_row or (is_head and len(entry.raw) < _HEAD_LENGTH)):
            lines.append(_parted(characters, entry, _numbers_start(entry.raw) if is_row else 0))
        else:
            lines.append(entry.line)
    return lines


def _has_columns(characters: Characters, found: Sequence[FoundLine]) -> bool:
    """Whether some of the widest lines run across a gap between columns."""
    long = [entry for entry in found if len(entry.raw) > 2 * COLUMN_TEXT and entry.turns == 0 and entry.line.numbers < 2]
    widest = max((entry.line.right - entry.line.left for entry in long), default=0.0)
    wide = [entry for entry in long if entry.line.right - entry.line.left > 0.8 * widest]
    sample = wide[:: max(1, -(-len(wide) // _SAMPLED))]
    return any(runs_across(_parted(characters, entry, COLUMN_TEXT, len(entry.raw) - COLUMN_TEXT)) for entry in sample)


def _numbers_start(text: str) -> int:
    """Where the numbers begin that end the text."""
    start = len(text)
    while (blank := text.rfind(" ", 0, start)) > 0 and is_numeric(text[blank + 1 : start]):
        start = blank
    return start


def _parted(characters: Characters, entry: FoundLine, since: int, until: int | None = None) -> Line:
    """The line with its segments: parted at wide gaps from position ``since`` to ``until``, or where it goes back to another column."""
    line = entry.line
    wide = []
    for blank in _BLANKS.finditer(entry.raw, since, len(entry.raw) if until is None else until):
        right, left = characters.gap(entry.start + blank.start() - 1, entry.start + blank.end())
        if left - right > _WIDE * line.size or left < right - line.size:
            wide.append((blank.start(), right, left))
    if not wide:
        return line
    starts, lefts = [0, *(at for at, _, _ in wide)], [line.left, *(left for _, _, left in wide)]
    ends, rights = [*(at for at, _, _ in wide), len(entry.raw)], [*(right for _, right, _ in wide), line.right]
    texts = [" ".join(entry.raw[start:end].split()) for start, end in zip(starts, ends, strict=True)]
    if line.text.endswith("\ufffe"):
        texts[-1] += "\ufffe"
    return line._replace(segments=tuple(Segment(*segment) for segment in zip(texts, lefts, rights, strict=True)))
