"""``POST /v1/search``: hybrid, dense or keyword search over the live release or an older one."""

from __future__ import annotations

from functools import partial
from typing import Annotated, TypeAlias

from fastapi import APIRouter, BackgroundTasks, Header, Response

from retrieval_service.access import require
from retrieval_service.answer_cache import HEADER as CACHE_HEADER
from retrieval_service.answer_cache import Look
from retrieval_service.asking import answer_for, to_be_encoded
from retrieval_service.deps import CanaryDep, ClientDep, LiveDep, PrincipalDep, QueryLogDep, ShadowDep, TelemetryDep, WorkersDep
from retrieval_service.examples import SEARCH_ANSWER, shown
from retrieval_service.tracing import retrieving, told
from search_index.deadline import NEVER
from search_index.model.search import SearchAnswer, SearchRequest

router = APIRouter(tags=["search"])

DeadlineHeader: TypeAlias = Annotated[
    int | None,
    Header(alias="Plumbline-Deadline-Ms", ge=1, le=60_000, description="as `deadline_ms`, counted from when the request came in"),
]
"""For clients whose own time is running; of two deadlines the sooner holds."""
ProbeHeader: TypeAlias = Annotated[
    bool,
    Header(alias="Plumbline-Probe", description="a look at the service and nobody's question: answered anew, and not in the query log"),
]


@router.post(
    "/v1/search",
    response_model=SearchAnswer,
    summary="Search",
    responses={
        200: {
            "description": "Hits, best first, all from one release.",
            "content": shown(SEARCH_ANSWER),
            "headers": {
                "Plumbline-Release": {"description": "The revision that answered", "schema": {"type": "integer"}},
                "Plumbline-Index": {"description": "Fingerprint of the index that answered", "schema": {"type": "string"}},
                "Plumbline-Override": {"description": "The override of gates that stands, if any", "schema": {"type": "string"}},
                "Plumbline-Cache": {
                    "description": "`hit` where the answer was kept from before, else `miss`",
                    "schema": {"type": "string"},
                },
                "Plumbline-Degraded": {"description": "Parts left out, if any, as in `degraded`", "schema": {"type": "string"}},
            },
        }
    },
)
async def search(
    request: SearchRequest,
    response: Response,
    background: BackgroundTasks,
    live: LiveDep,
    shadow: ShadowDep,
    canary: CanaryDep,
    client: ClientDep,
    workers: WorkersDep,
    principal: PrincipalDep,
    telemetry: TelemetryDep,
    query_log: QueryLogDep,
    deadline_ms: DeadlineHeader = None,
    probe: ProbeHeader = False,
) -> SearchAnswer:
    """Find the passages that answer a query.

    `mode` chooses the arms: `dense` (meaning), `sparse` (BM25 over words) or `hybrid` (both, fused). `filters` narrow the search
    inside every arm. `as_of` asks an older release: a revision, or an instant. Every hit says where it came from.

    `next` of an answer, sent as `cursor` with the same request, is the next page of the same ranking.
    """
    deadline = NEVER.sooner(deadline_ms).sooner(request.deadline_ms)
    require(principal, "search")
    if request.as_of is not None:
        require(principal, "history")
    look = Look(wanted=not probe)
    ahead = to_be_encoded(request, live, principal, look)
    with retrieving(telemetry, request, request.limit) as span, workers.waiting.announced(ahead):
        answer = await workers.run(partial(answer_for, request, live, canary, principal, client, telemetry, deadline, look))
        told(span, answer.release, len(answer.hits), len(answer.degraded))
    response.headers["Plumbline-Release"] = str(answer.release.revision)
    response.headers["Plumbline-Index"] = answer.release.index
    if look.result is not None:
        response.headers[CACHE_HEADER] = look.result
    if answer.degraded:
        response.headers["Plumbline-Degraded"] = ", ".join(d.arm for d in answer.degraded)
    telemetry.searched(answer)
    if probe:
        return answer
    answer = query_log.answered(answer, principal)
    if shadow.revision is not None and request.cursor is None and look.result != "hit":
        background.add_task(shadow.compare, request, principal, answer)
    return answer
