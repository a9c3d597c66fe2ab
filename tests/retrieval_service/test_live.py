from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable
from typing import cast

import pytest
from fastapi.testclient import TestClient

from retrieval_service.app import create_app
from retrieval_service.live import LiveRelease
from retrieval_service.problems import Starting
from retrieval_service.telemetry import Telemetry
from search_index.errors import HomeDamaged, NothingPublished, ReleaseUntrusted
from search_index.home import Home, LoadedRelease
from search_index.settings import Settings
from tests.retrieval_service.fakes import FakeIndex, FakeReader, FakeSearcher, damaged, search_body, wait_until_served


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def live_release(index: FakeIndex, clock: Clock | None = None, open_home: Callable[[Settings], Home] = Home) -> LiveRelease:
    return LiveRelease(index.settings, Telemetry(io.StringIO()), open_home=open_home, load=index.load, clock=clock or Clock())


def revision(live: LiveRelease) -> int:
    with live.acquire() as serving:
        return serving.loaded.record.revision


def closed(loaded: LoadedRelease) -> bool:
    return cast(FakeReader, loaded.reader).closed


def test_before_the_first_look_it_is_starting(index: FakeIndex) -> None:
    with pytest.raises(Starting), live_release(index).acquire():
        pass


def test_looking_for_a_home_does_not_make_one(index: FakeIndex) -> None:
    live = live_release(index)
    live.look()
    with pytest.raises(NothingPublished), live.acquire():
        pass
    assert not index.settings.root.exists()


def test_the_first_release_is_picked_up_when_it_comes(index: FakeIndex) -> None:
    live = live_release(index)
    live.look()
    index.publish()
    live.look()
    assert revision(live) == 1
    assert live.failure is None


def test_a_pointer_that_stands_still_loads_nothing(index: FakeIndex) -> None:
    index.publish()
    live = live_release(index)
    for _ in range(3):
        live.look()
    assert len(index.opened) == 1


def test_the_old_release_stays_open_until_its_last_reader_is_done(index: FakeIndex) -> None:
    index.publish()
    live = live_release(index)
    live.look()
    with live.acquire() as one, live.acquire():
        index.publish()
        live.look()
        assert revision(live) == 2
        assert not closed(one.loaded)
    live.look()
    assert closed(index.opened[0])
    assert not closed(index.opened[1])


def test_rollback_serves_the_older_revision(index: FakeIndex) -> None:
    live = live_release(index)
    for _ in range(3):
        index.publish()
    live.look()
    index.rollback(2)
    live.look()
    assert revision(live) == 2


def test_a_release_that_fails_to_load_leaves_the_old_one_serving(index: FakeIndex) -> None:
    index.publish()
    live = live_release(index)
    live.look()
    index.broken[2] = damaged(2)
    index.publish()
    live.look()
    assert revision(live) == 1
    assert not closed(index.opened[0])
    assert live.failure is not None
    assert (live.failure.subject, live.failure.error.slug) == ("release 2", "home-damaged")


def test_an_unsigned_release_is_not_loaded(index: FakeIndex) -> None:
    index.publish(signed=False)
    live = live_release(index)
    live.look()
    assert index.opened == []
    with pytest.raises(ReleaseUntrusted), live.acquire():
        pass


@pytest.mark.parametrize("panic", [ValueError("text of a document"), BaseException("text of a document")])
def test_even_a_panic_of_the_engine_is_survived_and_quotes_nothing(index: FakeIndex, panic: BaseException) -> None:
    index.publish()
    index.broken[1] = panic
    live = live_release(index)
    live.look()
    with pytest.raises(HomeDamaged, match=r"Release 1 cannot be opened") as seen, live.acquire():
        pass
    assert "text of a document" not in str(seen.value)


def test_a_failed_load_is_tried_again_after_1_2_4_seconds(index: FakeIndex) -> None:
    index.publish()
    index.broken[1] = damaged(1)
    clock = Clock()
    live = live_release(index, clock)

    def attempts() -> int:
        live.look()
        return live.failure.attempts if live.failure else 0

    assert attempts() == 1
    clock.now += 0.9
    assert attempts() == 1
    clock.now += 0.2
    assert attempts() == 2
    clock.now += 1.5
    assert attempts() == 2
    clock.now += 0.6
    assert attempts() == 3
    index.broken.clear()
    clock.now += 4.1
    live.look()
    assert revision(live) == 1
    assert live.failure is None


def test_a_moved_pointer_is_tried_at_once(index: FakeIndex) -> None:
    index.publish()
    index.broken[1] = damaged(1)
    live = live_release(index)
    live.look()
    index.publish()
    live.look()
    assert revision(live) == 2


def test_a_catalog_that_cannot_be_read_leaves_the_release_serving(index: FakeIndex) -> None:
    index.publish()
    live = live_release(index)
    live.look()
    database = index.settings.root / "catalog.db"
    with live.acquire() as serving:
        serving.home.catalog.close()
    kept = database.read_bytes()
    for beside in database.parent.glob("catalog.db-*"):
        beside.unlink()
    database.write_bytes(b"no database at all" * 400)
    live.look()
    assert revision(live) == 1
    assert live.failure is not None
    assert live.failure.subject == "catalog"
    with live.acquire() as serving:
        serving.home.catalog.close()
    database.write_bytes(kept)
    live.look()
    assert live.failure is None


def test_a_home_that_cannot_be_opened_is_tried_again(index: FakeIndex) -> None:
    index.publish()
    refused = [True]

    def open_home(settings: Settings) -> Home:
        if refused[0]:
            raise damaged(1)
        return Home(settings)

    live = live_release(index, open_home=open_home)
    live.look()
    with pytest.raises(HomeDamaged), live.acquire():
        pass
    refused[0] = False
    live.look()
    assert revision(live) == 1


def test_stopping_closes_what_is_open(index: FakeIndex) -> None:
    index.publish()
    live = live_release(index)
    live.start(wait_s=10)
    live.stop()
    assert [closed(loaded) for loaded in index.opened] == [True]


def test_no_request_fails_while_releases_are_swapped_under_load(index: FakeIndex) -> None:
    def slow(searcher: FakeSearcher) -> None:
        searcher.during = lambda: time.sleep(0.003)

    index.prepare = slow
    index.publish()
    failed: list[str] = []
    seen: list[list[int]] = [[] for _ in range(4)]
    done = threading.Event()

    with TestClient(create_app(index.settings, telemetry=Telemetry(io.StringIO()), load=index.load)) as client:

        def hammer(mine: list[int]) -> None:
            while not done.is_set():
                answer = client.post("/v1/search", json=search_body())
                if answer.status_code != 200 or not answer.json()["hits"]:
                    failed.append(answer.text)
                    return
                mine.append(int(answer.headers["Plumbline-Release"]))

        threads = [threading.Thread(target=hammer, args=(mine,)) for mine in seen]
        for thread in threads:
            thread.start()
        for _ in range(6):
            wanted = index.publish()
            wait_until_served(client, wanted)
        done.set()
        for thread in threads:
            thread.join()

    assert failed == []
    assert all(mine == sorted(mine) for mine in seen), "an answer came from a release older than one seen before"
    assert {1, 7} < {r for mine in seen for r in mine}
    assert all(closed(loaded) for loaded in index.opened)
