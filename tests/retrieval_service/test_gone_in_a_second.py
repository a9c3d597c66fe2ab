"""The service with its own threads, asked while it is told: once a narrowed or erased document is gone from one path, it is from all."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi.testclient import TestClient

from retrieval_service.app import create_app
from retrieval_service.telemetry import Telemetry
from retrieval_service.withheld import GOOD_FOR_S
from tests.retrieval_service.fakes import wait_until_served
from tests.retrieval_service.real_index import RealIndex
from tests.retrieval_service.test_overlay import PATHS, erase, narrow, traces
from tests.search_index.engine.points import Passage

BUSY = 20.0
"""Seconds that a machine with a lot to do may take for what takes one."""


@pytest.fixture
def served(real: RealIndex) -> Iterator[TestClient]:
    """Two releases, so that an older one can be asked for."""
    with TestClient(create_app(real.settings, telemetry=Telemetry(io.StringIO()), load=real.load)) as client:
        real.add(Passage("later.md", "another golden passage"))
        wait_until_served(client, 2)
        yield client


def shown_by(name: str, client: TestClient) -> list[str]:
    """What one path shows of the document. That the overlay cannot be read in time, on a machine with a lot to do, shows nothing."""
    until = time.monotonic() + BUSY
    while True:
        try:
            return traces(PATHS[name](client))
        except AssertionError as refused:
            if "overlay-unreadable" not in str(refused) or time.monotonic() > until:
                raise


@pytest.mark.slow
@pytest.mark.parametrize("write", [erase, narrow], ids=["erased", "narrowed to nobody"])
def test_what_was_taken_away_is_on_no_path_that_is_asked_a_second_later(
    served: TestClient, real: RealIndex, write: Callable[[RealIndex], None], record_property: Callable[[str, object], None]
) -> None:
    assert [name for name in PATHS if not shown_by(name, served)] == []
    shown: dict[str, float] = {}
    over = threading.Event()

    def asked_again_and_again(name: str) -> None:
        while not over.is_set():
            began = time.monotonic()
            if shown_by(name, served):
                shown[name] = began

    with ThreadPoolExecutor(2) as pool:
        asking = [pool.submit(asked_again_and_again, name) for name in ("search hybrid", "document by id")]
        write(real)
        written = time.monotonic()
        while time.monotonic() < written + BUSY and any(shown_by(name, served) for name in ("search hybrid", "document by id")):
            pass
        gone = time.monotonic() - written
        leaks = {name: found for name in PATHS if (found := shown_by(name, served))}
        over.set()
        for each in asking:
            each.result()
    record_property("gone_after_s", round(gone, 2))
    assert leaks == {}, "gone from one path, and still on others"
    assert gone < BUSY
    # No request that began more than a second after the change showed it: what the service has read is good for no longer than that.
    assert {name for name, began in shown.items() if began > written + GOOD_FOR_S} == set()
