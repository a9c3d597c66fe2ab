"""What is kept is given to nobody but who was given it, under nothing but what it was given under, and is the same to the bit."""

from __future__ import annotations

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields, replace

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response
from pydantic import JsonValue as Json

from retrieval_service.answer_cache import AnswerCache, Key, Look
from retrieval_service.app import create_app
from retrieval_service.telemetry import Telemetry
from search_index.errors import HomeDamaged, PlumblineError
from search_index.home import LoadedRelease
from search_index.model.document import document_id
from search_index.model.search import Degraded, Principal, ReleaseRef, SearchAnswer, SearchRequest
from search_index.searcher import Searcher
from tests.retrieval_service.access.conftest import ask, bearer, issue
from tests.retrieval_service.fakes import wait_until, wait_until_served
from tests.retrieval_service.real_index import RealIndex
from tests.search_index.answering.corpus import CORPUS, SECRET
from tests.search_index.engine.points import Passage

BODY: dict[str, Json] = {"query": "golden part", "limit": 5, "highlight": True, "facets": ["source"], "explain": True, "neighbours": 1}
GONE = CORPUS[-1]


class Withheld:
    """An overlay as a test has it."""

    def __init__(self) -> None:
        self.version = 1
        self.ids: frozenset[str] = frozenset()
        self.fails: PlumblineError | None = None

    def withheld_from(self, principal: Principal) -> frozenset[str]:
        if self.fails is not None:
            raise self.fails
        return self.ids


@dataclass
class Cached:
    """A cache over a real release, and how often that was searched."""

    cache: AnswerCache
    loaded: LoadedRelease
    overlay: Withheld
    searches: int = 0
    change: dict[str, object] = field(default_factory=dict)

    def ask(
        self, principal: Principal | None = None, revision: int = 1, index: str = "", by: int = 1, **request: object
    ) -> tuple[str | None, SearchAnswer]:
        who, look = principal or Principal(), Look()
        loaded = replace(self.loaded, record=self.loaded.record.model_copy(update={"revision": by}))
        release = self.loaded.ref.model_copy(update={"revision": revision, "index": index or self.loaded.ref.index})
        asked = SearchRequest.model_validate({**BODY, **request})

        def search() -> SearchAnswer:
            self.searches += 1
            answer = self.loaded.searcher.search(asked, self.loaded.ref, who)
            return answer.model_copy(update={"release": release, **self.change})

        return look.result, self.cache.answer(asked, release, who, loaded, search, look)

    def looked(self, principal: Principal | None = None, **asked: object) -> bool:
        """Whether it had to be searched for."""
        before = self.searches
        self.ask(principal, **asked)  # type: ignore[arg-type]
        return self.searches > before


@pytest.fixture
def overlay() -> Withheld:
    return Withheld()


@pytest.fixture
def cached(real: RealIndex, overlay: Withheld) -> Iterator[Cached]:
    home = real.home
    home.withholding = overlay
    loaded = real.load(home, home.catalog.release(1))
    yield Cached(AnswerCache(1, Telemetry(io.StringIO()), lambda: overlay.version), loaded, overlay)
    loaded.close()
    home.catalog.close()


def same(answer: SearchAnswer | Response) -> Json:
    """An answer but for what is of each asking."""
    body: dict[str, Json] = answer.json() if isinstance(answer, Response) else answer.model_dump(mode="json")
    return {name: value for name, value in body.items() if name not in ("took_ms", "id", "next")}


class TestKey:
    def test_the_very_same_is_given_again_to_the_bit(self, cached: Cached) -> None:
        _, first = cached.ask()
        assert len(first.hits) == 5
        assert first.facets
        _, again = cached.ask()
        assert cached.searches == 1
        assert again.model_copy(update={"took_ms": first.took_ms}) == first
        assert same(again) == same(first)
        assert again.took_ms != first.took_ms

    @pytest.mark.parametrize(
        "other",
        [
            {"principal": Principal(name="another")},
            {"principal": Principal(tenant="another")},
            {"principal": Principal(groups=frozenset({"everyone", "board"}))},
            {"by": 2},
            {"revision": 2},
            {"index": "another"},
            {"query": "golden"},
            {"mode": "sparse"},
            {"limit": 6},
            {"offset": 1},
            {"filters": {"sources": ["wiki"]}},
            {"filters": {"metadata": {"lang": "en"}}},
            {"as_of": 1},
            {"diversity": 0.5},
            {"group_by": "document"},
            {"highlight": False},
            {"explain": False},
            {"neighbours": 0},
            {"facets": []},
        ],
        ids=lambda other: "-".join(map(str, other)),
    )
    def test_whatever_differs_is_asked_for_anew(self, cached: Cached, other: dict[str, object]) -> None:
        cached.ask()
        before = cached.searches
        _, found = cached.ask(**other)  # type: ignore[arg-type]
        assert cached.searches == before + 1
        if found.hits:
            assert not cached.looked(**other)  # type: ignore[arg-type]
        assert not cached.looked()

    @pytest.mark.parametrize("name", [each.name for each in fields(Key)])
    def test_each_part_counts(self, cached: Cached, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """With one part left out of the key, what the test above asks for is mixed up: so each is needed."""
        made = Key.of
        without: dict[str, object] = {"ranked_by": 0, "index": "", "revision": 0, "reader": "", "withheld": frozenset(), "request": ""}

        def of(request: SearchRequest, release: ReleaseRef, principal: Principal, loaded: LoadedRelease) -> Key:
            return replace(made(request, release, principal, loaded), **{name: without[name]})  # type: ignore[arg-type]

        monkeypatch.setattr(Key, "of", of)
        cached.ask()
        if name == "withheld":
            cached.overlay.ids = frozenset({GONE.document})
            assert not cached.looked()
            return
        others: dict[str, dict[str, object]] = {
            "ranked_by": {"by": 2}, "index": {"index": "x"}, "revision": {"revision": 2}, "reader": {"principal": Principal(name="x")},
            "request": {"query": "golden"},
        }  # fmt: skip
        assert not cached.looked(**others[name])  # type: ignore[arg-type]

    def test_the_deadline_alone_is_no_part_of_it(self, cached: Cached) -> None:
        cached.ask()
        assert not cached.looked(deadline_ms=60_000)

    def test_what_is_withheld_is_asked_each_time(self, cached: Cached) -> None:
        _, before = cached.ask(limit=100)
        assert GONE.document in {hit.document_id for hit in before.hits}
        cached.overlay.ids = frozenset({GONE.document})
        _, after = cached.ask(limit=100)
        assert GONE.document not in {hit.document_id for hit in after.hits}
        cached.overlay.fails = HomeDamaged("unreadable")
        with pytest.raises(HomeDamaged):
            cached.ask(limit=100)


class TestKeeping:
    def test_a_changed_overlay_leaves_nothing_behind(self, cached: Cached) -> None:
        cached.ask()
        assert cached.cache.size > 0
        cached.overlay.version = 2
        assert cached.looked()
        cached.overlay.version, cached.overlay.ids = 3, frozenset({GONE.document})
        cached.looked(query="golden")
        cached.overlay.version, cached.overlay.ids = 4, frozenset()
        assert cached.looked(), "an entry of the overlay before last is no answer, though nothing is withheld as then"

    def test_what_changed_while_it_was_answered_is_not_kept(self, cached: Cached, monkeypatch: pytest.MonkeyPatch) -> None:
        search = Searcher.search

        def narrowed_meanwhile(self: Searcher, request: SearchRequest, release: ReleaseRef, principal: Principal) -> SearchAnswer:
            cached.overlay.version += 1
            answer = search(self, request, release, principal)
            cached.overlay.version += 1
            return answer

        monkeypatch.setattr(Searcher, "search", narrowed_meanwhile)
        cached.ask()
        assert cached.cache.size == 0
        assert cached.looked()

    def test_one_that_is_cleared_while_it_answers_keeps_nothing_of_it(self, cached: Cached, monkeypatch: pytest.MonkeyPatch) -> None:
        search = Searcher.search

        def swapped_meanwhile(self: Searcher, request: SearchRequest, release: ReleaseRef, principal: Principal) -> SearchAnswer:
            cached.cache.clear()
            return search(self, request, release, principal)

        monkeypatch.setattr(Searcher, "search", swapped_meanwhile)
        cached.ask()
        assert cached.cache.size == 0

    @pytest.mark.parametrize(
        "change",
        [{"degraded": [Degraded(arm="dense", reason="x")]}, {"mode": "lexical"}, {"hits": []}],
        ids=["degraded", "stood in for", "empty"],
    )
    def test_what_is_not_whole_is_not_kept(self, cached: Cached, change: dict[str, object]) -> None:
        cached.change = change
        cached.ask()
        cached.change = {}
        assert cached.looked()
        assert not cached.looked()

    def test_it_stays_within_its_room_and_forgets_what_was_used_least(self, cached: Cached) -> None:
        for number in range(1, 101):
            cached.ask(limit=number)
            cached.ask(limit=1)
            assert cached.cache.size <= 1_000_000
        assert not cached.looked(limit=1)
        assert not cached.looked(limit=100)
        assert cached.looked(limit=2)

    def test_without_room_nothing_is_kept(self, cached: Cached) -> None:
        cached.cache = AnswerCache(0, Telemetry(io.StringIO()), lambda: 1)
        assert cached.looked()
        assert cached.looked()
        cached.cache = AnswerCache(0.002, Telemetry(io.StringIO()), lambda: 1)
        assert cached.looked()
        assert cached.looked(), "an answer larger than all the room there is"

    def test_many_at_once_get_each_their_own(self, cached: Cached) -> None:
        expected = {number: same(cached.ask(limit=number)[1]) for number in range(1, 40)}
        small = AnswerCache(0.2, Telemetry(io.StringIO()), lambda: cached.overlay.version)
        cached.cache = small

        def one(number: int) -> bool:
            if number % 50 == 0:
                small.clear()
            return same(cached.ask(limit=1 + number % 39)[1]) == expected[1 + number % 39]

        with ThreadPoolExecutor(8) as threads:
            assert all(threads.map(one, range(600)))
        assert small.size <= 200_000


class TestService:
    def test_a_header_and_a_metric_say_it_and_all_else_is_the_same(self, searching: TestClient) -> None:
        answers = [searching.post("/v1/search", json=BODY) for _ in range(3)]
        assert [answer.headers["Plumbline-Cache"] for answer in answers] == ["miss", "hit", "hit"]
        assert same(answers[0]) == same(answers[1]) == same(answers[2])
        ids = {answer.json()["id"] for answer in answers}
        assert len(ids) == 3, "each is an answer of its own, to give feedback on"
        metrics = searching.get("/metrics").text
        assert 'plumbline_cache_total{result="hit"} 2.0' in metrics
        assert 'plumbline_cache_total{result="miss"} 1.0' in metrics

    def test_a_page_goes_on_from_one_that_was_kept(self, searching: TestClient) -> None:
        plain = {"query": "golden part", "limit": 3}
        searching.post("/v1/search", json=plain)
        kept = searching.post("/v1/search", json=plain)
        assert kept.headers["Plumbline-Cache"] == "hit"
        page = searching.post("/v1/search", json={**plain, "cursor": kept.json()["next"]})
        assert "Plumbline-Cache" not in page.headers
        third = searching.post("/v1/search", json={**plain, "offset": 3})
        assert [hit["chunk_id"] for hit in page.json()["hits"]] == [hit["chunk_id"] for hit in third.json()["hits"]]

    def test_a_probe_is_answered_anew_and_is_in_no_log(self, searching: TestClient) -> None:
        searching.post("/v1/search", json=BODY)
        probe = searching.post("/v1/search", json=BODY, headers={"Plumbline-Probe": "true"})
        assert "Plumbline-Cache" not in probe.headers
        assert probe.json()["hits"]
        assert probe.json()["id"] is None

    def test_a_new_release_is_never_answered_for_by_the_old(self, searching: TestClient, real: RealIndex) -> None:
        asked: dict[str, Json] = {"query": "quartz", "mode": "sparse"}
        gone = [searching.post("/v1/search", json=asked) for _ in range(2)]
        assert [answer.json()["hits"] for answer in gone] == [[], []]
        asked["mode"] = "hybrid"
        assert [searching.post("/v1/search", json=asked).headers["Plumbline-Cache"] for _ in range(2)] == ["miss", "hit"]
        real.add(Passage("new.md", "golden part new quartz", "wiki"))
        wait_until_served(searching, 2)
        answer = searching.post("/v1/search", json=asked)
        assert (answer.headers["Plumbline-Cache"], answer.headers["Plumbline-Release"]) == ("miss", "2")
        asked["mode"] = "sparse"
        assert [hit["document_id"] for hit in searching.post("/v1/search", json=asked).json()["hits"]] == [document_id("wiki", "new.md")]

    def test_keys_of_other_groups_and_other_keys_of_the_same_never_share(self, real: RealIndex, log: io.StringIO) -> None:
        board, board_too, staff = issue(real, groups=["board"]), issue(real, groups=["board"]), issue(real)
        with TestClient(create_app(real.settings, telemetry=Telemetry(log), load=real.load)) as client:
            body = {"query": "golden secret"}
            answers = [client.post("/v1/search", json=body, headers=bearer(key.secret)) for key in (board, board_too, staff, board, staff)]
        assert [answer.headers["Plumbline-Cache"] for answer in answers] == ["miss", "miss", "miss", "hit", "hit"]
        told = [SECRET in answer.text for answer in answers]
        assert told == [True, True, False, True, False]

    def test_what_is_narrowed_is_gone_from_what_was_kept(self, searching: TestClient, real: RealIndex) -> None:
        body = {"query": GONE.text, "limit": 100}
        searching.post("/v1/search", json=body)
        assert GONE.document in searching.post("/v1/search", json=body).text
        real.home.catalog.narrow_documents(GONE.source, "default", {GONE.document: frozenset()}, "run 1")
        wait_until(lambda: GONE.document not in searching.post("/v1/search", json=body).text, "the narrowing")

    def test_turned_off_it_says_nothing(self, real: RealIndex, log: io.StringIO) -> None:
        settings = real.settings.model_copy(update={"answer_cache_mb": 0})
        with TestClient(create_app(settings, telemetry=Telemetry(log), load=real.load)) as client:
            answers = [client.post("/v1/search", json=BODY) for _ in range(2)]
        assert all("Plumbline-Cache" not in answer.headers for answer in answers)


def test_an_error_is_not_kept(searching: TestClient) -> None:
    wrong = {"query": "golden", "filters": {"metadata": {"absent": 1}}}
    assert [searching.post("/v1/search", json=wrong).status_code for _ in range(2)] == [422, 422]
    assert ask(searching).status_code == 200
