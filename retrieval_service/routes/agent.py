"""``POST /v1/agent/search``: a question that takes several searches, with what was done to answer it."""

from __future__ import annotations

import time
from functools import partial
from typing import Final

from fastapi import APIRouter, Response

from retrieval_service.access import require
from retrieval_service.agent.executing import explore
from retrieval_service.agent.searching import Searches
from retrieval_service.answer_cache import Look
from retrieval_service.asking import answer_from, release_asked_for
from retrieval_service.deps import CountDep, LiveDep, PlannerDep, PrincipalDep, QueryLogDep, TelemetryDep, WorkersDep
from retrieval_service.examples import AGENT_ANSWER, shown
from retrieval_service.routes.search import DeadlineHeader
from retrieval_service.tracing import retrieving, told
from retrieval_service.withheld import OverlayUnreadable
from search_index.deadline import NEVER
from search_index.model.agent import AgentAnswer, AgentRequest
from search_index.model.search import SearchAnswer, SearchRequest

router = APIRouter(tags=["search"])

COUNTS_AS: Final = 4
"""Requests that one is counted as where requests are limited: it makes about so many searches."""
LONGEST_MS: Final = 10_000
"""The time that an answer may take where the request does not say."""
READINGS: Final = 3
"""How often it is begun anew because a document was narrowed or erased meanwhile, so that no earlier step shows it."""


@router.post(
    "/v1/agent/search",
    summary="Search in several steps",
    operation_id="agent_search",
    responses={200: {"description": "Passages that cover the question, and what was done to find them.", "content": shown(AGENT_ANSWER)}},
)
async def agent_search(
    request: AgentRequest,
    response: Response,
    live: LiveDep,
    workers: WorkersDep,
    principal: PrincipalDep,
    count: CountDep,
    telemetry: TelemetryDep,
    query_log: QueryLogDep,
    planner: PlannerDep,
    deadline_ms: DeadlineHeader = None,
) -> AgentAnswer:
    """Take a question apart by the names, times and facets that the index knows, search each part, and cover what has no passage yet.

    Each search is one that `/v1/search` would answer for the same caller, and all are on one release. `trace` says what was asked and why;
    `aspects` what had to be covered, and by which hits it is.
    """
    require(principal, "search")
    if request.as_of is not None:
        require(principal, "history")
    count(COUNTS_AS - 1)
    began = time.perf_counter()
    deadline = NEVER.sooner(deadline_ms).sooner(request.deadline_ms or LONGEST_MS)
    with retrieving(telemetry, request, request.limit) as span, live.acquire() as serving:
        release = await workers.run(partial(release_asked_for, request.as_of, serving))

        async def ask(asked: SearchRequest) -> SearchAnswer:
            return await workers.run_part(partial(answer_from, serving, asked, release, principal, telemetry, deadline, Look()))

        searcher = serving.loaded.searcher
        propose = planner.within(deadline, request.limit) if planner else None
        for _ in range(READINGS):
            withheld = await workers.run(partial(searcher.withholding.withheld_from, principal))
            searches = Searches(request, ask, deadline)
            found = await explore(searches, searcher.count_tokens, propose)
            if withheld == await workers.run(partial(searcher.withholding.withheld_from, principal)):
                break
        else:
            raise OverlayUnreadable("What may be read changed again and again while it was searched.", "Ask again in a second.")
        told(span, release, len(found.hits), len(searches.degraded))
    answer = AgentAnswer(
        query=request.query,
        mode=request.mode,
        release=release,
        hits=found.hits,
        aspects=found.aspects,
        trace=searches.trace,
        stopped=found.stopped,
        tokens=found.tokens,
        answerable=found.first.answerable,
        degraded=searches.degraded,
        hints=found.first.hints,
        took_ms=round((time.perf_counter() - began) * 1e3, 3),
    )
    response.headers["Plumbline-Release"] = str(release.revision)
    response.headers["Plumbline-Index"] = release.index
    if answer.degraded:
        response.headers["Plumbline-Degraded"] = ", ".join(dict.fromkeys(each.arm for each in answer.degraded))
    telemetry.explored(answer, searches.asked)
    return answer.model_copy(update={"id": query_log.answered(_as_search(answer), principal).id})


def _as_search(answer: AgentAnswer) -> SearchAnswer:
    """What the query log keeps of it, and feedback names."""
    return SearchAnswer(
        query=answer.query,
        mode=answer.mode,
        release=answer.release,
        hits=answer.hits,
        answerable=answer.answerable,
        degraded=answer.degraded,
        took_ms=answer.took_ms,
    )
