"""A narrowed or erased document is gone from every path within a second, in every release; what cannot be told is shown to nobody."""

from __future__ import annotations

import ast
import io
import json
import threading
from collections.abc import Callable, Iterator

import pytest
from fastapi.testclient import TestClient
from pydantic import JsonValue as Json
from sqlalchemy import text

from retrieval_service import query_log, withheld
from retrieval_service.app import create_app
from retrieval_service.live import open_overlaid
from retrieval_service.telemetry import Telemetry
from retrieval_service.withheld import FollowedOverlay, OverlayUnreadable
from search_index.errors import HomeDamaged, ReleaseUntrusted
from search_index.fusion import Ranking
from search_index.home import Home, LoadedRelease
from search_index.model.document import document_id
from search_index.model.release import ReleaseRecord
from search_index.model.search import Principal, SearchRequest
from search_index.searcher import Searcher
from search_index.withholding import AsTheCatalogSays
from tests.conftest import ROOT
from tests.retrieval_service.fakes import wait_until, wait_until_served
from tests.retrieval_service.real_index import RealIndex
from tests.search_index.answering.corpus import CORPUS, Encoder
from tests.search_index.engine.points import Passage

GONE = CORPUS[-1]
DOCUMENT, URI = GONE.document, GONE.uri
CHUNKS = frozenset(passage.chunk for passage in CORPUS if passage.uri == URI)
TRACES = (DOCUMENT, URI, GONE.text, *CHUNKS)
Ask = Callable[[TestClient], Json]


def posted(path: str, **body: Json) -> Ask:
    def ask(client: TestClient) -> Json:
        answer = client.post(path, json=body)
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    return ask


def looked_up(path: str) -> Ask:
    def ask(client: TestClient) -> Json:
        answer = client.get(path)
        assert answer.status_code in (200, 404), answer.text
        found: Json = answer.json() if answer.status_code == 200 else None
        return found

    return ask


def called(tool: str, **arguments: Json) -> Ask:
    def ask(client: TestClient) -> Json:
        asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}
        headers = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-06-18"}
        answer = client.post("/mcp", json=asked, headers=headers)
        assert answer.status_code == 200, answer.text
        result = answer.json()["result"]
        found: Json = None if result.get("isError") else result  # an error repeats what was asked for
        return found

    return ask


SEARCH: dict[str, Json] = {"query": GONE.text, "limit": 5}
PATHS: dict[str, Ask] = {
    **{f"search {mode}": posted("/v1/search", **SEARCH, mode=mode) for mode in ("hybrid", "dense", "sparse")},
    "explained, with neighbours": posted("/v1/search", **SEARCH, explain=True, neighbours=3, highlight=True),
    "grouped and diverse": posted("/v1/search", **SEARCH, group_by="document", group_size=5, diversity=0.5),
    "named in a filter": posted("/v1/search", query="golden", filters={"documents": [URI]}),
    "as of its first release": posted("/v1/search", **SEARCH, as_of=1),
    "batch": posted("/v1/search/batch", requests=[SEARCH, {**SEARCH, "mode": "sparse"}]),
    "batch as of": posted("/v1/search/batch", requests=[SEARCH], as_of=1),
    "context": posted("/v1/context", query=GONE.text, budget=500, neighbours=2),
    "context as of": posted("/v1/context", query=GONE.text, budget=500, as_of=1),
    "agent": posted("/v1/agent/search", query=GONE.text),
    "document by address": looked_up(f"/v1/documents/{URI}"),
    "document by id": looked_up(f"/v1/documents/{DOCUMENT}"),
    "document as of": looked_up(f"/v1/documents/{DOCUMENT}?as_of=1"),
    "lineage of the document": looked_up(f"/v1/lineage/{URI}"),
    "lineage of a chunk": looked_up(f"/v1/lineage/{min(CHUNKS)}"),
    "tool search": called("search", query=GONE.text),
    "tool context": called("context", query=GONE.text),
    "tool fetch_document": called("fetch_document", id=URI),
    "tool agent_search": called("agent_search", query=GONE.text),
    "tool lineage": called("lineage", id=URI),
}


def traces(found: Json) -> list[str]:
    """What an answer shows of the document, beside the question itself."""
    shown = json.loads(json.dumps(found))
    if isinstance(shown, dict):
        shown.pop("query", None)
        shown.get("structuredContent", {}).pop("query", None)
    said = json.dumps(shown, ensure_ascii=False).replace(json.dumps(GONE.text), "")
    return [trace for trace in TRACES if trace in said.replace(f'"query": "{GONE.text}"', "")]


def narrow(index: RealIndex, *groups: str) -> None:
    index.home.catalog.narrow_documents(GONE.source, "default", {DOCUMENT: frozenset(groups)}, "run 1")


def erase(index: RealIndex) -> None:
    index.home.catalog.erase_documents({DOCUMENT: GONE.source}, "ada")


def overlaid(client: TestClient, documents: int = 1) -> None:
    """Wait until the service has read an overlay of so many documents. That it takes a second at most, ``TestFollowing`` shows."""
    wait_until(lambda: f"plumbline_overlaid_documents {documents:.1f}" in client.get("/metrics").text, "the overlay is not read")


class TestEveryPath:
    @pytest.mark.parametrize("write", [erase, narrow], ids=["erased", "narrowed to nobody"])
    def test_shows_the_document_before_and_nothing_of_it_after(
        self, searching: TestClient, real: RealIndex, write: Callable[[RealIndex], None]
    ) -> None:
        real.add(Passage("later.md", "another golden passage"))
        wait_until_served(searching, 2)
        blind = [name for name, ask in PATHS.items() if not traces(ask(searching))]
        assert blind == []
        write(real)
        overlaid(searching)
        leaks = {name: shown for name, ask in PATHS.items() if (shown := traces(ask(searching)))}
        assert leaks == {}

    def test_it_is_not_counted_by_facets_and_kinds_of_metadata(self, searching: TestClient, real: RealIndex) -> None:
        def documents(client: TestClient) -> Json:
            facets = posted("/v1/search", query="golden", facets=["source", "metadata.pages"])(client)
            assert isinstance(facets, dict)
            return {name: facet["documents"] for name, facet in facets["facets"].items()}  # type: ignore[index, call-overload, union-attr]

        assert documents(searching) == {"source": 20, "metadata.pages": 20}
        erase(real)
        overlaid(searching)
        assert documents(searching) == {"source": 19, "metadata.pages": 19}

    def test_it_is_not_on_the_later_pages_of_a_cursor(self, searching: TestClient, real: RealIndex) -> None:
        asked: dict[str, Json] = {"query": "golden part", "limit": 10}
        page = posted("/v1/search", **asked)(searching)
        erase(real)
        overlaid(searching)
        seen: list[str] = []
        while isinstance(page, dict) and "next" in page:
            page = posted("/v1/search", **asked, cursor=page["next"])(searching)
            seen += traces(page)
        assert seen == []

    def test_a_canary_and_a_shadow_do_not_show_it_either(self, searching: TestClient, real: RealIndex) -> None:
        real.add(Passage("later.md", "another golden passage"))
        wait_until_served(searching, 2)
        real.home.catalog.begin_canary(1, 0.999_999, "ada")
        real.home.catalog.begin_shadow(1, "ada")

        def answered_by(revision: int) -> bool:
            answer = posted("/v1/search", **SEARCH)(searching)
            return isinstance(answer, dict) and answer["release"]["revision"] == revision  # type: ignore[index, call-overload]

        wait_until(lambda: answered_by(1), "the canary does not answer")
        assert traces(PATHS["search hybrid"](searching))
        erase(real)
        overlaid(searching)
        assert not traces(PATHS["search hybrid"](searching))
        real.home.catalog.end_canary("ada", "enough")
        wait_until(lambda: answered_by(2), "the canary still answers")
        before = len(real.home.catalog.shadow_answers(1))
        wait_until(lambda: answered_by(2) and len(real.home.catalog.shadow_answers(1)) > before, "the shadow is not asked")
        newest = real.home.catalog.shadow_answers(1)[-1]
        assert (newest.failed, newest.shadow_hits) == (None, 5)

    def test_feedback_on_it_and_reviews_of_it_are_closed(self, real: RealIndex, log: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(query_log, "WRITTEN_EVERY_S", 0.05)
        with TestClient(create_app(real.settings, telemetry=Telemetry(log), load=real.load)) as client:
            answer = posted("/v1/search", **SEARCH)(client)
            assert isinstance(answer, dict)
            chunk = next(hit["chunk_id"] for hit in answer["hits"] if hit["document_id"] == DOCUMENT)  # type: ignore[union-attr, index, call-overload]
            said: list[dict[str, Json]] = [
                {"answer": answer["id"], "kind": "not_relevant", "chunk_id": chunk, "note": GONE.text},
                {"answer": answer["id"], "kind": "correction", "uri": URI, "quote": GONE.text},
            ]
            wait_until(lambda: client.post("/v1/feedback", json=said[0]).status_code == 201, "the answer is not logged")
            assert client.post("/v1/feedback", json=said[1]).status_code == 201
            wait_until(lambda: bool(traces(looked_up("/v1/reviews")(client))), "the queue does not show it")
            erase(real)
            overlaid(client)
            assert [client.post("/v1/feedback", json=each).status_code for each in said] == [404, 404]
            reviews = looked_up("/v1/reviews")(client)
            assert traces(reviews) == []
            assert [each["kind"] for each in reviews[0]["feedback"]] == ["not_relevant", "correction"]  # type: ignore[index, call-overload, union-attr]

    def test_passages_that_stand_by_in_memory_do_not_show_it(self, searching: TestClient, real: RealIndex) -> None:
        home = real.home
        loaded = real.load(home, home.catalog.release(1))
        memory = loaded.searcher.in_memory(1, 1000)
        request = SearchRequest(query=GONE.text, mode="lexical", limit=100)
        assert traces(memory.search(request, loaded.ref, Principal()).model_dump(mode="json"))
        erase(real)
        wait_until(lambda: not traces(memory.search(request, loaded.ref, Principal()).model_dump(mode="json")), "memory shows it")
        loaded.close()


class TestWhoStillReads:
    def test_a_group_that_is_left_does_and_others_do_not(self, searching: TestClient, real: RealIndex) -> None:
        narrow(real, "everyone")
        overlaid(searching)
        assert traces(PATHS["search hybrid"](searching))
        narrow(real, "board")
        wait_until(lambda: not traces(PATHS["search hybrid"](searching)), "everyone still reads it")

    def test_the_overlay_lets_nobody_read_what_a_release_does_not(self, searching: TestClient, real: RealIndex) -> None:
        hidden = document_id("boardroom", "hidden.md")
        real.home.catalog.narrow_documents("boardroom", "default", {hidden: frozenset({"everyone"})}, "run 1")
        overlaid(searching)
        assert searching.get(f"/v1/documents/{hidden}").status_code == 404

    def test_near_duplicates_do_not_give_its_address_away(self, searching: TestClient, real: RealIndex) -> None:
        real.add(Passage("copy.md", "a copy of something golden", GONE.source, near_duplicates=(GONE.path,)))
        wait_until_served(searching, 2)
        copy = posted("/v1/search", query="a copy of something golden", limit=1)
        assert URI in json.dumps(copy(searching))
        erase(real)
        overlaid(searching)
        assert URI not in json.dumps(copy(searching))


class TestUnreadable:
    def test_nothing_is_shown_once_the_last_reading_is_a_second_old(self, searching: TestClient, real: RealIndex) -> None:
        with real.home.catalog._transaction() as connection:
            connection.execute(text("alter table overlay_version rename to elsewhere"))
        wait_until(lambda: searching.post("/v1/search", json=SEARCH).status_code == 503, "old answers go on")
        for path, ask in (("/v1/search", SEARCH), ("/v1/context", {"query": "golden"})):
            answer = searching.post(path, json=ask)
            assert (answer.status_code, answer.json()["type"]) == (503, "urn:plumbline:problem:overlay-unreadable")
            assert answer.headers["Retry-After"] == "1"
        for path in (f"/v1/documents/{URI}", f"/v1/lineage/{URI}", "/health/ready"):
            assert searching.get(path).status_code == 503
        batch = searching.post("/v1/search/batch", json={"requests": [SEARCH]}).json()
        assert batch["answers"][0]["problem"]["status"] == 503
        assert searching.get("/health/live").status_code == 200
        with real.home.catalog._transaction() as connection:
            connection.execute(text("alter table elsewhere rename to overlay_version"))
        wait_until(lambda: searching.post("/v1/search", json=SEARCH).status_code == 200, "it does not recover")

    def test_a_release_that_asks_another_overlay_is_not_served(self, real: RealIndex) -> None:
        def careless(home: Home, record: ReleaseRecord) -> LoadedRelease:
            loaded = real.load(home, record)
            return LoadedRelease(record, loaded.manifest, Searcher(loaded.reader, Encoder(), Ranking()), loaded.reader)

        home = real.home
        with pytest.raises(ReleaseUntrusted, match="may not be read"):
            open_overlaid(careless, home, home.catalog.release(1))


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def followed(real: RealIndex, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[FollowedOverlay]:
    monkeypatch.setattr(withheld, "WAIT_S", 0.01)
    overlay = FollowedOverlay(Telemetry(io.StringIO()), clock)
    overlay.follow(real.home)
    yield overlay
    overlay.stop()


class TestFollowing:
    def test_a_reading_holds_for_a_second_and_not_longer(self, followed: FollowedOverlay, clock: Clock) -> None:
        assert withheld.LOOK_EVERY_S < withheld.GOOD_FOR_S <= 1.0
        clock.now += withheld.GOOD_FOR_S
        assert followed.withheld_from(Principal()) == frozenset()
        followed.check()
        clock.now += 0.001
        with pytest.raises(OverlayUnreadable):
            followed.withheld_from(Principal())
        with pytest.raises(OverlayUnreadable):
            followed.check()
        followed.look()
        assert followed.withheld_from(Principal()) == frozenset()

    def test_a_request_that_comes_late_waits_for_the_reading_under_way(
        self, followed: FollowedOverlay, clock: Clock, real: RealIndex, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(withheld, "WAIT_S", 20.0)
        erase(real)
        clock.now += 60
        reading = threading.Timer(0.05, followed.look)
        reading.start()
        assert followed.withheld_from(Principal()) == {DOCUMENT}
        reading.join()

    def test_before_any_home_nothing_is_shown(self) -> None:
        with pytest.raises(OverlayUnreadable):
            FollowedOverlay(Telemetry(io.StringIO())).withheld_from(Principal())

    def test_what_cannot_be_read_is_told_at_once(
        self, followed: FollowedOverlay, clock: Clock, monkeypatch: pytest.MonkeyPatch, real: RealIndex
    ) -> None:
        class Damaged:
            def overlay_version(self) -> int:
                raise HomeDamaged("The catalog is gone.")

        home = real.home
        home.__dict__["catalog"] = Damaged()
        followed.follow(home)
        monkeypatch.setattr(withheld, "WAIT_S", 60.0)
        clock.now += 2
        with pytest.raises(OverlayUnreadable):
            followed.withheld_from(Principal())


def test_a_command_sees_what_the_catalog_says_now(real: RealIndex, clock: Clock) -> None:
    catalog = real.home.catalog
    overlay = AsTheCatalogSays(lambda: catalog, clock)
    assert overlay.withheld_from(Principal()) == frozenset()
    erase(real)
    clock.now += 1
    assert overlay.withheld_from(Principal()) == {DOCUMENT}


def test_no_module_of_the_service_makes_out_for_itself_what_may_be_seen() -> None:
    """``Searcher.sight`` does, and asks the overlay. A ``Visibility`` made elsewhere would know nothing of it."""
    makers = [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "retrieval_service").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and "Visibility" in ast.unparse(node.func)
    ]
    assert makers == []
