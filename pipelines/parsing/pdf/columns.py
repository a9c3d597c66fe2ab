"""Reading order of a page: columns of prose one after the other, whatever runs across them in its place.

A gutter is a white strip with prose on both sides. The lines that cross it (titles, abstracts, figures' captions) cut the page into
bands, and in each band the left column is read before the right one, which may have gutters of its own. Tables and forms have short
cells, so they are never parted; without a gutter the order of the file stands, for it knows cells of several lines better.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, groupby, pairwise
from statistics import median

from pipelines.parsing.pdf.line import COLUMN_TEXT, Line, Segment, numbers_at_end, runs_across, top_down

_LEAST_LINES = 3
"""Least lines on both sides of a gutter."""
_GUTTER = 0.6
"""Least width of a gutter, in heights of the font."""
_CANDIDATES = 6
_HEADING = 1.4
"""What is this much larger than the page's text and stands above all of it heads all columns."""
_DEEPEST = 8
"""Most gutters looked for one inside the other."""
_FULL = 0.6
"""Most lines of prose are at least this share of the widest one."""
_NUMBER_ROWS = 0.3
"""A column with more rows of numbers than this share is a table's."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """A line, or what stands of it on one side of wide gaps; ``row`` and ``at`` are its place in the file's order."""

    line: Line
    row: int
    at: int

    @property
    def prose(self) -> bool:
        """Long enough to be a line of running text, or written without blanks, and no row of numbers."""
        text = self.line.text
        return (len(text) >= COLUMN_TEXT or (not text.isascii() and self.line.right - self.line.left > 7 * self.line.size)) and (
            self.line.numbers < 2
        )


@dataclass(frozen=True, slots=True)
class _Band:
    """What stands between two lines that cross the gutter; those lines are bands of their own, with ``across`` alone."""

    across: _Piece | None
    left: list[_Piece]
    right: list[_Piece]


def in_reading_order(lines: Sequence[Line]) -> list[Line]:
    """The lines of one page as they are read: text at an angle last, head and foot where they stand."""
    upright = [line for line in lines if not line.turned]
    across = sum(line.numbers < 2 and runs_across(line) for line in upright) >= _LEAST_LINES
    pieces = [piece for row, line in enumerate(upright) for piece in (_pieces(line, row) if across else [_Piece(line, row, 0)])]
    return [*_joined(_ordered(pieces, count(1)), upright), *(line for line in lines if line.turned)]


def _pieces(line: Line, row: int) -> list[_Piece]:
    """The line's parts at gaps wide enough for a gutter."""
    if not line.segments:
        return [_Piece(line, row, 0)]
    groups = [[line.segments[0]]]
    for before, segment in pairwise(line.segments):
        if segment.left - before.right >= _GUTTER * line.size:
            groups.append([])
        groups[-1].append(segment)
    return [_Piece(_part(line, group), row, at) for at, group in enumerate(groups)]


def _part(line: Line, segments: Sequence[Segment]) -> Line:
    text = " ".join(segment.text for segment in segments)
    left, right = min(segment.left for segment in segments), max(segment.right for segment in segments)
    several = tuple(segments) if len(segments) > 1 else ()
    return line._replace(text=text, left=left, right=right, numbers=numbers_at_end(text), segments=several)


def _joined(placed: Sequence[tuple[_Piece, int]], lines: Sequence[Line]) -> list[Line]:
    """The pieces as lines again: those of one row that still follow each other in one column are one line."""
    joined: list[Line] = []
    for (row, column), run in groupby(placed, key=lambda place: (place[0].row, place[1])):
        parts = [piece.line for piece, _ in run]
        whole = lines[row]
        if len(parts) > 1:
            whole = _part(whole, [segment for part in parts for segment in part.segments or (Segment(part.text, part.left, part.right),)])
        else:
            whole = parts[0]
        joined.append(whole._replace(column=column) if column else whole)
    return joined


def _ordered(pieces: list[_Piece], columns: Iterator[int], column: int = 0, within: int = 0) -> list[tuple[_Piece, int]]:
    """The pieces as they are read, each with the number of its column: 0, or the next of ``columns``."""
    bands = _best_bands(pieces) if within < _DEEPEST else []
    if not bands:
        return [(piece, column) for piece in _in_file_order(pieces)]
    ordered: list[tuple[_Piece, int]] = []
    plain: list[_Piece] = []
    for band in bands:
        if band.across is None and _is_columns(band, least=1):
            ordered += [(piece, column) for piece in _in_file_order(plain)]
            for side in (band.left, band.right):
                ordered += _ordered(side, columns, next(columns), within + 1)
            plain = []
        else:
            plain += [band.across] if band.across else [*band.left, *band.right]
    return [*ordered, *((piece, column) for piece in _in_file_order(plain))]


def _best_bands(pieces: list[_Piece]) -> list[_Band]:
    """The page cut at the gutter that parts most of it, from top to bottom; empty without one. Of equals the leftmost."""
    prose = [piece for piece in pieces if piece.prose]
    if len(prose) < 2 * _LEAST_LINES:
        return []
    leftmost = min(piece.line.left for piece in prose)
    lefts = Counter(round(piece.line.left / 2) * 2 for piece in prose)
    often = [left for left, count in lefts.most_common() if count >= _LEAST_LINES and left > leftmost + 6 * prose[0].line.size]
    best: list[_Band] = []
    most = 0
    for left in sorted(often[:_CANDIDATES]):
        bands = _bands(pieces, left - 2.0)
        parted = sum(len(band.left) + len(band.right) for band in bands if band.across is None and _is_columns(band, least=_LEAST_LINES))
        if parted > most:
            best, most = bands, parted
    return best


def _bands(pieces: Sequence[_Piece], gutter: float) -> list[_Band]:
    """From top to bottom, what stands left and right of the gutter's right edge, and what crosses it."""
    bands: list[_Band] = []
    current = _Band(None, [], [])
    large = _HEADING * median(piece.line.size for piece in pieces)
    for piece in sorted(pieces, key=lambda piece: (-piece.line.bottom, piece.row, piece.at)):
        if piece.line.size > large and not any((current.left, current.right, *(band.left or band.right for band in bands))):
            bands.append(_Band(piece, [], []))
        elif piece.line.right <= gutter + 2:
            current.left.append(piece)
        elif piece.line.left >= gutter - 2:
            current.right.append(piece)
        else:
            bands += [current, _Band(piece, [], [])]
            current = _Band(None, [], [])
    bands.append(current)
    return [band for band in bands if band.across or band.left or band.right]


def _is_columns(band: _Band, least: int) -> bool:
    """Whether both sides are prose of at least so many lines, beside each other, with a gutter between them."""
    left, right = band.left, band.right
    if not _is_prose(left, least) or not _is_prose(right, least):
        return False
    size = median(piece.line.size for piece in left)
    if min(piece.line.left for piece in right) - median(piece.line.right for piece in left) < _GUTTER * size:
        return False
    beside = min(left[0].line.top, right[0].line.top) - max(left[-1].line.bottom, right[-1].line.bottom)
    return beside > (least - 1) * size


def _is_prose(pieces: Sequence[_Piece], least: int) -> bool:
    """Whether most of the text stands in lines as long as those of running text, and few are rows of numbers."""
    prose = [piece for piece in pieces if piece.prose]
    if len(prose) < least or sum(piece.line.numbers > 0 for piece in pieces) > _NUMBER_ROWS * len(pieces):
        return False
    widths = [piece.line.right - piece.line.left for piece in prose]
    full = sum(width > _FULL * max(widths) for width in widths)
    return 2 * len(prose) > len(pieces) and 2 * full > len(prose)


def _in_file_order(pieces: list[_Piece]) -> list[_Piece]:
    """As in the file, unless that goes up the page more often than down; a head or foot out of place goes to its end."""
    ordered = sorted(pieces, key=lambda piece: (piece.row, piece.at))
    if len(ordered) < 3:
        return top_down(ordered, lambda piece: piece.line)
    up = sum(after.line.bottom > before.line.top for before, after in pairwise(ordered))
    down = sum(after.line.top < before.line.bottom for before, after in pairwise(ordered))
    if up > down:
        return top_down(ordered, lambda piece: piece.line)
    first, last = ordered[0], ordered[-1]
    if all(first.line.top < piece.line.bottom for piece in ordered if piece.row != first.row):
        ordered = [*(piece for piece in ordered if piece.row != first.row), *(piece for piece in ordered if piece.row == first.row)]
    elif all(last.line.bottom > piece.line.top for piece in ordered if piece.row != last.row):
        ordered = [*(piece for piece in ordered if piece.row == last.row), *(piece for piece in ordered if piece.row != last.row)]
    return ordered
