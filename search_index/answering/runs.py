"""Stretches of one document: passages that overlap or touch, put together again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from search_index.model.passage import Neighbour, Provenance
from search_index.model.search import Hit

GAPS: Final = {0: "", 1: " ", 2: "\n\n"}
"""What stands between passages that are so many characters apart: nothing, a space, or the end of a paragraph."""


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of a document. ``rank`` is that of the best hit in it, or of the hit it is a neighbour of; spans are in code points."""

    rank: float
    document_id: str
    source: str
    uri: str
    title: str
    chunk_ids: tuple[str, ...]
    text: str
    start: int
    end: int
    page: int | None
    page_last: int | None
    section: tuple[str, ...]
    score: float | None
    provenance: Provenance | None
    whole: bool = True


def run_of(hit: Hit) -> Run:
    """A hit by itself."""
    return Run(
        hit.rank, hit.document_id, hit.source, hit.uri, hit.title, (hit.chunk_id,), hit.text, hit.span.start, hit.span.end, hit.page,
        hit.page_last, tuple(hit.section), hit.score, hit.provenance,
    )  # fmt: skip


def beside(hit: Hit, neighbour: Neighbour) -> Run:
    """A neighbour of a hit by itself; it ranks right after the hit."""
    return replace(
        run_of(hit),
        rank=hit.rank + 0.5,
        chunk_ids=(neighbour.chunk_id,),
        text=neighbour.text,
        start=neighbour.span.start,
        end=neighbour.span.end,
        page=neighbour.page,
        page_last=neighbour.page_last,
        section=tuple(neighbour.section),
        score=None,
        provenance=None,
    )


def joined(runs: Iterable[Run]) -> list[Run]:
    """Runs with those of one document that overlap or touch made one, by document and in reading order."""
    found: list[Run] = []
    for run in sorted(runs, key=lambda run: (run.document_id, run.start, run.end)):
        if found and found[-1].document_id == run.document_id and run.start - found[-1].end <= max(GAPS):
            found[-1] = _both(found[-1], run)
        else:
            found.append(run)
    return found


def _both(first: Run, second: Run) -> Run:
    """One run of two, the second beginning no earlier than the first and no later than just behind it."""
    better, other = sorted((first, second), key=lambda run: run.rank)
    gap = second.start - first.end
    text = first.text + (GAPS[gap] + second.text if gap >= 0 else second.text[-gap:])
    pages = [page for page in (first.page, second.page) if page is not None]
    last_pages = [page for page in (first.page_last, second.page_last) if page is not None]
    return replace(
        better,
        chunk_ids=tuple(dict.fromkeys([*first.chunk_ids, *second.chunk_ids])),
        text=text,
        start=first.start,
        end=max(first.end, second.end),
        page=min(pages, default=None),
        page_last=max(last_pages, default=None),
        section=first.section,
        score=better.score if better.score is not None else other.score,
        provenance=better.provenance or other.provenance,
    )
