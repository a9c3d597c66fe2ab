"""What a tool is given: who asks, and the same parts that a route is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import ParamSpec, TypeVar

from fastapi import BackgroundTasks

from retrieval_service.admission import SearchWorkers
from retrieval_service.agent.planner_model import PlannerModel
from retrieval_service.canary import CanaryRelease
from retrieval_service.deps import Count
from retrieval_service.live import LiveRelease
from retrieval_service.query_log import QueryLog
from retrieval_service.shadow import ShadowRelease
from retrieval_service.telemetry import Telemetry
from search_index.model.search import Principal

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Given:
    """One call's principal and the parts of the service.

    ``client`` is the caller's address, empty where there is none; ``background`` holds what is to be done once the answer is out;
    ``count`` counts what is worth several requests.
    """

    principal: Principal
    client: str
    request_id: str
    live: LiveRelease
    shadow: ShadowRelease
    canary: CanaryRelease
    workers: SearchWorkers
    telemetry: Telemetry
    query_log: QueryLog
    background: BackgroundTasks
    count: Count
    planner: PlannerModel | None

    async def in_worker(self, route: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
        """Call a route that is no coroutine on one of the bounded workers.

        Errors:
            Overloaded: too many wait already.
        """
        return await self.workers.run(partial(route, *args, **options))
