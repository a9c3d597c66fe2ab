"""Batches, context, documents and what else a search can be asked for, over HTTP."""

from __future__ import annotations

import io
import json
from typing import TypeAlias

import pytest
from fastapi.testclient import TestClient
from pydantic import BaseModel
from pydantic import JsonValue as Json

from search_index.model.agent import AgentAnswer
from search_index.model.batch import BatchAnswer
from search_index.model.context import ContextAnswer
from search_index.model.search import SearchAnswer
from search_index.model.whole_document import DocumentAnswer
from search_index.searcher import Searcher
from tests.retrieval_service.fakes import wait_until_served
from tests.retrieval_service.real_index import RealIndex
from tests.search_index.answering.corpus import CORPUS, HIDDEN, SECRET
from tests.search_index.engine.points import Passage

Body: TypeAlias = dict[str, Json]


def test_a_batch_answers_each_as_a_search_by_itself_would(searching: TestClient) -> None:
    asked: list[Body] = [
        {"query": "golden part", "limit": 3},
        {"query": "manual", "mode": "sparse"},
        {"query": "part 1", "group_by": "document"},
    ]
    batch = searching.post("/v1/search/batch", json={"requests": asked})
    assert batch.status_code == 200
    assert batch.headers["Plumbline-Release"] == "1"
    for body, item in zip(asked, batch.json()["answers"], strict=True):
        alone = searching.post("/v1/search", json=body).json()
        assert item["problem"] is None
        assert item["answer"]["hits"] == alone["hits"]
        assert item["answer"]["release"] == alone["release"] == batch.json()["release"]


def test_one_that_fails_in_a_batch_fails_by_itself(searching: TestClient) -> None:
    asked: list[Body] = [
        {"query": "golden"},
        {"query": "golden", "filters": {"metadata": {"absent": 1}}},
        {"query": "golden", "facets": ["x"]},
    ]
    answers = searching.post("/v1/search/batch", json={"requests": asked}).json()["answers"]
    assert answers[0]["answer"]["hits"]
    assert [item["problem"]["type"] for item in answers[1:]] == ["urn:plumbline:problem:filter-invalid"] * 2
    assert [item["problem"]["status"] for item in answers[1:]] == [422, 422]


def test_a_defect_in_a_batch_shows_nothing_of_its_inside(searching: TestClient, log: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Searcher, *given: object, **named: object) -> None:
        raise ValueError("secret passage of a document")

    monkeypatch.setattr(Searcher, "search", broken)
    (item,) = searching.post("/v1/search/batch", json={"requests": [{"query": "golden"}]}).json()["answers"]
    assert (item["answer"], item["problem"]["status"]) == (None, 500)
    assert "secret" not in json.dumps(item) + log.getvalue()


@pytest.mark.parametrize(
    "body",
    [
        {"requests": []},
        {"requests": [{"query": "x"}] * 33},
        {"requests": [{"query": "x", "as_of": 1}]},
        {"requests": [{"query": "x", "cursor": "abc"}]},
        {"requests": [{"query": ""}]},
    ],
)
def test_a_batch_that_makes_no_sense_is_refused_as_a_whole(searching: TestClient, body: Body) -> None:
    assert searching.post("/v1/search/batch", json=body).status_code == 422


def test_a_batch_of_an_older_release_is_all_of_it(searching: TestClient, real: RealIndex) -> None:
    wait_until_served(searching, real.add(Passage("new.md", "golden newcomer")))
    batch = searching.post("/v1/search/batch", json={"as_of": 1, "requests": [{"query": "newcomer"}, {"query": "golden part"}]}).json()
    assert batch["release"]["revision"] == 1
    assert "newcomer" not in json.dumps([item["answer"]["hits"] for item in batch["answers"]])


def test_context_comes_within_its_budget_with_citations(searching: TestClient, log: io.StringIO) -> None:
    answer = searching.post("/v1/context", json={"query": "golden part 1", "budget": 60})
    assert answer.headers["Plumbline-Release"] == "1"
    found = answer.json()
    assert 0 < found["tokens"] == len(found["text"].split()) <= 60
    assert found["text"].startswith(f"[1] {found['passages'][0]['title']} ({found['passages'][0]['uri']}")
    (line,) = [line for line in map(json.loads, log.getvalue().splitlines()) if line["event"] == "context"]
    assert (line["passages"], line["tokens"]) == (len(found["passages"]), found["tokens"])
    assert "golden" not in log.getvalue()


def test_a_document_is_read_in_order_page_by_page(searching: TestClient) -> None:
    parts = [passage for passage in CORPUS if passage.path == "19.md"]
    whole = searching.get("/v1/documents/wiki:19.md").json()
    assert [passage["text"] for passage in whole["passages"]] == [passage.text for passage in parts]
    assert (whole["uri"], whole["total"], whole["next_offset"], whole["metadata"]["pages"]) == ("wiki:19.md", 4, None, 19)
    first = searching.get("/v1/documents/wiki:19.md", params={"limit": 3}).json()
    second = searching.get("/v1/documents/wiki:19.md", params={"limit": 3, "offset": first["next_offset"]}).json()
    assert first["passages"] + second["passages"] == whole["passages"]
    assert second["next_offset"] is None
    assert searching.get(f"/v1/documents/{parts[0].document}").json() == whole


@pytest.mark.parametrize("id", ["boardroom:hidden.md", HIDDEN[0].document, "wiki:absent.md", "x", "wiki:", ":", "a" * 3000])
def test_a_hidden_document_is_as_absent_as_one_that_is_not_there(searching: TestClient, id: str) -> None:
    answer = searching.get(f"/v1/documents/{id}")
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:plumbline:problem:not-found")


def test_a_document_as_it_stood(searching: TestClient, real: RealIndex) -> None:
    wait_until_served(searching, real.add(Passage("new.md", "golden newcomer")))
    assert searching.get("/v1/documents/manual:new.md").json()["total"] == 1
    assert searching.get("/v1/documents/manual:new.md", params={"as_of": 1}).status_code == 404


EVERY_WAY: list[tuple[str, Body]] = [
    (
        "/v1/search",
        {"limit": 100, "neighbours": 5, "highlight": True, "explain": True, "facets": ["source", "metadata.lang", "modified_at.year"]},
    ),
    ("/v1/search", {"limit": 100, "group_by": "document", "group_size": 10}),
    ("/v1/search", {"limit": 50, "diversity": 0.8, "filters": {"metadata": {"pages": {"none": [1]}}}}),
    ("/v1/search/batch", {"limit": 100, "neighbours": 5, "facets": ["source"]}),
    ("/v1/context", {"budget": 9000, "passages": 100, "neighbours": 5}),
]


@pytest.mark.parametrize(("path", "more"), EVERY_WAY)
def test_a_hidden_passage_is_in_no_answer_of_any_kind(searching: TestClient, path: str, more: Body) -> None:
    for query in (SECRET, HIDDEN[1].text, "guilty fr boardroom"):
        body: Body = {"query": query, **more}
        answer = searching.post(path, json={"requests": [body]} if path.endswith("batch") else body)
        assert answer.status_code == 200, answer.text
        said = answer.text.replace(query, "")
        for hidden in ("secret", "boardroom", "guilty", "board", *(id for each in HIDDEN for id in (each.chunk, each.point(1)))):
            assert hidden not in said


def test_the_header_and_the_field_both_set_a_deadline(searching: TestClient) -> None:
    assert searching.post("/v1/search", json={"query": "golden", "deadline_ms": 60_000}).json()["degraded"] == []
    assert searching.post("/v1/search", json={"query": "golden"}, headers={"Plumbline-Deadline-Ms": "60000"}).status_code == 200
    for wrong in ("0", "60001", "soon"):
        assert searching.post("/v1/search", json={"query": "golden"}, headers={"Plumbline-Deadline-Ms": wrong}).status_code == 422
    assert searching.post("/v1/search", json={"query": "golden", "deadline_ms": 0}).status_code == 422


@pytest.mark.parametrize("path", ["/v1/search", "/v1/context"])
def test_a_deadline_that_is_over_before_anything_began_is_a_timeout(
    searching: TestClient, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from search_index.deadline import Deadline

    monkeypatch.setattr(Deadline, "passed", property(lambda self: self.at < float("inf")))
    answer = searching.post(path, json={"query": "golden", "deadline_ms": 5})
    assert (answer.status_code, answer.json()["type"]) == (504, "urn:plumbline:problem:deadline-exceeded")
    assert searching.post(path, json={"query": "golden"}).status_code == 200


def test_every_example_in_the_openapi_document_runs(searching: TestClient) -> None:
    schema = searching.get("/openapi.json").json()
    ran = 0
    for path in ("/v1/search", "/v1/search/batch", "/v1/context", "/v1/agent/search"):
        reference = schema["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        for example in schema["components"]["schemas"][reference.rsplit("/", 1)[1]]["examples"]:
            answer = searching.post(path, json=example)
            assert answer.status_code == 200, (path, example, answer.text)
            ran += 1
    assert ran >= 8
    operations = [operation for path in schema["paths"].values() for operation in path.values()]
    ids = [operation["operationId"] for operation in operations]
    assert len(ids) == len(set(ids))
    assert {"search", "search_batch", "get_context", "agent_search", "get_document"} <= set(ids)


@pytest.mark.parametrize(
    ("method", "path", "model"),
    [
        ("post", "/v1/search", SearchAnswer),
        ("post", "/v1/search/batch", BatchAnswer),
        ("post", "/v1/context", ContextAnswer),
        ("post", "/v1/agent/search", AgentAnswer),
        ("get", "/v1/documents/{id}", DocumentAnswer),
    ],
)
def test_every_answer_in_the_openapi_document_is_one(searching: TestClient, method: str, path: str, model: type[BaseModel]) -> None:
    operation = searching.get("/openapi.json").json()["paths"][path][method]
    example = operation["responses"]["200"]["content"]["application/json"]["example"]
    again = model.model_validate(example).model_dump(mode="json")
    assert again == model.model_validate(again).model_dump(mode="json")
    assert set(example) <= set(again)
