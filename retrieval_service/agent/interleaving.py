"""The hits of an answer, from those that were found for each of its aspects: all are covered before one has more than its share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from search_index.model.search import Hit


@dataclass(frozen=True, slots=True)
class Lane:
    """Hits of one aspect, in the order in which they are to be shown, and its share."""

    hits: Sequence[Hit]
    share: int


def by_document(answers: Sequence[Sequence[Hit]]) -> list[Hit]:
    """The best hit of each document, then the second of each, and so on; documents as they come.

    Args:
        answers: hits of one search each, of each document the best first. What several searches found takes turns.
    """
    found: dict[str, list[Hit]] = {}
    for turn in zip_longest(*answers):
        for hit in turn:
            if hit is not None:
                found.setdefault(hit.document_id, []).append(hit)
    deepest = max(map(len, found.values()), default=0)
    return [own[depth] for depth in range(deepest) for own in found.values() if depth < len(own)]


def interleaved(lanes: Sequence[Lane], limit: int, fits: Callable[[Hit], bool]) -> tuple[list[Hit], bool]:
    """At most ``limit`` hits, no passage twice, with ranks from 1; and whether one was left out because it did not fit.

    Args:
        fits: whether there is room for a hit; asked once for each that would be taken.
    """
    taken: list[Hit] = []
    said: set[tuple[str, str]] = set()
    left_out = False
    for hit in _turns(lanes):
        if len(taken) == limit:
            break
        if (hit.document_id, hit.text) in said:  # another document that says the same is another thing to cite
            continue
        said.add((hit.document_id, hit.text))
        if not fits(hit):
            left_out = True
            continue
        taken.append(hit.model_copy(update={"rank": len(taken) + 1}))
    return taken, left_out


def _turns(lanes: Sequence[Lane]) -> Iterator[Hit]:
    """Hits of all lanes. In each round a lane has as many turns as its share, spread over the round."""
    left = [list(lane.hits) for lane in lanes]
    turns = sorted((((turn + 0.5) / lane.share, at) for at, lane in enumerate(lanes) for turn in range(lane.share)))
    while any(left):
        for _, at in turns:
            if left[at]:
                yield left[at].pop(0)
