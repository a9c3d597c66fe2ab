from __future__ import annotations

import io
import json
import sqlite3
from datetime import UTC, datetime
from typing import cast

import pytest
from fastapi.testclient import TestClient

from search_index.errors import ArmsUnavailable
from search_index.model.release import Held, now
from search_index.model.search import Degraded
from search_index.model.state import LaneState
from tests.retrieval_service.fakes import CHUNK, FakeIndex, FakeSearcher, Passage, search_body, wait_until_served


def searcher(index: FakeIndex) -> FakeSearcher:
    return cast(FakeSearcher, index.opened[-1].searcher)


def publish(index: FakeIndex, client: TestClient, held: list[Held] | None = None, other_index: str | None = None) -> int:
    """Publish and wait until it is served."""
    revision = index.publish(held=held, index=other_index or "1d" * 32)
    wait_until_served(client, revision)
    return revision


def test_a_hit_names_its_place_its_release_and_its_origin(client: TestClient) -> None:
    answer = client.post("/v1/search", json=search_body())
    assert answer.status_code == 200
    (hit,) = answer.json()["hits"]
    assert (hit["chunk_id"], hit["uri"], hit["page"]) == (CHUNK, "handbook:guide/rollback.md", 3)
    assert hit["provenance"]["raw_sha256"] == "9b" * 32
    assert answer.json()["release"]["revision"] == 1


def test_the_headers_name_release_index_and_request(client: TestClient) -> None:
    headers = client.post("/v1/search", json=search_body(), headers={"X-Request-Id": "abc-1"}).headers
    assert (headers["Plumbline-Release"], headers["Plumbline-Index"], headers["X-Request-Id"]) == ("1", "1d" * 32, "abc-1")
    assert "Plumbline-Degraded" not in headers


def test_an_arm_left_out_is_said_in_body_header_metric_and_log(client: TestClient, index: FakeIndex, log: io.StringIO) -> None:
    searcher(index).degraded = [Degraded(arm="dense", reason="TimeoutError")]
    answer = client.post("/v1/search", json=search_body())
    assert answer.json()["degraded"] == [{"arm": "dense", "reason": "TimeoutError"}]
    assert answer.headers["Plumbline-Degraded"] == "dense"
    assert 'plumbline_degraded_total{arm="dense"} 1.0' in client.get("/metrics").text
    assert '"reason": "TimeoutError"' in log.getvalue()


def test_the_log_holds_neither_query_nor_text(client: TestClient, log: io.StringIO) -> None:
    client.post("/v1/search", json=search_body("release xylophone"))
    client.post("/v1/search", json={"query": "xylophone " * 1000})
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    (searched,) = [line for line in lines if line["event"] == "search"]
    assert (searched["hits"], searched["release"], searched["mode"]) == (1, 1, "hybrid")
    assert "xylophone" not in log.getvalue()
    assert "pointer" not in log.getvalue()


def test_as_of_a_revision_answers_from_it(client: TestClient, index: FakeIndex) -> None:
    index.passages.append(Passage("A release is new.", path="new.md", chunk_id="6f0c55ee-5a0c-5b51-8d28-3c4a2f3f6f01", valid_from=2))
    publish(index, client)
    now = client.post("/v1/search", json=search_body()).json()
    then = client.post("/v1/search", json=search_body(as_of=1)).json()
    assert (len(now["hits"]), now["release"]["revision"]) == (2, 2)
    assert (len(then["hits"]), then["release"]["revision"]) == (1, 1)


def test_as_of_an_instant_answers_from_what_was_live_then(client: TestClient, index: FakeIndex) -> None:
    between = datetime.now(UTC).isoformat()
    publish(index, client)
    assert client.post("/v1/search", json=search_body(as_of=between)).json()["release"]["revision"] == 1


@pytest.mark.parametrize("as_of", [0, -1, 7, 2**53, 10**30, "2001-01-01T00:00:00Z"])
def test_as_of_what_never_was_is_not_found(client: TestClient, as_of: int | str) -> None:
    answer = client.post("/v1/search", json=search_body(as_of=as_of))
    assert answer.status_code in (404, 422)
    assert answer.json()["type"].startswith("urn:plumbline:problem:")


def test_as_of_a_refused_release_is_not_found(client: TestClient, index: FakeIndex) -> None:
    refused = index.refuse(["it was worse"])
    assert client.post("/v1/search", json=search_body(as_of=refused)).status_code == 404


def test_as_of_another_index_is_not_found(client: TestClient, index: FakeIndex) -> None:
    publish(index, client, other_index="2e" * 32)
    answer = client.post("/v1/search", json=search_body(as_of=1))
    assert answer.status_code == 404
    assert "another index" in answer.json()["detail"]


def test_as_of_a_release_not_loaded_yet_says_to_ask_again(client: TestClient, index: FakeIndex) -> None:
    index.broken[2] = RuntimeError()
    index.publish()
    answer = client.post("/v1/search", json=search_body(as_of=2))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert answer.json()["type"] == "urn:plumbline:problem:release-loading"


def test_as_of_after_rollback_still_reaches_the_head(client: TestClient, index: FakeIndex) -> None:
    publish(index, client)
    index.rollback(1)
    wait_until_served(client, 1)
    assert client.post("/v1/search", json=search_body(as_of=2)).json()["release"]["revision"] == 2


def test_no_hits_from_a_source_with_held_or_quarantined_files_says_so(client: TestClient, index: FakeIndex) -> None:
    publish(index, client, held=[Held(source="tickets", reasons=["51 h old, 24 h allowed"])])
    quarantine(index, "handbook", 3)
    hints = client.post("/v1/search", json=search_body("zzz")).json()["hints"]
    assert [hint["code"] for hint in hints] == ["no_terms_known", "held", "quarantined"]
    assert "tickets" in hints[1]["message"]
    assert "51 h old, 24 h allowed" in hints[1]["message"]
    assert "3 files of source handbook" in hints[2]["message"]


def test_hints_are_about_the_sources_asked_for_only(client: TestClient, index: FakeIndex) -> None:
    publish(index, client, held=[Held(source="tickets", reasons=["old"])])
    quarantine(index, "handbook", 1)
    hints = client.post("/v1/search", json=search_body("zzz", filters={"sources": ["handbook"]})).json()["hints"]
    assert [hint["code"] for hint in hints] == ["no_terms_known", "quarantined"]


def test_an_answer_with_hits_is_not_commented_on(client: TestClient, index: FakeIndex) -> None:
    publish(index, client, held=[Held(source="tickets", reasons=["old"])])
    assert client.post("/v1/search", json=search_body()).json()["hints"] == []


def test_every_arm_failing_is_a_problem_not_an_empty_answer(client: TestClient, index: FakeIndex) -> None:
    searcher(index).error = ArmsUnavailable("No arm of the hybrid search answered: dense (OSError).", "Try again.")
    answer = client.post("/v1/search", json=search_body())
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:plumbline:problem:arms-unavailable")


def quarantine(index: FakeIndex, source: str, files: int) -> None:
    catalog = index.home.catalog
    catalog.record_lane(
        LaneState(source=source, stage="documents", inputs="", data_version="", state={"quarantined": files}, run_id="r", at=now())
    )
    catalog.close()


def test_as_of_a_release_whose_manifest_was_altered_is_not_answered(client: TestClient, index: FakeIndex) -> None:
    publish(index, client)
    with sqlite3.connect(index.settings.root / "catalog.db") as database:
        database.execute("update releases set signature = ? where revision = 1", ("00" * 32,))
    database.close()
    answer = client.post("/v1/search", json=search_body(as_of=1))
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:plumbline:problem:release-untrusted")
