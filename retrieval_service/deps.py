"""Everything a route is given, in one place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, cast

from fastapi import Depends, Request

from retrieval_service.access.authority import Authority
from retrieval_service.access.refusals import Unauthorized
from retrieval_service.admission import SearchWorkers
from retrieval_service.agent.planner_model import PlannerModel
from retrieval_service.canary import CanaryRelease
from retrieval_service.live import LiveRelease
from retrieval_service.query_log import QueryLog
from retrieval_service.shadow import ShadowRelease
from retrieval_service.telemetry import Telemetry, telemetry_of
from search_index.catalog import Catalog
from search_index.model.search import Principal
from search_index.settings import Settings

Count = Callable[[int], object]
"""Counts that many further requests of whoever asks, and raises ``TooManyRequests`` where they are too many."""


# Coroutines, for FastAPI sends a plain function to a thread of its own, five times a request.
async def _settings(request: Request) -> Settings:
    return cast(Settings, request.app.state.settings)


async def _telemetry(request: Request) -> Telemetry:
    return telemetry_of(request.app)


async def _live(request: Request) -> LiveRelease:
    return cast(LiveRelease, request.app.state.live)


async def _shadow(request: Request) -> ShadowRelease:
    return cast(ShadowRelease, request.app.state.shadow)


async def _query_log(request: Request) -> QueryLog:
    return cast(QueryLog, request.app.state.query_log)


async def _canary(request: Request) -> CanaryRelease:
    return cast(CanaryRelease, request.app.state.canary)


async def _client(request: Request) -> str:
    return request.client.host if request.client is not None else ""


async def _workers(request: Request) -> SearchWorkers:
    return cast(SearchWorkers, request.app.state.workers)


async def _principal(request: Request) -> Principal:
    """Whoever the gate let in. Where there is no gate, nobody is."""
    principal = getattr(request.state, "principal", None)
    if not isinstance(principal, Principal):
        raise Unauthorized("missing")
    return principal


async def _count(request: Request) -> Count:
    return cast(Count, request.state.count)


async def _authority(request: Request) -> Authority:
    return cast(Authority, request.app.state.authority)


async def _planner(request: Request) -> PlannerModel | None:
    return cast(PlannerModel | None, request.app.state.planner)


async def _catalog(live: Annotated[LiveRelease, Depends(_live)]) -> Catalog:
    return live.catalog


SettingsDep = Annotated[Settings, Depends(_settings)]
TelemetryDep = Annotated[Telemetry, Depends(_telemetry)]
LiveDep = Annotated[LiveRelease, Depends(_live)]
CanaryDep = Annotated[CanaryRelease, Depends(_canary)]
ClientDep = Annotated[str, Depends(_client)]
QueryLogDep = Annotated[QueryLog, Depends(_query_log)]
ShadowDep = Annotated[ShadowRelease, Depends(_shadow)]
WorkersDep = Annotated[SearchWorkers, Depends(_workers)]
CatalogDep = Annotated[Catalog, Depends(_catalog)]
PrincipalDep = Annotated[Principal, Depends(_principal)]
CountDep = Annotated[Count, Depends(_count)]
PlannerDep = Annotated[PlannerModel | None, Depends(_planner)]
AuthorityDep = Annotated[Authority, Depends(_authority)]
