"""Queries are logged beside the answers, and what people say of answers is taken from those who were given them."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from pydantic import JsonValue as Json

from retrieval_service import query_log
from retrieval_service.app import create_app
from retrieval_service.telemetry import Telemetry
from search_index.errors import HomeDamaged
from search_index.model.release import now
from search_index.model.usage import LoggedQuery
from tests.retrieval_service.fakes import CHUNK, FakeIndex, Passage, search_body, wait_until

Start = Callable[..., TestClient]
HIDDEN = Passage(
    "The pointer of the board is secret.", path="board.md", chunk_id="5f0c55ee-5a0c-5b51-8d28-3c4a2f3f6f02", groups=frozenset({"board"})
)


@pytest.fixture
def started(index: FakeIndex, log: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> Start:
    monkeypatch.setattr(query_log, "WRITTEN_EVERY_S", 0.05)

    def start(kept: str = "figures") -> TestClient:
        index.settings = index.settings.model_copy(update={"query_log": kept})
        index.passages = [*index.passages, HIDDEN]
        index.publish()
        return TestClient(create_app(index.settings, telemetry=Telemetry(log), load=index.load), client=("127.0.0.1", 50000))

    return start


def ask(client: TestClient, query: str = "release pointer") -> dict[str, Json]:
    answer = client.post("/v1/search", json=search_body(query))
    assert answer.status_code == 200, answer.text
    found: dict[str, Json] = answer.json()
    return found


def said(client: TestClient, **body: Json) -> tuple[int, str]:
    answer = client.post("/v1/feedback", json=body)
    return answer.status_code, str(answer.json().get("type", "")).rpartition(":")[2]


def logged(index: FakeIndex) -> list[LoggedQuery]:
    return index.home.catalog.queries_between(now() - timedelta(hours=1), now() + timedelta(hours=1))


class TestTheLog:
    def test_figures_are_kept_and_no_words(self, started: Start, index: FakeIndex) -> None:
        with started() as client:
            answer = ask(client)
            wait_until(lambda: bool(logged(index)), "the query was not written down")
        (query,) = logged(index)
        assert (query.id, query.release, query.hits, query.chunks) == (answer["id"], 1, 1, [CHUNK])
        assert (query.text, query.terms, query.best_cosine, query.source) == (None, 2, 0.61, "handbook")
        assert query.principal not in ("anonymous", "")

    def test_words_are_kept_where_that_is_asked_for(self, started: Start, index: FakeIndex) -> None:
        with started("text") as client:
            ask(client, "which release?")
        assert [query.text for query in logged(index)] == ["which release?"], "what waits is written when the service stops"

    def test_nothing_is_kept_where_it_is_off(self, started: Start, index: FakeIndex) -> None:
        with started("off") as client:
            assert ask(client)["id"] is None
            assert said(client, answer="0" * 24, kind="click", chunk_id=CHUNK) == (400, "wrong-usage")
        assert logged(index) == []

    def test_each_search_of_a_batch_is_a_query(self, started: Start, index: FakeIndex) -> None:
        with started() as client:
            body = client.post("/v1/search/batch", json={"requests": [search_body(), search_body("revision")]}).json()
        assert {query.id for query in logged(index)} == {item["answer"]["id"] for item in body["answers"]}

    def test_an_answer_never_waits_for_a_catalog_that_cannot_be_written(
        self, started: Start, index: FakeIndex, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(query_log, "WAITING_MOST", 3)
        with started() as client:
            real = type(index.home.catalog).add_queries

            def broken(*_: object) -> None:
                raise HomeDamaged("The catalog cannot be written.", "Make room.")

            monkeypatch.setattr(type(index.home.catalog), "add_queries", broken)
            answers = [ask(client) for _ in range(5)]
            wait_until(lambda: "queries not logged yet" in log.getvalue(), "nothing was said of it")
            assert "plumbline_queries_not_logged_total 2.0" in client.get("/metrics").text
            monkeypatch.setattr(type(index.home.catalog), "add_queries", real)
            wait_until(lambda: len(logged(index)) == 3, "what waited was not written")
        assert {query.id for query in logged(index)} == {answer["id"] for answer in answers[:3]}

    def test_what_is_old_is_forgotten(self, started: Start, index: FakeIndex) -> None:
        client = started()
        catalog = index.home.catalog
        with client:
            ask(client)
        (query,) = logged(index)
        catalog.add_queries([query.model_copy(update={"id": "old", "at": now() - timedelta(days=31)})])
        with TestClient(create_app(index.settings, load=index.load)):
            wait_until(lambda: not catalog.queries_between(now() - timedelta(days=99), now() - timedelta(days=30)), "it is still there")


class TestFeedback:
    def test_it_is_taken_at_once_and_shown_in_quality(self, started: Start, index: FakeIndex, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(query_log, "WRITTEN_EVERY_S", 3600.0)  # the query still waits to be written
        with started() as client:
            answer = ask(client)
            assert said(client, answer=answer["id"], kind="relevant", chunk_id=CHUNK) == (201, "")
        (one,) = index.home.catalog.feedback_on(str(answer["id"]))
        assert (one.kind, one.chunk_id, one.release) == ("relevant", CHUNK, 1)
        with TestClient(create_app(index.settings, load=index.load), client=("127.0.0.1", 50000)) as client:
            quality = client.get("/v1/quality").json()
        (used,) = quality["online"]
        assert (used["release"], used["queries"], used["relevant"], used["by_source"]) == (1, 1, 1, {"handbook": 1})
        assert quality["changes"]["1"]["chunks"] == 3840

    def test_only_of_an_answer_that_was_given_and_a_passage_that_could_be_seen(self, started: Start) -> None:
        with started() as client:
            answer = ask(client)["id"]
            assert said(client, answer="0" * 24, kind="click", chunk_id=CHUNK) == (404, "not-found")
            assert said(client, answer=answer, kind="click", chunk_id="0" * 32) == (404, "not-found")
            assert said(client, answer=answer, kind="click", chunk_id=HIDDEN.chunk_id) == (404, "not-found")
            rollback = "handbook:guide/rollback.md"
            assert said(client, answer=answer, kind="correction", uri="handbook:board.md", quote="is secret") == (404, "not-found")
            assert said(client, answer=answer, kind="correction", uri=rollback, quote="never said") == (
                400,
                "wrong-usage",
            )
            assert said(client, answer=answer, kind="correction", uri=rollback, quote="moving  THE pointer") == (
                201,
                "",
            )

    def test_somebody_elses_answer_is_as_good_as_none(self, started: Start, index: FakeIndex) -> None:
        with started() as client:
            answer = ask(client)["id"]
            wait_until(lambda: bool(logged(index)), "the query was not written down")
            (mine,) = logged(index)
            index.home.catalog.add_queries([mine.model_copy(update={"id": "f" * 24, "principal": "somebody else"})])
            assert said(client, answer="f" * 24, kind="click", chunk_id=CHUNK) == (404, "not-found")
            assert said(client, answer=answer, kind="click", chunk_id=CHUNK) == (201, "")

    @pytest.mark.parametrize(
        "body",
        [
            {"kind": "relevant"},
            {"kind": "correction", "uri": "handbook:a.md"},
            {"kind": "hated", "chunk_id": CHUNK},
            {"kind": "click", "chunk_id": CHUNK, "answer": "no id"},
            {"kind": "click", "chunk_id": CHUNK, "more": 1},
            {"kind": "click", "chunk_id": CHUNK, "note": "a\0b"},
            {"kind": "click", "chunk_id": "a\0b"},
        ],
    )
    def test_what_makes_no_sense_is_refused(self, started: Start, body: dict[str, Json]) -> None:
        with started() as client:
            assert said(client, **{"answer": "0" * 24, **body}) == (422, "invalid-request")

    def test_a_disliked_answer_waits_to_be_looked_at(self, started: Start) -> None:
        with started() as client:
            answer = ask(client)["id"]
            assert said(client, answer=answer, kind="not_relevant", chunk_id=CHUNK, query="which release?")[0] == 201
            wait_until(lambda: bool(client.get("/v1/reviews").json()), "it does not wait")
            (item,) = client.get("/v1/reviews").json()
        assert (item["id"], item["reasons"], item["text"]) == (answer, ["disliked"], "which release?")
        assert [(each["kind"], each["chunk_id"]) for each in item["feedback"]] == [("not_relevant", CHUNK)]
