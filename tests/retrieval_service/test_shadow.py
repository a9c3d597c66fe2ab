"""A release asked beside the live one: what is kept of it, and that nobody waits for it or minds when it fails."""

from __future__ import annotations

import io

from fastapi.testclient import TestClient

from plumbline.cli.shadow import quantile, summary
from retrieval_service.shadow import ShadowRelease, overlap
from retrieval_service.telemetry import Telemetry
from search_index.model.operating import ShadowAnswer
from search_index.model.search import Principal, SearchRequest
from tests.retrieval_service.fakes import FakeIndex, FakeSearcher, Passage, damaged, search_body, wait_until


def compared(index: FakeIndex, shadow: int = 1) -> list[ShadowAnswer]:
    catalog = index.home.catalog
    try:
        return catalog.shadow_answers(shadow)
    finally:
        catalog.close()


def shadowed(client: TestClient, index: FakeIndex, revision: int) -> None:
    index.home.catalog.begin_shadow(revision, "ana")
    shadow: ShadowRelease = client.app.state.shadow  # type: ignore[attr-defined]
    wait_until(lambda: shadow.revision == revision, "the shadow is not loaded")


def test_live_queries_are_answered_by_both_and_figures_are_kept(client: TestClient, index: FakeIndex) -> None:
    index.passages.append(Passage("A release pointer of the second kind.", chunk_id="6f0c55ee-5a0c-5b51-8d28-3c4a2f3f6f02", valid_from=2))
    index.publish()
    wait_until(lambda: client.get("/health/ready").json()["revision"] == 2, "release 2 is not served")
    shadowed(client, index, 1)
    assert len(client.post("/v1/search", json=search_body()).json()["hits"]) == 2
    assert client.post("/v1/search", json=search_body("nothing known")).json()["hits"] == []
    wait_until(lambda: len(compared(index)) == 2, "nothing was written down")
    both, empty = compared(index)
    assert (both.live, both.shadow, both.mode, both.overlap, both.live_hits, both.shadow_hits, both.failed) == (
        2,
        1,
        "hybrid",
        0.5,
        2,
        1,
        None,
    )
    assert (empty.overlap, empty.live_hits, empty.shadow_hits) == (1.0, 0, 0)
    assert "pointer" not in repr(both.model_dump())


def test_an_older_release_asked_for_by_name_is_not_compared(client: TestClient, index: FakeIndex) -> None:
    shadowed(client, index, 1)
    client.post("/v1/search", json=search_body(as_of=1))
    client.post("/v1/search", json=search_body())
    wait_until(lambda: len(compared(index)) == 1, "nothing was written down")


def test_a_shadow_that_fails_is_counted_and_nobody_notices(client: TestClient, index: FakeIndex) -> None:
    def broken(searcher: FakeSearcher) -> None:
        searcher.error = RuntimeError("text of a document")

    index.prepare = broken
    shadowed(client, index, 1)
    assert client.post("/v1/search", json=search_body()).status_code == 200
    wait_until(lambda: len(compared(index)) == 1, "nothing was written down")
    (one,) = compared(index)
    assert (one.failed, one.overlap) == ("RuntimeError", None)
    assert summary([one])["hybrid"]["failed"] == 1


def test_a_shadow_that_cannot_be_loaded_leaves_the_live_release_alone(client: TestClient, index: FakeIndex, log: io.StringIO) -> None:
    index.broken[1] = damaged(1)
    index.home.catalog.begin_shadow(1, "ana")
    wait_until(lambda: "shadow not loaded" in log.getvalue(), "it was not tried")
    assert client.post("/v1/search", json=search_body()).status_code == 200
    assert client.get("/health/ready").json()["trouble"] is None


def test_a_shadow_is_let_go_when_it_is_ended(client: TestClient, index: FakeIndex) -> None:
    shadowed(client, index, 1)
    opened = index.opened[-1]
    index.home.catalog.end_shadow()
    wait_until(lambda: client.app.state.shadow.revision is None, "it is still asked")  # type: ignore[attr-defined]
    assert opened.reader.closed  # type: ignore[attr-defined]


def test_a_query_that_comes_while_another_is_compared_is_left_out(index: FakeIndex) -> None:
    index.publish()
    shadow = ShadowRelease(Telemetry(io.StringIO()), index.load)
    home = index.home
    home.catalog.begin_shadow(1, "ana")
    shadow.follow(home)
    loaded = index.opened[-1]
    request = SearchRequest(query="release pointer")
    answer = loaded.searcher.search(request, loaded.ref, Principal())
    loaded.searcher.during = lambda: shadow.compare(request, Principal(), answer)  # type: ignore[attr-defined]
    shadow.compare(request, Principal(), answer)
    shadow.follow(home)
    assert len(home.catalog.shadow_answers(1)) == 1
    shadow.close()


def test_overlap_is_of_the_ten_best() -> None:
    ids = [str(i) for i in range(20)]
    assert overlap(ids, ids[:10]) == overlap([], []) == 1.0
    assert overlap(ids, ids[5:]) == 0.5
    assert overlap(ids, []) == 0.0
    assert overlap(ids[:10], ids[9::-1]) == 1.0


def test_the_report_has_latency_and_empty_answers_by_mode() -> None:
    def one(mode: str, live_ms: float, shadow_hits: int) -> ShadowAnswer:
        return ShadowAnswer(
            at="2026-03-01T09:30:00Z", live=2, shadow=1, mode=mode, overlap=0.4 if shadow_hits else 0.0, live_ms=live_ms,  # type: ignore[arg-type]
            shadow_ms=2 * live_ms, live_hits=5, shadow_hits=shadow_hits,
        )  # fmt: skip

    found = summary([*(one("dense", float(i), 5) for i in range(1, 101)), one("sparse", 3.0, 0)])
    assert found["dense"]["queries"] == 100
    assert (found["dense"]["live_p50_ms"], found["dense"]["shadow_p95_ms"]) == (51.0, 192.0)
    assert (found["dense"]["overlap@10"], found["dense"]["below_half"]) == (0.4, 1.0)
    assert (found["sparse"]["shadow_empty"], found["sparse"]["live_empty"]) == (1, 0)
    assert quantile([1.0], 0.95) == 1.0
