"""``POST /v1/context``: passages for a language model, packed into a budget of tokens, with numbers to cite them by."""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter, Response

from retrieval_service.access import require
from retrieval_service.asking import release_asked_for, why_nothing
from retrieval_service.deps import LiveDep, PrincipalDep, TelemetryDep, WorkersDep
from retrieval_service.examples import CONTEXT_ANSWER, shown
from retrieval_service.live import LiveRelease
from retrieval_service.routes.search import DeadlineHeader
from retrieval_service.telemetry import Telemetry
from retrieval_service.tracing import retrieving, told
from search_index.answering.context import answer_context
from search_index.deadline import NEVER, Deadline
from search_index.model.context import ContextAnswer, ContextRequest
from search_index.model.search import Principal

router = APIRouter(tags=["search"])


@router.post(
    "/v1/context",
    summary="Passages for a language model",
    operation_id="get_context",
    responses={200: {"description": "A text with citations, and what they lead to.", "content": shown(CONTEXT_ANSWER)}},
)
async def get_context(
    request: ContextRequest,
    response: Response,
    live: LiveDep,
    workers: WorkersDep,
    principal: PrincipalDep,
    telemetry: TelemetryDep,
    deadline_ms: DeadlineHeader = None,
) -> ContextAnswer:
    """The best passages on a question, as many as `budget` tokens hold: whole, each thing said once, in one `text` with citations.

    Passages of one document that overlap or touch become one. What was left out, and why, is in `dropped`.
    """
    require(principal, "search")
    if request.as_of is not None:
        require(principal, "history")
    deadline = NEVER.sooner(deadline_ms).sooner(request.deadline_ms)
    with retrieving(telemetry, request, request.passages) as span:
        answer = await workers.run(partial(_context_of, request, live, principal, telemetry, deadline))
        told(span, answer.release, len(answer.passages), len(answer.degraded))
    response.headers["Plumbline-Release"] = str(answer.release.revision)
    response.headers["Plumbline-Index"] = answer.release.index
    if answer.degraded:
        response.headers["Plumbline-Degraded"] = ", ".join(each.arm for each in answer.degraded)
    telemetry.log.info(
        "context",
        mode=answer.mode,
        passages=len(answer.passages),
        dropped=len(answer.dropped),
        tokens=answer.tokens,
        took_ms=round(answer.took_ms, 2),
        release=answer.release.revision,
        degraded=[each.model_dump() for each in answer.degraded],
    )
    return answer


def _context_of(
    request: ContextRequest, live: LiveRelease, principal: Principal, telemetry: Telemetry, deadline: Deadline
) -> ContextAnswer:
    with live.acquire() as serving:
        release = release_asked_for(request.as_of, serving)
        answer = answer_context(serving.loaded.searcher, request, release, principal, deadline=deadline)
        if answer.passages or answer.dropped:
            return answer
        hints = why_nothing(request.filters.sources, serving, principal, telemetry)
        return answer.model_copy(update={"hints": [*answer.hints, *hints]})
