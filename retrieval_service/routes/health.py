"""Whether the process lives, whether it can answer, and its metrics."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, Field

from retrieval_service.access.authority import Authority, Mode
from retrieval_service.access.refusals import AccessUnknown
from retrieval_service.deps import AuthorityDep, LiveDep, PrincipalDep, TelemetryDep
from retrieval_service.live import LiveRelease
from search_index.model.operating import Freeze, Override

router = APIRouter(tags=["health"])


class Alive(BaseModel):
    """The process answers."""

    status: Literal["alive"] = "alive"


class Trouble(BaseModel):
    """What keeps the release that the catalog points at from being served."""

    subject: str = Field(description="the catalog, or the release", examples=["release 8"])
    problem: str = Field(description="class of problem, as in `urn:plumbline:problem:...`", examples=["release-untrusted"])
    reason: str
    remedy: str
    since: datetime
    attempts: int


class Ready(BaseModel):
    """The service answers searches, from which release, and what is wrong beside that."""

    status: Literal["ready"] = "ready"
    revision: int
    index: str
    loaded_at: datetime
    override: Override | None = Field(None, description="the override of gates that stands")
    frozen: Freeze | None = Field(None, description="who stopped publishing, when and why")
    trouble: Trouble | None = Field(None, description="set when a newer release cannot be served, or the catalog not be read")
    access: Mode | None = Field(
        description="what holds for those who send no credential: `keys` refuses them, `anonymous` lets them search, `development` lets"
        " whoever is at this machine do everything; null while the keys cannot be read"
    )


@router.get("/health/live", summary="Is the process alive?", openapi_extra={"security": []})
async def get_liveness() -> Alive:
    """200 as long as the process answers at all."""
    return Alive()


@router.get("/health/ready", summary="Can it answer searches?", openapi_extra={"security": [{}, {"bearer": []}]})
async def get_readiness(live: LiveDep, principal: PrincipalDep, authority: AuthorityDep) -> Ready:
    """200 with the live revision, or 503 with the reason why nothing can be served.

    Who ordered what and why, and what exactly is wrong, is for those with the scope `governance` or `operate`.
    """
    tells = bool(principal.scopes & {"governance", "operate"})
    live.overlay.check()
    with live.acquire() as serving:
        return Ready(
            revision=serving.loaded.record.revision,
            index=serving.loaded.manifest.index,
            loaded_at=serving.loaded_at,
            override=live.override if tells else None,
            frozen=live.frozen if tells else None,
            trouble=_trouble(live) if tells else _that_there_is_trouble(live),
            access=_mode(authority),
        )


@router.get("/metrics", summary="Metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def get_metrics(telemetry: TelemetryDep) -> Response:
    """Metrics in Prometheus' text format."""
    return Response(generate_latest(telemetry.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


def _mode(authority: Authority) -> Mode | None:
    try:
        return authority.mode()
    except AccessUnknown:
        return None


def _trouble(live: LiveRelease) -> Trouble | None:
    failure = live.failure
    if failure is None:
        return None
    return Trouble(
        subject=failure.subject,
        problem=failure.error.slug,
        reason=failure.error.what,
        remedy=failure.error.remedy,
        since=failure.since,
        attempts=failure.attempts,
    )


def _that_there_is_trouble(live: LiveRelease) -> Trouble | None:
    """Its kind alone: reasons name folders and people."""
    trouble, remedy = _trouble(live), "`plumbline doctor` and the service's log say more."
    return trouble.model_copy(update={"reason": f"It is {trouble.problem}.", "remedy": remedy}) if trouble is not None else None
