"""Which pieces go into one passage: runs of pieces, chosen together at the least price, or filled one after the other.

A passage should be well filled, begin at a title, stay on one page and in one section, not end with a title or with the words
that introduce a list. Each wish has a price, and dynamic programming over the possible cuts finds the least sum.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from pipelines.chunking.pieces import Piece

Run = tuple[int, int]
"""Pieces ``[first, last)``."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A document's pieces with what is needed to weigh them.

    ``first_token`` and ``end_token``: where each piece's tokens begin, overlap included, and end. ``rooms``: the tokens a passage
    that begins with the piece has for text, its header taken off. ``characters``: the most a passage may have.
    """

    pieces: Sequence[Piece]
    first_token: Sequence[int]
    end_token: Sequence[int]
    rooms: Sequence[int]
    characters: int

    def fits(self, first: int, last: int) -> bool:
        """Whether the pieces ``[first, last)`` are within one passage's room; a single piece always counts as one."""
        if last == first + 1:
            return True
        size = self.end_token[last - 1] - self.first_token[first]
        return size <= self.rooms[first] and self.pieces[last - 1].end - self.pieces[first].lead <= self.characters


@dataclass(frozen=True, slots=True)
class _Prices:
    """What each imperfection costs, relative to one another; set by reading chunks of documentation and quarterly reports."""

    passage: float = 0.3
    emptiness: float = 2.0
    cut_in_section: float = 0.35
    cut_in_list: float = 0.5
    cut_in_element: float = 0.6
    cut_after_introduction: float = 2.0
    cut_after_title: float = 50.0
    deeper_title: float = 0.1
    sibling_title: float = 0.35
    higher_title: float = 0.6
    page_turn: float = 0.8


_PRICES = _Prices()


def filled_runs(measured: Measured, begin: int, end: int) -> Iterator[Run]:
    """Each passage takes as many of the pieces ``[begin, end)`` as it has room for, whatever they are."""
    first = begin
    while first < end:
        last = first + 1
        while last < end and measured.fits(first, last + 1):
            last += 1
        yield first, last
        first = last


def cheapest_runs(measured: Measured, begin: int, end: int) -> Iterator[Run]:
    """The runs of the pieces ``[begin, end)`` with the least price in all (dynamic programming from the front)."""
    pieces, count = measured.pieces, end - begin
    best = [0.0] + [float("inf")] * count
    came_from = [0] * (count + 1)
    for first in range(begin, end):
        crossing = 0.0
        room = max(measured.rooms[first], 1)
        base = best[first - begin] + (0.0 if first == begin else _cut_price(pieces[first], pieces[first - 1])) + _PRICES.passage
        for last in range(first + 1, end + 1):
            if not measured.fits(first, last):
                break
            if last > first + 1:
                filled = (measured.end_token[last - 2] - measured.first_token[first]) / room
                crossing += _crossing_price(pieces[last - 1], pieces[last - 2], filled)
            empty = max(0.0, 0.5 - (measured.end_token[last - 1] - measured.first_token[first]) / room) * 2
            price = base + _PRICES.emptiness * empty * empty + crossing
            if price < best[last - begin]:
                best[last - begin], came_from[last - begin] = price, first - begin
    cuts = [count]
    while cuts[-1] > 0:
        cuts.append(came_from[cuts[-1]])
    yield from ((begin + first, begin + last) for first, last in pairwise(reversed(cuts)))


def _cut_price(piece: Piece, before: Piece) -> float:
    """The price of beginning a passage at this piece."""
    if before.is_title:
        return _PRICES.cut_after_title
    if before.introduces and not piece.is_title:
        return _PRICES.cut_after_introduction
    if piece.continues:
        return _PRICES.cut_in_element
    if piece.is_title or piece.page != before.page:
        return 0.0
    return _PRICES.cut_in_list if piece.kind == before.kind == "ListItem" else _PRICES.cut_in_section


def _crossing_price(piece: Piece, before: Piece, filled: float) -> float:
    """The price of having this piece inside a passage, and not at its beginning; ``filled`` is the part of it before."""
    price = _PRICES.page_turn if piece.page != before.page else 0.0
    if piece.is_title and not before.is_title:
        deeper = len(piece.section) - len(before.section)
        title_price = _PRICES.deeper_title if deeper > 0 else _PRICES.sibling_title if deeper == 0 else _PRICES.higher_title
        price += title_price * min(1.0, filled * 4)  # a few words above a title (a company's name, a date) belong to it
    return price
