"""From a ranking to the hits of one page, with whatever else was asked for. Every part looks at the deadline before it starts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from search_index.answering.diversity import AMONG, Chosen, diversified
from search_index.answering.explaining import explained
from search_index.answering.highlights import asked_for, highlights
from search_index.answering.hits import hit_of
from search_index.answering.neighbours import neighbours_of
from search_index.answering.paging import Documents, Page, page_of, passages, segments
from search_index.answering.places import hidden_places
from search_index.deadline import Deadline
from search_index.engine.interface import IndexReader, Payload, Visibility
from search_index.fusion import Ranking
from search_index.model.passage import Group
from search_index.model.search import Degraded, Hit, SearchRequest, Stage
from search_index.ranker import LATE, Ranked


@dataclass(frozen=True, slots=True)
class Listing:
    """What was ranked: as it was fused, as it was reranked, and how to rank deeper than ``depth``."""

    fused: Ranked
    ranked: Ranked
    depth: int
    deeper: Callable[[int], Ranked]


@dataclass(slots=True)
class Composed:
    """A page of hits. ``first`` is the payload of the passage that the whole ranking puts first, None where there is none."""

    hits: list[Hit]
    groups: list[Group] | None
    more: bool
    first: Payload | None
    degraded: list[Degraded] = field(default_factory=list)


def composed(
    listing: Listing, request: SearchRequest, reader: IndexReader, ranking: Ranking, visibility: Visibility, deadline: Deadline
) -> Composed:
    """The page that a request asks for.

    Args:
        visibility: what its hits were ranked with; neighbours are looked up with the same.
    """
    late: list[Stage] = []

    def in_time(stage: Stage) -> bool:
        if not deadline.passed:
            return True
        late.append(stage)
        return False

    ids, chosen = listing.ranked.ids, None
    if request.diversity and ids and in_time("diversity"):
        ids, chosen = _diversified(listing.ranked, reader, request.diversity)
    page = _page(ids, listing, request, reader)
    points = [point for unit in page.units for point in unit.ids]
    payloads = reader.payloads(list(dict.fromkeys([*points, *listing.ranked.ids[:1]])))
    hidden = hidden_places((payloads[point] for point in points), reader, visibility)
    hits = _hits(page, payloads, hidden, first_rank=1 if request.group_by else request.offset + 1)
    if request.highlight and in_time("highlights"):
        asked = asked_for(request.query, reader.bm25.language)
        for hit in hits:
            hit.highlights = highlights(hit.text, asked, reader.bm25.language)
    if request.neighbours and in_time("neighbours"):
        near_by = replace(visibility, filters=type(visibility.filters)())  # what a document is was decided when it was ranked
        for hit, point in zip(hits, points, strict=True):
            hit.neighbours = neighbours_of(reader, near_by, payloads[point], request.neighbours)
    if request.explain and in_time("explanation"):
        ranked_by = [unit.ranked for unit in page.units for _ in unit.ids]
        for hit, point, ranked in zip(hits, points, ranked_by, strict=True):
            choice = (chosen, ids.index(point)) if chosen is not None and point in ids[: len(chosen.order)] else None
            fused = listing.fused if ranked is listing.ranked else ranked
            hit.explanation = explained(point, fused, ranked, ranking, choice)
    return Composed(
        hits=hits,
        groups=_groups(page, hits, request.offset) if request.group_by else None,
        more=page.more,
        first=payloads[listing.ranked.ids[0]] if listing.ranked.ids else None,
        degraded=[*_degraded(listing, page), *(Degraded(arm=stage, reason=LATE) for stage in late)],
    )


def _diversified(ranked: Ranked, reader: IndexReader, diversity: float) -> tuple[list[str], Chosen]:
    among = ranked.ids[:AMONG]
    chosen = diversified(np.array(ranked.scores[:AMONG]), reader.vectors(among), diversity)
    return [*(among[position] for position in chosen.order), *ranked.ids[AMONG:]], chosen


def _page(ids: Sequence[str], listing: Listing, request: SearchRequest, reader: IndexReader) -> Page:
    found = segments(ids, listing.ranked, listing.depth, listing.deeper)
    if request.group_by is None:
        return page_of(found, passages, request.offset, request.limit)

    def documents_of(points: Sequence[str]) -> Mapping[str, str]:
        return {point: str(payload["document_id"]) for point, payload in reader.payloads(points).items()}

    return page_of(found, Documents(documents_of, request.group_size), request.offset, request.limit)


def _hits(page: Page, payloads: Mapping[str, Payload], hidden: frozenset[str], first_rank: int) -> list[Hit]:
    hits: list[Hit] = []
    for unit in page.units:
        ranked = unit.ranked
        for point in unit.ids:
            score = ranked.scores[ranked.ids.index(point)]
            scores = {part: known[point] for part, known in ranked.arms.items() if point in known}
            hits.append(hit_of(first_rank + len(hits), payloads[point], score, scores, hidden))
    return hits


def _groups(page: Page, hits: Sequence[Hit], offset: int) -> list[Group]:
    groups: list[Group] = []
    left = list(hits)
    for rank, unit in enumerate(page.units, start=offset + 1):
        own, left = left[: len(unit.ids)], left[len(unit.ids) :]
        best = own[0]
        groups.append(
            Group(
                rank=rank,
                document_id=best.document_id,
                uri=best.uri,
                title=best.title,
                score=max(hit.score for hit in own),
                hits=[hit.rank for hit in own],
            )
        )
    return groups


def _degraded(listing: Listing, page: Page) -> list[Degraded]:
    """What any of the rankings did without that the page is made of, each once."""
    found = list(listing.ranked.degraded)
    for unit in page.units:
        found += [each for each in unit.ranked.degraded if each not in found]
    return found
