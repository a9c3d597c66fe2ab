"""What an answer says beside its passages is of what whoever asks may read: words, places, sources, and figures of releases."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from retrieval_service.app import create_app
from retrieval_service.telemetry import Telemetry
from search_index.model.keys import KeyTerms
from search_index.model.release import Held
from tests.retrieval_service.access.conftest import bearer
from tests.retrieval_service.fakes import wait_until_served
from tests.retrieval_service.real_index import RealIndex
from tests.search_index.answering.corpus import CORPUS
from tests.search_index.engine.points import Passage, published

SECRET = Passage("treaty.md", "a zanzibar clause", "boardroom", access=("board",))
COPY = Passage("copy.md", "a clause that is told elsewhere too", "boardroom", near_duplicates=("treaty.md", "left_out.md"))


class Told:
    """Asks as somebody."""

    def __init__(self, client: TestClient, secret: str) -> None:
        self._client, self._headers = client, bearer(secret)

    def search(self, query: str, **more: object) -> Any:
        return self._client.post("/v1/search", json={"query": query, **more}, headers=self._headers).json()

    def lineage(self, id: str) -> Any:
        return self._client.get(f"/v1/lineage/{id}", headers=self._headers).json()


@pytest.fixture
def index(real: RealIndex) -> RealIndex:
    """Release 2 has what the board alone may read, and holds two sources back."""
    published(real.engine, 1, 2, [SECRET, COPY])
    real.publish(held=[Held(source=source, reasons=["it lost files"], tenant="default") for source in (CORPUS[0].source, "secrets")])
    return real


@pytest.fixture
def client(index: RealIndex) -> Iterator[TestClient]:
    with TestClient(create_app(index.settings, telemetry=Telemetry(io.StringIO()), load=index.load)) as client:
        wait_until_served(client, 2)
        yield client


def told(index: RealIndex, client: TestClient, *scopes: str, groups: tuple[str, ...] = ()) -> Told:
    catalog = index.home.catalog
    secret = catalog.create_key(KeyTerms(name="a key", groups=list(groups), scopes=list(scopes)), "tester").secret
    catalog.close()
    return Told(client, secret)


def codes(answer: Any) -> list[str]:
    return [hint["code"] for hint in answer["hints"]]


def test_a_word_that_only_hidden_passages_have_is_not_known(index: RealIndex, client: TestClient) -> None:
    anybody, board = told(index, client, "search"), told(index, client, "search", groups=("board",))
    assert codes(anybody.search("zanzibar", mode="sparse"))[0] == codes(anybody.search("nowhere", mode="sparse"))[0] == "no_terms_known"
    barred = {"filters": {"sources": [CORPUS[0].source]}, "mode": "sparse"}
    assert "no_terms_known" not in codes(board.search("zanzibar", **barred)), "it is known, and the filters bar it"
    assert "no_terms_known" in codes(anybody.search("zanzibar", **barred))


def test_near_duplicates_that_may_not_be_read_are_no_places(index: RealIndex, client: TestClient) -> None:
    def places(answer: Any) -> list[str]:
        (hit,) = [hit for hit in answer["hits"] if hit["uri"] == COPY.uri]
        return [place["uri"] for place in hit["near_duplicates"]]

    assert places(told(index, client, "search").search(COPY.text)) == ["boardroom:left_out.md"], "one that is not indexed was compared"
    assert places(told(index, client, "search", groups=("board",)).search(COPY.text)) == ["boardroom:treaty.md", "boardroom:left_out.md"]


def test_held_sources_are_named_to_those_who_may_read_of_them(index: RealIndex, client: TestClient) -> None:
    def named(answer: Any) -> set[str]:
        return {hint["message"].split()[1] for hint in answer["hints"] if hint["code"] == "held"}

    assert named(told(index, client, "search").search("nowhere", mode="sparse")) == {CORPUS[0].source}
    assert named(told(index, client, "search", "governance").search("nowhere", mode="sparse")) == {CORPUS[0].source, "secrets"}


def test_what_releases_hold_as_a_whole_is_for_those_who_govern(index: RealIndex, client: TestClient) -> None:
    def releases(found: Any) -> list[Any]:
        return [node for node in found["nodes"] if node["kind"] == "release"]

    found = told(index, client, "search").lineage(COPY.uri)
    assert [(node["revision"], node["counts"], node["held"]) for node in releases(found)] == [(2, None, [])]
    assert not any("nDCG" in str(node.get("summary")) for node in found["nodes"])
    governing = told(index, client, "search", "governance").lineage(COPY.uri)
    assert releases(governing)[0]["counts"]["documents"] > 0
    assert any("nDCG" in str(node.get("summary")) for node in governing["nodes"])
