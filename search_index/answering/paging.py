"""One long ranking, of which every answer is a page, however deep the arms had to look for it.

An arm brings in as many candidates as its depth, so what it ranks when it looks deeper is another ranking. The long one therefore
begins with all that the usual depth ranks, goes on with what twice that depth ranks and was not there before, and so on: a page never
changes what stood before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from search_index.model.search import DEEPEST
from search_index.ranker import Ranked


@dataclass(frozen=True, slots=True)
class Segment:
    """Ids that one depth added, best first, and the ranking that their scores are of. ``last`` says that there is nothing deeper."""

    ids: Sequence[str]
    ranked: Ranked
    last: bool


class Unit(NamedTuple):
    """What counts as one towards ``limit``: a passage, or the best passages of a document. The first is the best."""

    ids: Sequence[str]
    ranked: Ranked


@dataclass(frozen=True, slots=True)
class Page:
    """A stretch of the long ranking, and whether there may be more behind it."""

    units: list[Unit]
    more: bool


def segments(ids: Sequence[str], first: Ranked, depth: int, deeper: Callable[[int], Ranked]) -> Iterator[Segment]:
    """``ids``, which are those of ``first`` in some order, then what each doubling of ``depth`` adds, as deep as paging goes."""
    segment = Segment(ids, first, first.exhausted or depth >= DEEPEST)
    yield segment
    shown = set(ids)
    while not segment.last:
        depth = min(2 * depth, DEEPEST)
        ranked = deeper(depth)
        segment = Segment([point for point in ranked.ids if point not in shown], ranked, ranked.exhausted or depth >= DEEPEST)
        shown.update(segment.ids)
        yield segment


def passages(segment: Segment, most: int) -> list[Unit]:
    """Each passage for itself, ``most`` of them."""
    return [Unit((point,), segment.ranked) for point in segment.ids[:most]]


class Documents:
    """Groups passages by document: documents in the order of their best passages, each where a depth first brought it.

    Args:
        documents_of: the document of each passage.
        size: most passages of one document, of those that the same depth brought.
    """

    def __init__(self, documents_of: Callable[[Sequence[str]], Mapping[str, str]], size: int) -> None:
        self._documents_of = documents_of
        self._size = size
        self._seen: set[str] = set()

    def __call__(self, segment: Segment, most: int) -> list[Unit]:
        """The documents that this segment adds, ``most`` of them."""
        documents = self._documents_of(segment.ids)
        groups: dict[str, list[str]] = {}
        for point in segment.ids:
            if documents[point] not in self._seen:
                groups.setdefault(documents[point], []).append(point)
        self._seen.update(groups)
        return [Unit(points[: self._size], segment.ranked) for points in islice(groups.values(), most)]


def page_of(found: Iterator[Segment], units_of: Callable[[Segment, int], list[Unit]], offset: int, limit: int) -> Page:
    """``limit`` units after the first ``offset``, looking no deeper than they are."""
    units: list[Unit] = []
    last = True
    for segment in found:
        units += units_of(segment, offset + limit + 1 - len(units))  # one more than are shown, to know that there is one
        last = segment.last
        if len(units) >= offset + limit:
            break
    more = offset + limit < DEEPEST and (len(units) > offset + limit or not last)
    return Page(units[offset : offset + limit], more)
