"""Who is let in: bursts are taken up, a queue that stands is not, and what was let in is finished."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Awaitable, Callable

import anyio
import anyio.lowlevel
import pytest
from anyio.abc import TaskGroup

from retrieval_service.admission import (
    BURST_S,
    FIRST_GUESS_S,
    STANDING_AFTER_S,
    STANDING_SHARE,
    WAITING_MOST,
    SearchWorkers,
    search_workers,
)
from retrieval_service.problems import Overloaded
from retrieval_service.telemetry import Telemetry

pytestmark = pytest.mark.anyio


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

    async def settled(self) -> None:
        for _ in range(5):
            await anyio.wait_all_tasks_blocked()

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


async def test_a_burst_is_taken_up_and_a_queue_that_stands_is_not(held: Held, clock: Clock) -> None:
    for number in range(10):
        held.begin(f"burst {number}")
    await held.settled()
    assert held.refused == []
    clock.now += STANDING_AFTER_S + 0.01  # since when no worker was free
    held.begin("late")
    await held.settled()
    assert held.refused == ["late"]
    for number in range(10):
        await held.end(f"burst {number}")
    held.begin("again")
    await held.settled()
    await held.end("again")
    assert held.refused == ["late"]


async def test_a_short_queue_may_stand(held: Held, clock: Clock) -> None:
    """What one search takes alone, and as much again: so long may a queue be, in time."""
    held.begin("a")
    held.begin("b")
    await held.settled()
    clock.now += STANDING_AFTER_S + 0.01
    fit = int(STANDING_SHARE * FIRST_GUESS_S / (FIRST_GUESS_S / 2))
    for number in range(fit + 3):
        held.begin(f"{number}")
        await anyio.lowlevel.checkpoint()
    with anyio.fail_after(5):
        for number in range(fit + 3):  # the first of them after they have waited so long
            await held.over[f"{number}"].wait()
    assert held.refused[0] == f"{fit + 1}"


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


async def test_however_long_ago_the_queue_was_empty_only_so_many_wait(held: Held, workers: SearchWorkers) -> None:
    workers._every_s = BURST_S / (10 * WAITING_MOST)  # so quick that all would be answered in time
    for number in range(WAITING_MOST + 3):
        held.begin(f"{number}")
    await held.settled()
    assert held.refused == [f"{WAITING_MOST + 2}"]


async def test_a_search_that_fails_gives_its_place_back(workers: SearchWorkers) -> None:
    def fails() -> str:
        raise ValueError("ours")

    for _ in range(5):
        with pytest.raises(ValueError, match="ours"):
            await workers.run(fails)
    assert await workers.run(lambda: "answered") == "answered"


def test_there_are_two_workers_at_least() -> None:
    assert 2 <= search_workers() <= 16
