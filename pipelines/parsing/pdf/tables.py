"""Tables of PDF pages: which lines are rows, and the grid that their wide gaps and columns of numbers make."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise

from pipelines.parsing.pdf.line import Line, Segment

_BEFORE = re.compile(r"^[$€£¥(]+$")
_AFTER = re.compile(r"^[)%]+$")
_MOST_COLUMNS = 60
_LABELS = 0
"""The column of the rows' names."""


@dataclass(slots=True)
class _Row:
    """Cells by (first column, last column), and the edges of the lines they come from."""

    top: float
    bottom: float
    cells: dict[tuple[int, int], str] = field(default_factory=dict)

    def add(self, place: tuple[int, int], text: str) -> None:
        self.cells[place] = f"{self.cells[place]} {text}" if place in self.cells else text


def table_rows(page: Sequence[Line], titles: Sequence[bool], left: float, right: float) -> list[bool]:
    """Which lines are rows: those that end in several numbers, and the short ones between and right above them.

    ``left`` and ``right`` are the page's outermost edges of text, ``titles`` says which lines are titles.
    """
    numbers = [line.numbers for line in page]
    rows = [count > 1 for count in numbers]
    numbered = [index for index, row in enumerate(rows) if row]
    if not numbered:
        return rows
    short = [line.right < left + 0.75 * (right - left) or count > 0 for line, count in zip(page, numbers, strict=True)]
    inside = list(rows)
    for first, second in pairwise(numbered):
        if second - first <= 5 and all(short[i] for i in range(first + 1, second)) and page[first].bottom - page[second].top < 90:
            inside[first + 1 : second] = [True] * (second - first - 1)
    for index in numbered:
        above = index - 1
        while above >= 0 and not inside[above] and not titles[above] and page[above].bottom - page[above + 1].top < page[above].size:
            line = page[above]
            if (line.left - left < 0.3 * (right - left) and not short[above]) or index - above > 10 or line.text[-1] in ".:":
                break
            inside[above] = True
            above -= 1
    alone = [inside[i] and not (i > 0 and inside[i - 1]) and not (i + 1 < len(page) and inside[i + 1]) for i in range(len(page))]
    return [is_inside and not is_alone for is_inside, is_alone in zip(inside, alone, strict=True)]


def table_text_and_html(block: Sequence[Line]) -> tuple[str, str | None]:
    """Rows one a line, cells parted by `` | ``, and the same as HTML; where no columns can be told, the lines as they are and none."""
    columns = _columns(block)
    if not columns:
        return "\n".join(line.text for line in block), None
    rows = _rows(block, columns)
    text = "\n".join(" | ".join(row.cells[place] for place in sorted(row.cells)) for row in rows)
    return text, f"<table>{''.join(_html(row, len(columns)) for row in rows)}</table>"


def _cells(line: Line) -> list[Segment]:
    """The line's segments, with signs of currency and percent put to their numbers."""
    cells: list[Segment] = []
    for segment in line.segments or (Segment(line.text, line.left, line.right),):
        last = cells[-1] if cells else None
        if last and (_AFTER.match(segment.text) or _BEFORE.match(last.text)):
            joint = "" if _AFTER.match(segment.text) else " "
            cells[-1] = Segment(f"{last.text}{joint}{segment.text}", last.left, segment.right)
        else:
            cells.append(segment)
    return cells


def _columns(block: Sequence[Line]) -> list[tuple[float, float]]:
    """Left and right edge of each column after the labels, from the rows of numbers; none unless two rows agree on two columns."""
    found = [cells for line in block if line.segments and line.numbers > 0 and len(cells := _cells(line)) > 1]
    spans = sorted((cell.left, cell.right) for cells in found for cell in cells[1:])
    columns: list[tuple[float, float]] = []
    for left, right in spans:
        if columns and left < columns[-1][1]:
            columns[-1] = columns[-1][0], max(right, columns[-1][1])
        else:
            columns.append((left, right))
    if not columns or len(columns) > _MOST_COLUMNS:
        return []
    shared = [sum(any(cell.left < right and cell.right > left for cell in cells[1:]) for cells in found) for left, right in columns]
    widest = max((len(cells) for cells in found), default=0)
    merged = any(len({_place(cell, columns) for cell in cells[1:]}) < len(cells) - 1 for cells in found)
    if merged or max(shared) < 2 or len(columns) > 2 * widest:
        return []
    return columns


def _place(cell: Segment, columns: Sequence[tuple[float, float]]) -> tuple[int, int]:
    """First and last column the cell stands in; labels are column 0."""
    over = [index for index, (left, right) in enumerate(columns, 1) if cell.left < right and cell.right > left]
    if over:
        return over[0], over[-1]
    nearest = sum(left <= cell.left for left, _ in columns)
    return nearest, nearest


def _rows(block: Sequence[Line], columns: Sequence[tuple[float, float]]) -> list[_Row]:
    """The rows from top to bottom; lines beside each other that the file has one cell after the other are one row."""
    rows: list[_Row] = []
    labels_left = min(line.left for line in block)
    for line in block:
        row = _Row(line.top, line.bottom)
        middle = (line.top + line.bottom) / 2
        while rows and middle > rows[-1].bottom and line.bottom < rows[-1].top + 10 * line.size:
            above = rows.pop()
            for place, text in row.cells.items():
                above.add(place, text)
            row = _Row(max(above.top, row.top), min(above.bottom, row.bottom), above.cells)
        for number, cell in enumerate(_cells(line)):
            is_label = number == 0 and (cell.left < labels_left + line.size or cell.left < columns[0][0] - 6 * line.size)
            row.add((_LABELS, _LABELS) if is_label else _place(cell, columns), cell.text)
        rows.append(row)
    return rows


def _html(row: _Row, columns: int) -> str:
    cells = []
    column = 0
    for first, last in sorted(row.cells):
        cells += ["<td/>"] * (first - column)
        span = f' colspan="{last - first + 1}"' if last > first else ""
        cells.append(f"<td{span}>{escape(row.cells[first, last], quote=False)}</td>")
        column = max(column, last + 1)
    cells += ["<td/>"] * (columns + 1 - column)
    return f"<tr>{''.join(cells)}</tr>"
