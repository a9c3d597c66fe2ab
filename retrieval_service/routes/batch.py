"""``POST /v1/search/batch``: many searches at once, all on one release, each answered or failed by itself."""

from __future__ import annotations

import asyncio
from functools import partial

from fastapi import APIRouter, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from retrieval_service.access import require
from retrieval_service.asking import answer_from, release_asked_for
from retrieval_service.deps import CountDep, LiveDep, PrincipalDep, QueryLogDep, TelemetryDep, WorkersDep
from retrieval_service.examples import BATCH_ANSWER, shown
from retrieval_service.problems import Problem, describe
from retrieval_service.routes.search import DeadlineHeader
from retrieval_service.telemetry import Telemetry, request_id_of
from search_index.deadline import NEVER
from search_index.errors import PlumblineError
from search_index.model.search import ReleaseRef, SearchAnswer, SearchRequest

router = APIRouter(tags=["search"])

MOST = 32
EXAMPLE: JsonDict = {
    "requests": [{"query": "how long must a plumb bob settle?", "limit": 3}, {"query": "gauge calibration", "mode": "sparse", "limit": 3}]
}


class BatchRequest(BaseModel):
    """Searches that belong together."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    requests: list[SearchRequest] = Field(min_length=1, max_length=MOST)
    as_of: int | AwareDatetime | None = Field(None, description="a revision, or the release that was live at an instant: for all of them")

    @model_validator(mode="after")
    def _on_one_release(self) -> BatchRequest:
        if any(request.as_of is not None or request.cursor is not None for request in self.requests):
            raise ValueError("one release answers them all: give `as_of` beside `requests`, and follow a `cursor` with a search by itself")
        return self


class BatchItem(BaseModel):
    """What became of one search: an answer or a problem."""

    answer: SearchAnswer | None = None
    problem: Problem | None = None


class BatchAnswer(BaseModel):
    """One item for each search, in the order they were asked."""

    release: ReleaseRef
    answers: list[BatchItem]


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
    with live.acquire() as serving:
        release = await workers.run(partial(release_asked_for, batch.as_of, serving))

        async def one(asked: SearchRequest) -> BatchItem:
            own = deadline.sooner(asked.deadline_ms)
            try:
                answer = await workers.run(partial(answer_from, serving, asked, release, principal, telemetry, own))
            except Exception as error:  # noqa: BLE001 - a defect met by one search must not cost the others their answers
                return BatchItem(problem=_problem(error, request_id, telemetry))
            telemetry.searched(answer)
            return BatchItem(answer=query_log.answered(answer, principal))

        answers = await asyncio.gather(*(one(asked) for asked in batch.requests))
    response.headers["Plumbline-Release"] = str(release.revision)
    response.headers["Plumbline-Index"] = release.index
    return BatchAnswer(release=release, answers=answers)


def _problem(error: Exception, request_id: str, telemetry: Telemetry) -> Problem:
    if isinstance(error, PlumblineError):
        slug, status, what, remedy = error.slug, error.status, error.what, error.remedy
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
