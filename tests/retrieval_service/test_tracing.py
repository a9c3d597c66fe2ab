"""Spans of a request, of its retrieval and of the arms; where a caller's trace goes on; and that nothing of a query is in them."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from retrieval_service.app import create_app
from retrieval_service.telemetry import Telemetry
from retrieval_service.tracing import export_traces
from search_index.errors import ArmsUnavailable, WrongUsage
from tests.project import Project
from tests.retrieval_service.fakes import FakeIndex, FakeSearcher, search_body, wait_until

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
SECRET = "otter"


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def telemetry(spans: InMemorySpanExporter, log: io.StringIO) -> Telemetry:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    return Telemetry(log, provider.get_tracer("plumbline"))


@pytest.fixture
def searchers(index: FakeIndex) -> list[FakeSearcher]:
    opened: list[FakeSearcher] = []
    index.prepare = opened.append
    return opened


@pytest.fixture
def client(index: FakeIndex, telemetry: Telemetry, searchers: list[FakeSearcher]) -> Iterator[TestClient]:
    index.publish()
    with TestClient(create_app(index.settings, telemetry=telemetry, load=index.load), client=("127.0.0.1", 50000)) as client:
        yield client


def named(spans: InMemorySpanExporter, name: str) -> ReadableSpan:
    (found,) = [span for span in spans.get_finished_spans() if span.name.startswith(name)]
    return found


def test_a_retrieval_is_part_of_its_request_and_that_of_the_callers_trace(
    client: TestClient, spans: InMemorySpanExporter, log: io.StringIO
) -> None:
    assert client.post("/v1/search", json=search_body(), headers={"traceparent": PARENT}).status_code == 200
    request, retrieval = named(spans, "POST /v1/search"), named(spans, "retrieval")
    assert request.parent is not None
    assert (f"{request.parent.trace_id:032x}", f"{request.parent.span_id:016x}") == tuple(PARENT.split("-")[1:3])
    assert retrieval.parent is not None
    assert retrieval.parent.span_id == request.context.span_id
    assert request.attributes is not None
    assert (request.attributes["http.route"], request.attributes["http.response.status_code"]) == ("/v1/search", 200)
    assert retrieval.attributes is not None
    told = {name: retrieval.attributes[name] for name in ("gen_ai.operation.name", "gen_ai.request.top_k", "plumbline.release")}
    assert told == {"gen_ai.operation.name": "retrieval", "gen_ai.request.top_k": 10, "plumbline.release": 1}
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert {line.get("trace_id") for line in lines if line["event"] in ("search", "request")} == {PARENT.split("-")[1]}


def test_a_failure_is_told_by_its_class_and_not_in_its_words(
    client: TestClient, spans: InMemorySpanExporter, searchers: list[FakeSearcher]
) -> None:
    searchers[0].error = ArmsUnavailable(f"no arm answered {SECRET}", "b")
    assert client.post("/v1/search", json=search_body(SECRET)).status_code == 503
    retrieval = named(spans, "retrieval")
    assert retrieval.status.status_code is StatusCode.ERROR
    assert dict(retrieval.attributes or {})["error.type"] == "arms-unavailable"
    assert SECRET not in "".join(span.to_json() for span in spans.get_finished_spans())


@pytest.mark.slow
def test_each_call_of_an_arm_is_a_span_and_a_measurement(published: Project, telemetry: Telemetry, spans: InMemorySpanExporter) -> None:
    with TestClient(create_app(published.settings, telemetry=telemetry), client=("127.0.0.1", 50000)) as client:
        wait_until(lambda: client.get("/health/ready").status_code == 200, "it is not ready")
        spans.clear()
        assert client.post("/v1/search", json=search_body(SECRET)).json()["hits"]
        retrieval = named(spans, "retrieval")
        below = [span for span in spans.get_finished_spans() if span.parent and span.parent.span_id == retrieval.context.span_id]
        assert {span.name for span in below} >= {"dense encode", "dense find", "sparse encode", "sparse find"}
        encoded = next(span for span in below if span.name == "dense encode")
        assert dict(encoded.attributes or {})["gen_ai.operation.name"] == "embeddings"
        assert SECRET not in "".join(span.to_json() for span in spans.get_finished_spans())
        assert 'plumbline_stage_seconds_count{arm="dense",work="encode"} 1.0' in client.get("/metrics").text


def test_a_place_for_traces_without_what_sends_them_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    export_traces()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(WrongUsage, match="OTEL_EXPORTER_OTLP_ENDPOINT"):
        export_traces()
