"""What an answer says beside its passages is of what whoever asks may read: words, places, sources, and figures of releases."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeAlias

import pytest
from fastapi.testclient import TestClient

from retrieval_service.app import create_app
from retrieval_service.mcp.words import of_problem
from retrieval_service.telemetry import Telemetry
from search_index.engine.embedded_reader import EmbeddedReader
from search_index.errors import FilterInvalid, HomeDamaged
from search_index.model.keys import KeyTerms
from search_index.model.release import Held
from search_index.model.search import Principal
from tests.retrieval_service.access.conftest import bearer
from tests.retrieval_service.fakes import wait_until_served
from tests.retrieval_service.real_index import RealIndex
from tests.search_index.answering.corpus import CORPUS
from tests.search_index.engine.points import Passage, published

SECRET = Passage("treaty.md", "a zanzibar clause", "boardroom", access=("board",))
COPY = Passage("copy.md", "a clause that is told elsewhere too", "boardroom", near_duplicates=("treaty.md", "left_out.md"))


Answer: TypeAlias = dict[str, Any]


class Asking(NamedTuple):
    """Somebody's requests."""

    client: TestClient
    headers: dict[str, str]

    def search(self, query: str, **more: object) -> Answer:
        found: Answer = self.client.post("/v1/search", json={"query": query, **more}, headers=self.headers).json()
        return found

    def lineage(self, id: str) -> Answer:
        found: Answer = self.client.get(f"/v1/lineage/{id}", headers=self.headers).json()
        return found

    def document(self, id: str) -> Answer:
        found: Answer = self.client.get(f"/v1/documents/{id}", headers=self.headers).json()
        return found


Ask: TypeAlias = Callable[[str], Asking]


@pytest.fixture
def index(real: RealIndex) -> RealIndex:
    """Release 2 has what the board alone may read, and holds two sources back."""
    published(real.engine, 1, 2, [SECRET, COPY])
    real.publish(held=[Held(source=source, reasons=["it lost files"], tenant="default") for source in (CORPUS[0].source, "secrets")])
    return real


@pytest.fixture
def ask(index: RealIndex) -> Iterator[Ask]:
    """Asks as a holder of a key of these scopes and groups."""
    terms = {
        who: KeyTerms(name=who, groups=groups, scopes=scopes)
        for who, groups, scopes in (
            ("anybody", [], ["search"]),
            ("board", ["board"], ["search"]),
            ("governing", [], ["search", "governance"]),
        )
    }
    catalog = index.home.catalog
    secrets = {who: catalog.create_key(wanted, "tester").secret for who, wanted in terms.items()}
    catalog.close()
    with TestClient(create_app(index.settings, telemetry=Telemetry(io.StringIO()), load=index.load)) as client:
        wait_until_served(client, 2)
        yield lambda who: Asking(client, bearer(secrets[who]))


def codes(answer: Answer) -> list[str]:
    return [hint["code"] for hint in answer["hints"]]


def test_a_word_that_only_hidden_passages_have_is_not_known(ask: Ask) -> None:
    anybody, board = ask("anybody"), ask("board")
    assert codes(anybody.search("zanzibar", mode="sparse"))[0] == codes(anybody.search("nowhere", mode="sparse"))[0] == "no_terms_known"
    barred = {"filters": {"sources": [CORPUS[0].source]}, "mode": "sparse"}
    assert "no_terms_known" not in codes(board.search("zanzibar", **barred)), "it is known, and the filters bar it"
    assert "no_terms_known" in codes(anybody.search("zanzibar", **barred))


def test_near_duplicates_that_may_not_be_read_are_no_places(ask: Ask) -> None:
    def places(answer: Answer) -> list[str]:
        (hit,) = [hit for hit in answer["hits"] if hit["uri"] == COPY.uri]
        return [place["uri"] for place in hit["near_duplicates"]]

    assert places(ask("anybody").search(COPY.text)) == ["boardroom:left_out.md"], "one that is not indexed was compared"
    assert places(ask("board").search(COPY.text)) == ["boardroom:treaty.md", "boardroom:left_out.md"]


def test_held_sources_are_named_to_those_who_may_read_of_them(ask: Ask) -> None:
    def named(answer: Answer) -> set[str]:
        return {hint["message"].split()[1] for hint in answer["hints"] if hint["code"] == "held"}

    assert named(ask("anybody").search("nowhere", mode="sparse")) == {CORPUS[0].source}
    assert named(ask("governing").search("nowhere", mode="sparse")) == {CORPUS[0].source, "secrets"}


def test_what_releases_hold_as_a_whole_is_for_those_who_govern(ask: Ask) -> None:
    def releases(found: Answer) -> list[Answer]:
        return [node for node in found["nodes"] if node["kind"] == "release"]

    found = ask("anybody").lineage(COPY.uri)
    assert [(node["revision"], node["counts"], node["held"]) for node in releases(found)] == [(2, None, [])]
    assert not any("nDCG" in str(node.get("summary")) for node in found["nodes"])
    governing = ask("governing").lineage(COPY.uri)
    assert releases(governing)[0]["counts"]["documents"] > 0
    assert any("nDCG" in str(node.get("summary")) for node in governing["nodes"])


def test_what_is_wrong_with_the_house_is_for_those_who_run_it(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object, **__: object) -> None:
        raise HomeDamaged("/srv/plumbline/index has 17 points of 40.", "Run `plumbline releases rebuild`.")

    monkeypatch.setattr(EmbeddedReader, "find", gone)
    told = {who: ask(who).document(COPY.document) for who in ("anybody", "governing")}
    assert {answer["type"] for answer in told.values()} == {"urn:plumbline:problem:home-damaged"}
    assert "17 points" in told["governing"]["detail"]
    assert "rebuild" in told["governing"]["remedy"]
    assert told["anybody"]["detail"] == "What answers are made from cannot be used as it is."
    damaged = HomeDamaged("/srv/plumbline/index has 17 points of 40.", "")
    assert "/srv" not in of_problem(damaged, Principal(scopes=frozenset({"search"})))
    assert "/srv" in of_problem(damaged, Principal(scopes=frozenset({"operate"})))
    assert "is no field" in of_problem(FilterInvalid("yaer is no field.", ""), Principal(scopes=frozenset()))
