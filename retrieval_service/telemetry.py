"""What can be seen of the service from outside: request ids, metrics and a structured log. Never a query, never a passage."""

from __future__ import annotations

import re
import secrets
import sys
import time
from collections.abc import Callable
from typing import TextIO, cast

import structlog
from fastapi import FastAPI
from opentelemetry import trace
from opentelemetry.trace import Tracer
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from retrieval_service.blame import class_of
from search_index.model.agent import AgentAnswer
from search_index.model.search import SearchAnswer
from search_index.model.usage import UNSURE_BELOW

REQUEST_ID_HEADER = "X-Request-Id"
_USABLE_REQUEST_ID = re.compile(r"[A-Za-z0-9._\-]{1,64}")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})
_LATENCY_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Telemetry:
    """One app's metrics, in a registry of its own, and its log: JSON lines on ``stream``, stderr unless given."""

    def __init__(self, stream: TextIO | None = None, tracer: Tracer | None = None) -> None:
        self.registry = CollectorRegistry()
        self.tracer = tracer or trace.get_tracer("plumbline")
        self.requests = Counter("plumbline_requests", "Requests answered", ["route", "method", "status"], registry=self.registry)
        self.search_seconds = Histogram(
            "plumbline_search_seconds", "Time to answer a search", ["mode"], buckets=_LATENCY_BUCKETS_S, registry=self.registry
        )
        self.agent_seconds = Histogram(
            "plumbline_agent_seconds", "Time to answer an agentic search", buckets=_LATENCY_BUCKETS_S, registry=self.registry
        )
        self.agent_steps = Histogram(
            "plumbline_agent_steps", "Searches that an agentic search made", buckets=(1, 2, 4, 6, 8, 12, 16, 24, 32), registry=self.registry
        )
        self.agent_stopped = Counter(
            "plumbline_agent_stopped", "Agentic searches by why they took no further step", ["reason"], registry=self.registry
        )
        self.stage_seconds = Histogram(
            "plumbline_stage_seconds",
            "Time that an arm takes for one part of its work",
            ["arm", "work"],
            buckets=_LATENCY_BUCKETS_S,
            registry=self.registry,
        )
        self.zero_results = Counter("plumbline_zero_results", "Searches without a hit", ["mode"], registry=self.registry)
        self.degraded = Counter("plumbline_degraded", "Answers that an arm was left out of", ["arm"], registry=self.registry)
        self.cache = Counter("plumbline_cache", "Searches by whether their answer was kept from before", ["result"], registry=self.registry)
        self.waiting = Gauge("plumbline_searches_waiting", "Searches waiting for a worker", registry=self.registry)
        self.live_revision = Gauge("plumbline_live_revision", "Revision that answers, 0 when none does", registry=self.registry)
        self.release_age_seconds = Gauge(
            "plumbline_release_age_seconds", "Seconds since the live release was published", registry=self.registry
        )
        self.source_lag_seconds = Gauge(
            "plumbline_source_lag_seconds", "Seconds since the live release held what the source did", ["source"], registry=self.registry
        )
        self.resting = Gauge(
            "plumbline_arm_resting", "1 while an arm is not asked, for it failed again and again", ["arm"], registry=self.registry
        )
        self.errors = Counter("plumbline_errors", "Requests that failed, by whose failure it is", ["class"], registry=self.registry)
        self.low_confidence = Counter("plumbline_low_confidence", "Answers that are not sure of their first hit", registry=self.registry)
        self.not_answerable = Counter("plumbline_not_answerable", "Answers that nothing indexed seems to hold", registry=self.registry)
        self.swaps = Counter("plumbline_swaps", "Releases loaded and put in place", registry=self.registry)
        self.failed_loads = Counter("plumbline_failed_loads", "Releases that could not be loaded", ["reason"], registry=self.registry)
        self.queries_not_logged = Counter("plumbline_queries_not_logged", "Queries left out of the log", registry=self.registry)
        self.catalog_failures = Counter("plumbline_catalog_failures", "Looks at the catalog that failed", registry=self.registry)
        self.refused_requests = Counter("plumbline_refused_requests", "Requests not let in", ["reason"], registry=self.registry)
        self.key_read_failures = Counter("plumbline_key_read_failures", "Looks at the keys that failed", registry=self.registry)
        self.overlaid = Gauge("plumbline_overlaid_documents", "Documents narrowed or erased beside releases", registry=self.registry)
        self.draining = Gauge("plumbline_draining", "Replaced releases that requests still read", registry=self.registry)
        self.log: structlog.typing.FilteringBoundLogger = structlog.wrap_logger(
            structlog.PrintLogger(stream or sys.stderr),
            processors=[
                structlog.contextvars.merge_contextvars,
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.JSONRenderer(),
            ],
            wrapper_class=structlog.make_filtering_bound_logger("info"),
        )

    def refused(self, reason: str, who: str) -> None:
        """Count and log a request that was not let in; ``who`` is a key's id or the like, never what was sent."""
        self.refused_requests.labels(reason).inc()
        self.log.info("refused", reason=reason, who=who)

    def searched(self, answer: SearchAnswer) -> None:
        """Count one answer."""
        self.search_seconds.labels(answer.mode).observe(answer.took_ms / 1000)
        if not answer.hits:
            self.zero_results.labels(answer.mode).inc()
        for left_out in answer.degraded:
            self.degraded.labels(left_out.arm).inc()
        if answer.confidence is not None and answer.confidence < UNSURE_BELOW:
            self.low_confidence.inc()
        if answer.answerable is False:
            self.not_answerable.inc()
        self.log.info(
            "search",
            mode=answer.mode,
            hits=len(answer.hits),
            took_ms=round(answer.took_ms, 2),
            release=answer.release.revision,
            degraded=[d.model_dump() for d in answer.degraded],
        )

    def explored(self, answer: AgentAnswer, steps: int) -> None:
        """Count one agentic answer, which took so many searches."""
        self.agent_seconds.observe(answer.took_ms / 1000)
        self.agent_steps.observe(steps)
        self.agent_stopped.labels(answer.stopped).inc()
        for left_out in answer.degraded:
            self.degraded.labels(left_out.arm).inc()
        self.log.info(
            "agent",
            mode=answer.mode,
            hits=len(answer.hits),
            aspects=len(answer.aspects),
            steps=steps,
            stopped=answer.stopped,
            took_ms=round(answer.took_ms, 2),
            release=answer.release.revision,
            degraded=[d.model_dump() for d in answer.degraded],
        )


def telemetry_of(app: FastAPI) -> Telemetry:
    """The telemetry an app was made with."""
    return cast(Telemetry, app.state.telemetry)


def request_id_of(scope: Scope) -> str:
    """The id of the request that is being answered."""
    return str(scope.get("state", {}).get("request_id", "-"))


class RequestTelemetry:
    """Gives each request an id, counts and logs it, and turns a defect into an answer that shows nothing of it.

    A request id that comes in is kept when it is 1 to 64 letters, digits, dots, dashes and underscores.
    """

    def __init__(self, app: ASGIApp, telemetry: Telemetry, on_defect: Callable[[BaseException, str], ASGIApp]) -> None:
        self._app = app
        self._telemetry = telemetry
        self._on_defect = on_defect

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        status = 0
        started = time.perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                extra = [(REQUEST_ID_HEADER.lower().encode(), request_id.encode()), (b"x-content-type-options", b"nosniff")]
                message = {**message, "headers": [*message.get("headers", []), *extra]}
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, send_with_id)
            except Exception as defect:
                answer = self._on_defect(defect, request_id)
                if status:  # half an answer is out already; cutting the connection is the only honest end
                    raise
                await answer(scope, receive, send_with_id)
            finally:
                # The pattern of the route, not the path: a path is a label without bound.
                route = str(getattr(scope.get("route"), "path", "unmatched"))
                method = scope["method"] if route != "unmatched" and scope["method"] in _METHODS else "any"  # of which there are few
                self._telemetry.requests.labels(route, method, str(status)).inc()
                if failed := class_of(status or 500, str(scope["state"].get("problem", ""))):
                    self._telemetry.errors.labels(failed).inc()
                took_ms = round((time.perf_counter() - started) * 1000, 2)
                if not route.startswith(("/health", "/metrics")):
                    who = scope["state"].get("who", "-")
                    self._telemetry.log.info("request", method=scope["method"], route=route, status=status, who=who, took_ms=took_ms)


def _request_id(scope: Scope) -> str:
    given = next((v.decode("latin-1") for k, v in scope["headers"] if k == REQUEST_ID_HEADER.lower().encode()), "")
    return given if _USABLE_REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
