"""Ground for a language model: one search, packed."""

from __future__ import annotations

import time
from collections.abc import Collection

from search_index.answering.packing import packed
from search_index.answering.runs import Run, beside, run_of
from search_index.deadline import NEVER, Deadline
from search_index.model.context import Cited, ContextAnswer, ContextRequest
from search_index.model.passage import Span
from search_index.model.search import Principal, Question, ReleaseRef, SearchAnswer, SearchRequest
from search_index.searcher import Searcher


def answer_context(
    searcher: Searcher,
    request: ContextRequest,
    release: ReleaseRef,
    principal: Principal,
    excluded_documents: Collection[str] = frozenset(),
    deadline: Deadline = NEVER,
) -> ContextAnswer:
    """What a language model is given to answer ``request`` from: nothing that a search by the same principal would not show.

    Raises:
        WrongUsage: the release's model does not say how many tokens a text has.
        RevisionUnknown, ArmsUnavailable, FilterInvalid, DeadlineExceeded: as ``Searcher.search``.
    """
    began = time.perf_counter()
    name = searcher.tokenizer_name
    asked = {field: getattr(request, field) for field in Question.model_fields}
    answer = searcher.search(SearchRequest(**asked, limit=request.passages), release, principal, excluded_documents, deadline)
    found = packed(_candidates(answer), request.budget, request.order, searcher.count_tokens)
    return ContextAnswer(
        query=request.query,
        mode=request.mode,
        release=release,
        text=found.text,
        tokens=found.tokens,
        budget=request.budget,
        tokenizer=name,
        passages=[_cited(number, run) for number, run in enumerate(found.runs, start=1)],
        dropped=found.dropped,
        confidence=answer.confidence,
        answerable=answer.answerable,
        degraded=answer.degraded,
        hints=answer.hints,
        took_ms=round((time.perf_counter() - began) * 1e3, 3),
    )


def _candidates(answer: SearchAnswer) -> list[Run]:
    """Hits, each followed by its neighbours; no passage twice, and one that is a hit itself as that."""
    hits = {hit.chunk_id for hit in answer.hits}
    found: dict[str, Run] = {}
    for hit in answer.hits:
        found[hit.chunk_id] = run_of(hit)
        for neighbour in hit.neighbours or []:
            if neighbour.chunk_id not in hits:
                found.setdefault(neighbour.chunk_id, beside(hit, neighbour))
    return list(found.values())


def _cited(number: int, run: Run) -> Cited:
    return Cited(
        citation=number,
        document_id=run.document_id,
        source=run.source,
        uri=run.uri,
        title=run.title,
        chunk_ids=list(run.chunk_ids),
        text=run.text,
        page=run.page,
        page_last=run.page_last,
        section=list(run.section),
        span=Span(start=run.start, end=run.end),
        score=run.score,
        whole=run.whole,
        provenance=run.provenance,
    )
