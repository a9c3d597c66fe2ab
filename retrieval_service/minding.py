"""Minding the arms of what is live: each call of one is timed, traced, and kept from an arm that rests."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from opentelemetry.trace import Status, StatusCode
from opentelemetry.util.types import AttributeValue

from retrieval_service.breaker import Breakers
from retrieval_service.telemetry import Telemetry
from search_index.arms import Work
from search_index.model.search import Arm

_OPERATION: Final[dict[tuple[Arm, Work], dict[str, AttributeValue]]] = {
    ("dense", "encode"): {"gen_ai.operation.name": "embeddings"},
    ("dense", "find"): {"db.system.name": "qdrant", "db.operation.name": "query"},
    ("dense", "score"): {"db.system.name": "qdrant", "db.operation.name": "query"},
    ("sparse", "encode"): {},
    ("sparse", "find"): {"db.system.name": "qdrant", "db.operation.name": "query"},
    ("sparse", "score"): {},
}


class Minder:
    """An ``ArmGate``: a breaker, a histogram and a span round each call. Spans name arm and work, never a query or a passage."""

    def __init__(self, telemetry: Telemetry, breakers: Breakers) -> None:
        self._telemetry = telemetry
        self._breakers = breakers

    @contextmanager
    def asking(self, arm: Arm, work: Work) -> Iterator[None]:
        """See ``ArmGate``.

        Raises:
            ArmResting: the arm is not asked now.
        """
        self._breakers.admit(arm, work)
        attributes: dict[str, AttributeValue] = {"plumbline.arm": arm, "plumbline.work": work, **_OPERATION[arm, work]}
        began = time.perf_counter()
        # What is raised may quote a query, so only its class is told.
        with self._telemetry.tracer.start_as_current_span(
            f"{arm} {work}", attributes=attributes, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield
            except BaseException as error:  # a panic of the engine is no Exception, and a trial has to be told its end too
                span.set_attribute("error.type", type(error).__name__)
                span.set_status(Status(StatusCode.ERROR))
                self._breakers.failed(arm, work, error)
                raise
            finally:
                self._telemetry.stage_seconds.labels(arm, work).observe(time.perf_counter() - began)
        self._breakers.answered(arm, work)
