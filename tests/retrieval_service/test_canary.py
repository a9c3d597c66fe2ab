"""A release that answers a share of those who ask: who is chosen, and when it is withdrawn."""

from __future__ import annotations

import io

import pytest
from fastapi.testclient import TestClient

from retrieval_service.canary import ENOUGH, CanaryRelease, Tally, chosen, worse
from retrieval_service.telemetry import Telemetry
from search_index.model.search import Principal
from tests.retrieval_service.fakes import FakeIndex, FakeSearcher, Passage, damaged, search_body, wait_until

NEARLY_ALL = 0.999999999
NEARLY_NONE = 1e-9


def tally(answers: int, errors: int = 0, empty: int = 0, ms: float = 10.0) -> Tally:
    made = Tally(answers, errors, empty)
    made.times.extend([ms] * min(answers - errors, 2000))
    return made


@pytest.mark.parametrize(
    ("canary", "live", "why"),
    [
        (tally(0), tally(0), None),
        (tally(1000, 3, 50), tally(9000, 20, 450), None),
        (tally(ENOUGH - 1, empty=ENOUGH - 1), tally(9000), None),
        (tally(20, errors=4), tally(9000), None),
        (tally(20, errors=5), tally(9000, errors=3), "5 of 20 of its answers failed"),
        (tally(20, errors=5), tally(40, errors=10), None),
        (tally(1000, empty=100), tally(9000, empty=450), "100 of 1000 of its answers were empty"),
        (tally(1000, empty=60), tally(9000, empty=450), None),
        (tally(300, ms=80.0), tally(300, ms=40.0), "95th percentile is 80 ms"),
        (tally(300, ms=20.0), tally(300, ms=5.0), None),
        (tally(300, ms=110.0), tally(300, ms=80.0), None),
    ],
    ids=[
        "nothing yet",
        "alike",
        "too few",
        "few errors",
        "errors",
        "both fail",
        "empty",
        "hardly emptier",
        "slow",
        "fast enough",
        "a bit slow",
    ],
)
def test_it_is_withdrawn_for_what_is_worse_beyond_chance(canary: Tally, live: Tally, why: str | None) -> None:
    found = worse(canary, live)
    assert (why in found if found else False) if why else found is None


def test_the_same_ones_are_always_chosen_and_as_many_as_the_share_says() -> None:
    people = [Principal(name=f"key-{i}") for i in range(5000)]
    tenth = [chosen(one, "", 0.1) for one in people]
    assert 400 < sum(tenth) < 600
    assert tenth == [chosen(one, "", 0.1) for one in people]
    half = [chosen(one, "", 0.5) for one in people]
    assert all(more for less, more in zip(tenth, half, strict=True) if less), "a larger share keeps those it had"
    assert not any(chosen(one, "", NEARLY_NONE) for one in people)


def flying(client: TestClient, index: FakeIndex, share: float) -> CanaryRelease:
    """Release 1 is live, and release 2, published and rolled back, is the canary."""
    index.passages.append(Passage("A release pointer of the second kind.", chunk_id="6f0c55ee-5a0c-5b51-8d28-3c4a2f3f6f02", valid_from=2))
    index.publish()
    index.rollback(1)
    wait_until(lambda: client.get("/v1/releases").json()["live"] == 1, "it is not rolled back")
    wait_until(lambda: client.get("/health/ready").json()["revision"] == 1, "release 1 is not served")
    index.home.catalog.begin_canary(2, share, "ana")
    canary: CanaryRelease = client.app.state.canary  # type: ignore[attr-defined]
    wait_until(lambda: canary._open is not None, "the canary is not loaded")
    return canary


@pytest.mark.parametrize(("share", "revision", "hits"), [(NEARLY_ALL, 2, 2), (NEARLY_NONE, 1, 1)], ids=["chosen", "not chosen"])
def test_those_who_are_chosen_are_answered_by_it(client: TestClient, index: FakeIndex, share: float, revision: int, hits: int) -> None:
    flying(client, index, share)
    answer = client.post("/v1/search", json=search_body())
    assert (answer.headers["Plumbline-Release"], len(answer.json()["hits"])) == (str(revision), hits)
    assert client.post("/v1/search", json=search_body(as_of=1)).headers["Plumbline-Release"] == "1"


def test_where_it_fails_the_live_release_answers_and_it_is_withdrawn(client: TestClient, index: FakeIndex, log: io.StringIO) -> None:
    def broken(searcher: FakeSearcher) -> None:
        searcher.error = RuntimeError("text of a document")

    index.prepare = broken
    flying(client, index, NEARLY_ALL)
    index.prepare = lambda searcher: None
    live = client.app.state.live.serving.loaded.searcher  # type: ignore[attr-defined]
    live.error = None
    for _ in range(6):
        answer = client.post("/v1/search", json=search_body())
        assert (answer.status_code, answer.headers["Plumbline-Release"]) == (200, "1")
    wait_until(lambda: index.home.catalog.canary() is None, "it was not withdrawn")
    ended = index.home.catalog.last_canary()
    assert ended is not None
    assert (ended.revision, ended.ended_by) == (2, "the service")
    assert "of its answers failed" in ended.why
    assert "text of a document" not in log.getvalue()


def test_it_is_closed_when_the_last_one_it_answers_is_done(index: FakeIndex) -> None:
    index.publish()
    canary = CanaryRelease(Telemetry(io.StringIO()), index.load)
    home = index.home
    home.catalog.begin_canary(1, NEARLY_ALL, "ana")
    canary.follow(home)
    with canary.for_one(Principal(), "") as loaded:
        assert loaded is not None
        home.catalog.end_canary("ana", "enough")
        canary.follow(home)
        assert not loaded.reader.closed  # type: ignore[attr-defined]
        with canary.for_one(Principal(), "") as another:
            assert another is None
    canary.follow(home)
    assert loaded.reader.closed  # type: ignore[attr-defined]


def test_one_that_cannot_be_loaded_answers_nobody_and_is_tried_again_later(index: FakeIndex) -> None:
    index.publish()
    index.broken[1] = damaged(1)
    seconds = [0.0]
    canary = CanaryRelease(Telemetry(io.StringIO()), index.load, clock=lambda: seconds[0])
    home = index.home
    home.catalog.begin_canary(1, NEARLY_ALL, "ana")
    canary.follow(home)
    index.broken.clear()
    canary.follow(home)
    with canary.for_one(Principal(), "") as loaded:
        assert loaded is None
    seconds[0] = 31.0
    canary.follow(home)
    with canary.for_one(Principal(), "") as loaded:
        assert loaded is not None
    canary.close()
