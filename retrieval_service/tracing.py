"""Traces: one span a request, one a retrieval, one each time an arm is asked; W3C trace context in, trace ids in the log.

Names are those of OpenTelemetry's conventions for HTTP servers and for generative AI (``retrieval``, ``embeddings``), which are in
development. No query, no passage and no address of a document is in a span.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from opentelemetry import propagate, trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.util.types import AttributeValue
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from retrieval_service.telemetry import Telemetry
from search_index.errors import PlumblineError, WrongUsage
from search_index.model.search import Question, ReleaseRef


class RequestTracing:
    """A span for each request, child of the caller's where it sends ``traceparent``."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry) -> None:
        self._app = app
        self._tracer = telemetry.tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        carrier = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"] if name.startswith(b"trace")}
        attributes: dict[str, AttributeValue] = {"http.request.method": scope["method"], "url.scheme": scope["scheme"]}
        with self._tracer.start_as_current_span(
            scope["method"],
            context=propagate.extract(carrier),
            kind=SpanKind.SERVER,
            attributes=attributes,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:

            async def traced(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.set_attribute("http.response.status_code", message["status"])
                    if message["status"] >= 500:
                        span.set_status(Status(StatusCode.ERROR))
                await send(message)

            ids = span.get_span_context()
            bound = {"trace_id": trace.format_trace_id(ids.trace_id)} if ids.is_valid else {}
            with structlog.contextvars.bound_contextvars(**bound):
                try:
                    await self._app(scope, receive, traced)
                finally:
                    # The pattern of the route, not the path: it may hold the id of a document.
                    route = getattr(scope.get("route"), "path", None)
                    if route is not None:
                        span.update_name(f"{scope['method']} {route}")
                        span.set_attribute("http.route", route)


@contextmanager
def retrieving(telemetry: Telemetry, question: Question, top: int) -> Iterator[Span]:
    """The span of one retrieval; ``told`` adds which release answered."""
    attributes: dict[str, AttributeValue] = {
        "gen_ai.operation.name": "retrieval",
        "gen_ai.request.top_k": top,
        "plumbline.mode": question.mode,
    }
    with telemetry.tracer.start_as_current_span(
        "retrieval", attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as span:
        try:
            yield span
        except Exception as error:
            span.set_attribute("error.type", error.slug if isinstance(error, PlumblineError) else type(error).__name__)
            span.set_status(Status(StatusCode.ERROR))
            raise


def told(span: Span, release: ReleaseRef, hits: int, degraded: int) -> None:
    """Add what came of a retrieval to its span."""
    span.update_name(f"retrieval {release.index[:12]}")
    span.set_attributes(
        {
            "gen_ai.data_source.id": release.index,
            "plumbline.release": release.revision,
            "plumbline.hits": hits,
            "plumbline.degraded": degraded,
        }
    )


def export_traces() -> None:
    """Send spans where OpenTelemetry's own variables say; nothing where they say nothing.

    Raises:
        WrongUsage: they name a place, and the packages that send are not installed.
    """
    if not any(os.environ.get(name) for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")):
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise WrongUsage(
            "OTEL_EXPORTER_OTLP_ENDPOINT names a place for traces, and what sends them is not installed.", "Install `plumbline[otel]`."
        ) from error

    provider = TracerProvider(resource=Resource.create({"service.name": os.environ.get("OTEL_SERVICE_NAME", "plumbline")}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
