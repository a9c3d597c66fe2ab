"""``POST /v1/search/batch``: many searches at once, all on one release, each answered or failed by itself."""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter, Request, Response

from retrieval_service.access import require
from retrieval_service.answer_cache import Look
from retrieval_service.asking import answer_from, release_asked_for
from retrieval_service.deps import CountDep, LiveDep, PrincipalDep, QueryLogDep, TelemetryDep, WorkersDep
from retrieval_service.examples import BATCH_ANSWER, shown
from retrieval_service.problems import describe, told_to
from retrieval_service.routes.search import DeadlineHeader
from retrieval_service.telemetry import Telemetry, request_id_of
from search_index.deadline import NEVER
from search_index.errors import PlumblineError
from search_index.model.batch import BatchAnswer, BatchItem, BatchRequest
from search_index.model.problem import Problem
from search_index.model.search import Principal, SearchRequest
from search_index.ranker import ARMS

router = APIRouter(tags=["search"])


@router.post(
    "/v1/search/batch",
    summary="Search many times",
    operation_id="search_batch",
    responses={200: {"description": "An answer or a problem for each search.", "content": shown(BATCH_ANSWER)}},
)
async def search_batch(
    batch: BatchRequest,
    request: Request,
    response: Response,
    live: LiveDep,
    workers: WorkersDep,
    principal: PrincipalDep,
    count: CountDep,
    telemetry: TelemetryDep,
    query_log: QueryLogDep,
    deadline_ms: DeadlineHeader = None,
) -> BatchAnswer:
    """Up to 32 searches, all answered from one release even when another goes live meanwhile.

    One that fails says so in its place and keeps no other from being answered.
    """
    require(principal, "search")
    count(len(batch.requests) - 1)
    if batch.as_of is not None:
        require(principal, "history")
    deadline = NEVER.sooner(deadline_ms)
    request_id = request_id_of(request.scope)
    ahead = [asked.query for asked in batch.requests if "dense" in ARMS[asked.mode]]
    with live.acquire() as serving, workers.waiting.announced(ahead):
        release = await workers.run(partial(release_asked_for, batch.as_of, serving))

        async def one(asked: SearchRequest) -> BatchItem:
            own = deadline.sooner(asked.deadline_ms)
            try:
                answer = await workers.run_part(partial(answer_from, serving, asked, release, principal, telemetry, own, Look()))
            except Exception as error:  # noqa: BLE001 - a defect met by one search must not cost the others their answers
                return BatchItem(problem=_problem(error, principal, request_id, telemetry))
            telemetry.searched(answer)
            return BatchItem(answer=query_log.answered(answer, principal))

        answers = [await one(asked) for asked in batch.requests]  # one place in the queue, however many searches
    response.headers["Plumbline-Release"] = str(release.revision)
    response.headers["Plumbline-Index"] = release.index
    return BatchAnswer(release=release, answers=answers)


def _problem(error: Exception, principal: Principal, request_id: str, telemetry: Telemetry) -> Problem:
    if isinstance(error, PlumblineError):
        slug, status = error.slug, error.status
        what, remedy = told_to(principal, error)
    else:
        telemetry.log.error("defect", **describe(error))
        slug, status, what = "internal", 500, "The service ran into a defect of its own."
        remedy = "Look for this request id in the service's log and report it."
    return Problem(
        type=f"urn:plumbline:problem:{slug}",
        title=slug.replace("-", " ").capitalize(),
        status=status,
        detail=what,
        remedy=remedy,
        request_id=request_id,
    )
