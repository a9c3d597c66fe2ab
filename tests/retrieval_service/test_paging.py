"""Cursors over HTTP: the very same ranking, whatever is published meanwhile, and only for whom it was made."""

from __future__ import annotations

import base64
import json
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from pydantic import JsonValue as Json

from retrieval_service import cursors
from retrieval_service.cursors import CursorExpired, CursorInvalid, Pinned, cursor_for, pinned_by
from search_index.model.release import now
from search_index.model.search import Principal, SearchRequest
from tests.retrieval_service.fakes import wait_until, wait_until_served
from tests.retrieval_service.real_index import RealIndex
from tests.search_index.answering.corpus import CORPUS, SECRET
from tests.search_index.engine.points import Passage, published

KEY, REQUEST, WHO = b"key", SearchRequest(query="golden", limit=5), Principal()


def page(client: TestClient, **body: Json) -> dict[str, Json]:
    answer = client.post("/v1/search", json={"query": "golden part", "limit": 7, **body})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert isinstance(found, dict)
    return found


def chunks(answer: dict[str, Json]) -> list[str]:
    assert isinstance(answer["hits"], list)
    return [hit["chunk_id"] for hit in answer["hits"]]  # type: ignore[index, call-overload, misc]


def test_pages_go_on_in_the_release_they_began_in(searching: TestClient, real: RealIndex) -> None:
    whole = [*chunks(page(searching, limit=100)), *chunks(page(searching, limit=100, offset=100))]
    answer = page(searching)
    found = chunks(answer)
    revision = real.add(Passage("first.md", "golden part golden part"), retired=[passage.point(1) for passage in CORPUS[:5]])
    wait_until_served(searching, revision)
    assert page(searching, limit=100)["release"]["revision"] == 2  # type: ignore[index, call-overload]
    while "next" in answer:
        answer = page(searching, cursor=answer["next"])
        assert answer["release"]["revision"] == 1  # type: ignore[index, call-overload]
        found += chunks(answer)
    assert found == whole


def test_a_page_by_offset_is_the_page_by_cursor(searching: TestClient) -> None:
    first = page(searching, group_by="document", limit=4)
    by_cursor = page(searching, group_by="document", limit=4, cursor=first["next"])
    by_offset = page(searching, group_by="document", limit=4, offset=first["next_offset"])
    assert by_cursor["hits"] == by_offset["hits"]
    assert by_cursor["groups"] == by_offset["groups"]


def canary_answers(client: TestClient, revision: int) -> bool:
    return bool(client.post("/v1/search", json={"query": "golden"}).json()["release"]["revision"] == revision)


def test_pages_that_the_canary_began_go_on_after_it_is_withdrawn(searching: TestClient, real: RealIndex) -> None:
    whole = chunks(page(searching, limit=100))
    wait_until_served(
        searching, real.add(Passage("first.md", "golden part golden part"), retired=[passage.point(1) for passage in CORPUS[:5]])
    )
    catalog = real.home.catalog
    catalog.begin_canary(1, 0.999999999, "ana")
    wait_until(lambda: canary_answers(searching, 1), "the canary does not answer")
    answer = page(searching, limit=20)
    found = chunks(answer)
    answer = page(searching, limit=20, cursor=answer["next"])
    found += chunks(answer)
    catalog.end_canary("ana", "enough")
    wait_until(lambda: canary_answers(searching, 2), "the canary still answers")
    while "next" in answer:
        answer = page(searching, limit=20, cursor=answer["next"])
        found += chunks(answer)
    assert found == whole


def test_a_field_that_there_is_not_is_no_failure_of_the_canary(searching: TestClient, real: RealIndex) -> None:
    wait_until_served(searching, real.add(Passage("first.md", "golden", metadata={"fresh": "yes"})))
    real.home.catalog.begin_canary(1, 0.999999999, "ana")
    wait_until(lambda: canary_answers(searching, 1), "the canary does not answer")
    for _ in range(10):
        asked = searching.post("/v1/search", json={"query": "golden", "filters": {"metadata": {"absent": 1}}})
        assert asked.status_code == 422
        fresh = searching.post("/v1/search", json={"query": "golden", "filters": {"metadata": {"fresh": "yes"}}})
        assert (fresh.status_code, fresh.json()["release"]["revision"]) == (200, 2)
    canary = searching.app.state.canary  # type: ignore[attr-defined]
    assert canary.canary.errors == canary.live.errors == 0


@pytest.mark.parametrize(
    "change", [{"query": "golden parts"}, {"limit": 8}, {"mode": "dense"}, {"filters": {"sources": ["wiki"]}}, {"group_by": "document"}]
)
def test_a_cursor_of_another_request_is_refused(searching: TestClient, change: dict[str, Json]) -> None:
    body = {"query": "golden part", "limit": 7, "cursor": page(searching)["next"], **change}
    answer = searching.post("/v1/search", json=body)
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:plumbline:problem:cursor-invalid")


@pytest.mark.parametrize("cursor", ["", ".", "x", "é.é", "W10.00", base64.urlsafe_b64encode(b"[1,1,0,99999999999]").decode() + ".00" * 16])
def test_a_cursor_that_nobody_made_is_refused(searching: TestClient, cursor: str) -> None:
    answer = searching.post("/v1/search", json={"query": "golden part", "cursor": cursor})
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:plumbline:problem:cursor-invalid")


def test_a_cursor_of_a_release_that_is_no_longer_held_says_so(searching: TestClient, real: RealIndex) -> None:
    cursor = page(searching)["next"]
    revision = real.publish(index="2e" * 32)
    published(real.engine, 1, revision, [])
    wait_until_served(searching, revision)
    answer = searching.post("/v1/search", json={"query": "golden part", "limit": 7, "cursor": cursor})
    assert (answer.status_code, answer.json()["type"]) == (410, "urn:plumbline:problem:cursor-expired")


def test_a_cursor_holds_no_text(searching: TestClient) -> None:
    encoded = str(page(searching, query=SECRET)["next"]).split(".")[0]
    inside = json.loads(base64.urlsafe_b64decode(encoded + "=="))
    assert all(isinstance(each, int) for each in inside)
    assert len(inside) == 4


def test_only_those_who_may_read_the_same_can_use_it() -> None:
    cursor = cursor_for(Pinned(3, 3, 5), REQUEST, WHO, KEY)
    assert pinned_by(cursor, REQUEST, WHO, KEY) == Pinned(3, 3, 5)
    assert pinned_by(cursor, REQUEST, Principal(name="another"), KEY) == Pinned(3, 3, 5)
    for other in (Principal(groups=frozenset({"everyone", "board"})), Principal(groups=frozenset()), Principal(tenant="other")):
        with pytest.raises(CursorInvalid):
            pinned_by(cursor, REQUEST, other, KEY)
    with pytest.raises(CursorInvalid):
        pinned_by(cursor, REQUEST, WHO, b"another key")


def test_an_older_release_cannot_be_asked_for_with_a_cursor_of_ones_own() -> None:
    cursor = cursor_for(Pinned(3, 3, 5), REQUEST, WHO, KEY)
    encoded, signature = cursor.split(".")
    forged = base64.urlsafe_b64encode(base64.urlsafe_b64decode(encoded + "==").replace(b"[3,3", b"[1,1")).decode().rstrip("=")
    with pytest.raises(CursorInvalid):
        pinned_by(f"{forged}.{signature}", REQUEST, WHO, KEY)


def test_a_cursor_lasts_a_quarter_of_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    made = now()
    monkeypatch.setattr(cursors, "now", lambda: made)
    cursor = cursor_for(Pinned(3, 3, 5), REQUEST, WHO, KEY)
    monkeypatch.setattr(cursors, "now", lambda: made + timedelta(minutes=14))
    assert pinned_by(cursor, REQUEST, WHO, KEY).offset == 5
    monkeypatch.setattr(cursors, "now", lambda: made + timedelta(minutes=16))
    with pytest.raises(CursorExpired):
        pinned_by(cursor, REQUEST, WHO, KEY)
