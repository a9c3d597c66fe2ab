from __future__ import annotations

import io
import json
from typing import cast

import pytest
from fastapi.testclient import TestClient

from retrieval_service.app import create_app
from retrieval_service.problems import Forbidden, Overloaded, ReleaseLoading
from retrieval_service.telemetry import Telemetry
from search_index import errors
from search_index.errors import PlumblineError
from tests.retrieval_service.fakes import FakeIndex, FakeSearcher, search_body

KNOWN = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, PlumblineError)]


def fail_with(index: FakeIndex, error: BaseException) -> None:
    cast(FakeSearcher, index.opened[-1].searcher).error = error


@pytest.mark.parametrize("kind", [*KNOWN, Forbidden, Overloaded, ReleaseLoading])
def test_every_known_error_leaves_as_a_problem(client: TestClient, index: FakeIndex, kind: type[PlumblineError]) -> None:
    fail_with(index, kind("This went wrong.", "Do that."))
    answer = client.post("/v1/search", json=search_body(), headers={"X-Request-Id": "r-1"})
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.status_code == kind.status
    problem = answer.json()
    assert problem.pop("title")
    assert problem == {
        "type": f"urn:plumbline:problem:{kind.slug}",
        "status": kind.status,
        "detail": "This went wrong.",
        "remedy": "Do that.",
        "request_id": "r-1",
    }


def test_a_defect_shows_nothing_of_its_inside_but_is_logged(client: TestClient, index: FakeIndex, log: io.StringIO) -> None:
    fail_with(index, ValueError("secret passage of a document"))
    answer = client.post("/v1/search", json=search_body())
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "secret" not in answer.text
    assert "ValueError" not in answer.text
    (logged,) = [line for line in map(json.loads, log.getvalue().splitlines()) if line["event"] == "defect"]
    assert (logged["error"], logged["request_id"]) == ("ValueError", answer.json()["request_id"])
    assert "fakes.py" in logged["at"]
    assert "secret" not in log.getvalue()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "body.query"),
        ({"query": "   "}, "body.query"),
        ({"query": "x", "limit": 0}, "body.limit"),
        ({"query": "x", "limit": 101}, "body.limit"),
        ({"query": "x", "mode": "psychic"}, "body.mode"),
        ({"query": "x", "filters": {"colour": "red"}}, "body.filters.colour"),
        ({"query": "x", "surprise": 1}, "body.surprise"),
    ],
)
def test_what_does_not_validate_is_named_field_by_field(client: TestClient, body: dict[str, object], field: str) -> None:
    answer = client.post("/v1/search", json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert answer.json()["type"] == "urn:plumbline:problem:invalid-request"
    assert field in [error["field"] for error in answer.json()["errors"]]


def test_a_body_that_is_no_json_is_a_problem_that_does_not_repeat_it(client: TestClient) -> None:
    answer = client.post("/v1/search", content=b'{"query": "confidential', headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert "confidential" not in answer.text


def test_an_unknown_path_is_a_problem(client: TestClient) -> None:
    answer = client.get("/v1/nothing-here")
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:plumbline:problem:no-such-route")
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_wrong_method_says_what_is_taken(client: TestClient) -> None:
    answer = client.get("/v1/search")
    assert (answer.status_code, answer.json()["type"]) == (405, "urn:plumbline:problem:method-not-allowed")
    assert answer.headers["Allow"] == "POST"


def test_nothing_published_says_what_to_do(empty: TestClient) -> None:
    for answer in (empty.post("/v1/search", json=search_body()), empty.get("/health/ready"), empty.get("/v1/releases")):
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:plumbline:problem:nothing-published")
        assert "plumbline ingest" in answer.json()["remedy"]


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "line\tbreak", "é"])
def test_an_unusable_request_id_is_replaced(client: TestClient, given: str) -> None:
    answer = client.get("/health/live", headers=[(b"X-Request-Id", given.encode("latin-1"))])
    assert answer.headers["X-Request-Id"] != given
    assert len(answer.headers["X-Request-Id"]) == 16


def test_openapi_declares_problems_stable_ids_and_examples(index: FakeIndex) -> None:
    schema = create_app(index.settings, telemetry=Telemetry(io.StringIO()), load=index.load).openapi()
    operations = {o["operationId"]: o for path in schema["paths"].values() for o in path.values()}
    assert set(operations) == {
        "search", "search_batch", "agent_search", "get_context", "get_document", "give_feedback", "list_reviews",
        "put_documents", "delete_documents", "get_pushed",
        "list_releases", "get_release", "get_lineage", "get_quality", "get_liveness", "get_readiness", "get_metrics",
    }  # fmt: skip
    for operation in operations.values():
        assert operation["tags"]
        assert operation["responses"]["default"]["content"] == {
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
        }
    assert schema["components"]["schemas"]["SearchRequest"]["examples"]
    references = set(json.dumps(schema).split("#/components/schemas/")[1:])
    assert {reference.split('"')[0] for reference in references} <= set(schema["components"]["schemas"])


def test_what_does_not_validate_is_not_repeated(client: TestClient, log: io.StringIO) -> None:
    answer = client.post("/v1/search", json={"limit": 5, "note": "confidential"})
    assert [error["field"] for error in answer.json()["errors"]] == ["body.query", "body.note"]
    assert "confidential" not in answer.text + log.getvalue()
