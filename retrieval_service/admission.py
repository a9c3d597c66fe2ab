"""Who is let in to search: no more than are answered soon, and the others learn at once that it is too much.

A queue that empties now and then takes up bursts, and harms nobody. One that stands only makes everyone wait, for what comes in is
more than is answered however long the queue is. So how long a search may wait depends on how long the queue has been standing: the
controlled delay of Nichols and Jacobson, "Controlling Queue Delay" (2012), as Maurer applies it to requests in "Fail at Scale" (2015).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Final, TypeVar

from anyio import CapacityLimiter, move_on_after, to_thread

from retrieval_service.problems import Overloaded
from retrieval_service.telemetry import Telemetry

T = TypeVar("T")

WAITING_MOST: Final = 256
"""Searches that may wait for a worker, burst or not: each holds a request's memory."""
BURST_S: Final = 1.0
"""How long one may wait where the queue was empty not long ago."""
STANDING_AFTER_S: Final = 0.5
"""A queue that has not been empty for so long stands."""
STANDING_SHARE: Final = 2.0
"""How long one may wait in a queue that stands: so many times what a search takes when it is alone."""
FIRST_GUESS_S: Final = 0.02
"""What a search takes, before any was timed."""
SMOOTHING: Final = 0.05


def search_workers() -> int:
    """Searches answered at once: one a core, two at least. Engine and encoder are native code: more threads add latency, not throughput."""
    return max(2, min(16, len(os.sched_getaffinity(0))))


class SearchWorkers:
    """A bounded pool of threads that searches run in. To be used from one event loop.

    Args:
        size: searches at once.
        clock: seconds, rising.
    """

    def __init__(self, telemetry: Telemetry, size: int | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._telemetry = telemetry
        self._size = size or search_workers()
        self._turns = CapacityLimiter(self._size)
        self._threads = CapacityLimiter(self._size)
        self._clock = clock
        self._empty_at = clock()
        self._alone_s = FIRST_GUESS_S
        self._every_s = FIRST_GUESS_S / self._size
        self._done_at = 0.0

    async def run(self, search: Callable[[], T]) -> T:
        """Run a search on a worker, once it is its turn.

        Errors:
            Overloaded: it would have to wait too long.
        """
        turn = object()
        waiting = self._turns.statistics().tasks_waiting
        self._telemetry.waiting.set(waiting)
        if self._turns.available_tokens:
            self._empty_at = self._clock()
        patience = self._patience()
        if waiting >= WAITING_MOST or waiting * self._every_s > patience:
            raise _too_much(waiting)
        with move_on_after(patience) as waited:
            await self._turns.acquire_on_behalf_of(turn)
        if waited.cancelled_caught:
            raise _too_much(waiting)
        return await self._run(turn, search)

    async def run_part(self, search: Callable[[], T]) -> T:
        """Run a further search of a request that was let in: it waits for its turn however long that takes.

        To be called one after the other, so that a request of many searches takes no more than one place in the queue.
        """
        turn = object()
        await self._turns.acquire_on_behalf_of(turn)
        return await self._run(turn, search)

    async def _run(self, turn: object, search: Callable[[], T]) -> T:
        began, alone = self._clock(), self._turns.borrowed_tokens == 1
        try:
            return await to_thread.run_sync(search, limiter=self._threads)
        finally:
            now = self._clock()
            if alone and self._turns.borrowed_tokens == 1:
                self._alone_s += SMOOTHING * (now - began - self._alone_s)
            if self._turns.statistics().tasks_waiting:
                self._every_s += SMOOTHING * (now - max(self._done_at, began) - self._every_s)
            self._done_at = now
            self._turns.release_on_behalf_of(turn)

    def _patience(self) -> float:
        """How long a search that comes in now may wait, in seconds."""
        stands = self._clock() - self._empty_at > STANDING_AFTER_S
        return min(BURST_S, STANDING_SHARE * self._alone_s) if stands else BURST_S


def _too_much(waiting: int) -> Overloaded:
    return Overloaded(f"More is asked than can be answered: {waiting} searches wait.", "Ask again in a second, or run another replica.")
