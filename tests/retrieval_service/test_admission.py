"""Who is let in: bursts are taken up, a queue that stands is not, and what was let in is finished."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import cast

import anyio
import anyio.lowlevel
import pytest
from anyio.abc import TaskGroup
from fastapi import FastAPI
from fastapi.testclient import TestClient

from retrieval_service.admission import (
    BURST_S,
    FIRST_GUESS_S,
    SEARCHES,
    STANDING_AFTER_S,
    STANDING_SHARE,
    WAITING_MOST,
    SearchWorkers,
    search_workers,
)
from retrieval_service.problems import Overloaded
from retrieval_service.telemetry import Telemetry


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Held:
    """Searches that take until they are let go."""

    def __init__(self, workers: SearchWorkers, group: TaskGroup) -> None:
        self.workers, self.group = workers, group
        self.answered: list[str] = []
        self.refused: list[str] = []
        self.gates: dict[str, threading.Event] = {}
        self.over: dict[str, anyio.Event] = {}

    def begin(self, name: str, run: Callable[[Callable[[], str]], Awaitable[str]] | None = None) -> None:
        gate, over = threading.Event(), anyio.Event()
        self.gates[name], self.over[name] = gate, over

        def search() -> str:
            gate.wait(30)
            return name

        async def ask() -> None:
            try:
                self.answered.append(await (run or self.workers.run)(search))
            except Overloaded:
                self.refused.append(name)
            over.set()

        self.group.start_soon(ask)

    def let_in(self, number: int) -> str:
        """Names in the order they were begun, which is that of the queue."""
        return list(self.gates)[number]

    async def settled(self) -> None:
        for _ in range(20):
            await anyio.lowlevel.checkpoint()

    async def until_few_wait(self, few: int = 0) -> None:
        with anyio.fail_after(5):
            while len(self.workers._waiting) > few:  # noqa: ASYNC110 - nothing tells
                await anyio.sleep(0.01)
        await self.settled()

    async def end(self, name: str) -> None:
        self.gates[name].set()
        with anyio.fail_after(10):
            await self.over[name].wait()
        await self.settled()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry()


@pytest.fixture
def workers(clock: Clock, telemetry: Telemetry) -> SearchWorkers:
    return SearchWorkers(telemetry, size=2, clock=clock)


@pytest.fixture
async def held(workers: SearchWorkers) -> AsyncIterator[Held]:
    async with anyio.create_task_group() as group:
        held = Held(workers, group)
        yield held
        for gate in held.gates.values():
            gate.set()


@pytest.mark.anyio
async def test_so_many_are_answered_at_once_and_the_next_waits_its_turn(held: Held) -> None:
    for name in "abcd":
        held.begin(name)
    await held.settled()
    await held.end("b")
    await held.end("a")
    assert held.answered == ["b", "a"]
    await held.end("c")
    await held.end("d")
    assert held.answered == ["b", "a", "c", "d"]
    assert held.refused == []


@pytest.mark.anyio
async def test_a_burst_is_taken_up(held: Held, clock: Clock) -> None:
    for number in range(10):
        held.begin(f"{number}")
    await held.settled()
    clock.now += STANDING_AFTER_S + 0.01  # since when no worker was free
    for number in range(10):
        await held.end(f"{number}")
    assert held.refused == []


@pytest.mark.anyio
async def test_callers_that_wait_for_their_answers_are_never_too_much(held: Held, clock: Clock) -> None:
    for number in range(20):
        held.begin(f"{number}")
    for number in range(100):
        await held.settled()
        await held.end(f"{number}")
        clock.now += FIRST_GUESS_S
        held.begin(f"{number + 20}")
    assert held.refused == []


async def overloaded(held: Held, clock: Clock) -> int:
    """Three times as much is asked as is answered until that is too much; how many were asked."""
    asked = 0
    for answered in range(100):
        for _ in range(3):
            held.begin(f"{asked}")
            asked += 1
        await held.settled()
        if held.workers._too_much:
            return asked
        await held.end(held.let_in(answered))
        clock.now += FIRST_GUESS_S
    raise AssertionError("it never was")


@pytest.mark.anyio
async def test_more_than_is_answered_is_refused_once_the_queue_stands(held: Held, clock: Clock) -> None:
    began = clock.now
    await overloaded(held, clock)
    assert STANDING_AFTER_S < clock.now - began < BURST_S
    told = time.monotonic()
    await held.until_few_wait()
    assert held.refused
    assert time.monotonic() - told < BURST_S / 2  # those who waited already are not left to wait a second
    clock.now += 5 * BURST_S  # nothing more is asked
    for name in [name for name in held.gates if name not in held.answered and name not in held.refused]:
        await held.end(name)
    before = len(held.refused)
    for number in range(10):
        held.begin(f"later {number}")
    await held.settled()
    assert len(held.refused) == before


@pytest.mark.anyio
async def test_where_it_is_too_much_a_short_queue_may_stand(held: Held, clock: Clock, workers: SearchWorkers) -> None:
    """What one search takes alone, and as much again: so long may a queue be, in time."""
    await overloaded(held, clock)
    fit = int(STANDING_SHARE * workers._alone_s / workers._every_s)
    await held.until_few_wait()
    before = len(held.refused)
    for number in range(fit + 3):
        held.begin(f"more {number}")
        await anyio.lowlevel.checkpoint()
    assert held.refused[before] == f"more {fit + 1}"


@pytest.mark.anyio
async def test_who_is_turned_away_counts_as_having_asked(held: Held, clock: Clock, workers: SearchWorkers) -> None:
    await overloaded(held, clock)
    await held.until_few_wait()
    for number in range(6):
        held.begin(f"more {number}")
    await held.settled()
    for _ in range(200):
        clock.now += FIRST_GUESS_S / 4
        assert workers.refusal() is not None
    assert workers._too_much


@pytest.mark.anyio
async def test_what_a_search_takes_is_learned_when_it_is_alone(held: Held, workers: SearchWorkers, clock: Clock) -> None:
    before = workers._alone_s
    held.begin("alone")
    await held.settled()
    clock.now += 0.5
    await held.end("alone")
    alone = workers._alone_s
    assert before < alone < 0.5
    held.begin("a")
    held.begin("b")
    await held.settled()
    clock.now += 5.0
    await held.end("a")
    assert workers._alone_s == alone


@pytest.mark.anyio
async def test_parts_of_what_was_let_in_are_never_refused(held: Held, workers: SearchWorkers, clock: Clock) -> None:
    held.begin("a")
    held.begin("b")
    await held.settled()
    clock.now += 60.0
    held.begin("part", workers.run_part)
    await anyio.sleep(2 * STANDING_SHARE * FIRST_GUESS_S)
    assert held.refused == []
    await held.end("a")
    await held.end("part")
    assert held.answered == ["a", "part"]


@pytest.mark.anyio
async def test_however_long_ago_the_queue_was_empty_only_so_many_wait(held: Held, workers: SearchWorkers) -> None:
    workers._every_s = BURST_S / (10 * WAITING_MOST)  # so quick that all would be answered in time
    for number in range(WAITING_MOST + 3):
        held.begin(f"{number}")
    await held.settled()
    assert held.refused == [f"{WAITING_MOST + 2}"]


@pytest.mark.anyio
async def test_a_search_that_fails_gives_its_place_back(workers: SearchWorkers) -> None:
    def fails() -> str:
        raise ValueError("ours")

    for _ in range(5):
        with pytest.raises(ValueError, match="ours"):
            await workers.run(fails)
    assert await workers.run(lambda: "answered") == "answered"


def test_there_are_two_workers_at_least() -> None:
    assert 2 <= search_workers() <= 16


class Full(SearchWorkers):
    """Has no place for anybody."""

    def refusal(self) -> Overloaded | None:
        return Overloaded("More is asked than can be answered: 7 searches wait.", "Ask again in a second.")


@pytest.mark.parametrize("path", sorted(SEARCHES))
def test_searches_that_would_be_too_much_are_told_so_before_they_are_read(client: TestClient, log: io.StringIO, path: str) -> None:
    app = cast(FastAPI, client.app)
    app.state.workers = Full(app.state.telemetry)
    answer = client.post(path, content=b"what nobody reads")
    assert answer.status_code == 503
    assert answer.json()["type"] == "urn:plumbline:problem:overloaded"
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.headers["X-Request-Id"] == answer.json()["request_id"]
    metrics = client.get("/metrics").text
    assert f'plumbline_requests_total{{method="POST",route="{path}",status="503"}} 1.0' in metrics
    assert 'plumbline_errors_total{class="shed"} 1.0' in metrics
    assert json.loads(log.getvalue().splitlines()[-1])["route"] == path


def test_nothing_else_is_turned_away(client: TestClient) -> None:
    app = cast(FastAPI, client.app)
    app.state.workers = Full(app.state.telemetry)
    assert client.get("/health/ready").status_code == 200
    assert client.get("/v1/releases").status_code == 200
    assert client.get("/v1/search").status_code == 405
