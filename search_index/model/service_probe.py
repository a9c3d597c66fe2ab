"""A probe of the running service: golden queries asked of it as anyone asks, and what came back."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from search_index.model.tenant import DEFAULT_TENANT

ProbeProblem = Literal["elsewhere", "not_ready", "behind", "failing", "degraded", "worse"]
"""What can be wrong with a service that answers: it serves another home, or nothing, or an older release than the live one; requests
fail; arms are left out; it ranks worse than its release did when that was evaluated."""


class ServiceProbe(BaseModel):
    """One look at the running service. Figures and classes of errors, never a query's text."""

    model_config = ConfigDict(frozen=True)

    at: datetime
    tenant: str = DEFAULT_TENANT
    reachable: bool = Field(description="whether a search service answered at all")
    why: str = Field("", description="why it was not reachable, or why nothing was asked")
    revision: int | None = Field(None, description="the release that answered most")
    asked: int = 0
    answered: int = 0
    failed: dict[str, int] = Field(default_factory=dict, description="requests that were not answered, by status and class of problem")
    degraded: int = Field(0, description="answers that something was left out of")
    measures: dict[str, float] = Field(default_factory=dict, description="means over the answers of `revision`")
    compared: int = Field(
        0, description="queries of which the release recorded its nDCG@10 when it was evaluated; 0: their mean alone is known"
    )
    recorded: float | None = Field(None, description="nDCG@10 as the release recorded it, of the same queries where `compared` is not 0")
    p50_ms: float | None = None
    p95_ms: float | None = None
    problems: dict[ProbeProblem, str] = Field(default_factory=dict)


class ProbedDay(BaseModel):
    """What probes of one day found of one release. Means are over their answers."""

    day: date
    release: int | None = Field(description="that answered; null where nothing did")
    probes: int
    unreachable: int = Field(description="probes that no service answered")
    asked: int
    failed: int
    degraded: int
    ndcg: float | None
    recorded: float | None = Field(description="nDCG@10 that the release recorded when it was evaluated")
    p95_ms: float | None = Field(description="of the slowest probe")
    problems: dict[ProbeProblem, int] = Field(description="how many probes met each")
