"""Many searches at once: what is asked for, and what each is answered with."""

from __future__ import annotations

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from search_index.model.problem import Problem
from search_index.model.search import ReleaseRef, SearchAnswer, SearchRequest
from search_index.model.sent import Sent

MOST = 32
EXAMPLE: JsonDict = {
    "requests": [{"query": "how long must a plumb bob settle?", "limit": 3}, {"query": "gauge calibration", "mode": "sparse", "limit": 3}]
}


class BatchRequest(Sent):
    """Searches that belong together."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    requests: list[SearchRequest] = Field(min_length=1, max_length=MOST, fail_fast=True)
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
