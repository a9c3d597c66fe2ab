"""Who is let in to search: no more than are answered soon, and the others learn at once that it is too much.

As long as no more is asked than is answered, whoever comes is let in, and waits a second at most: callers that ask again once they are
answered never make it more. Where more comes than is answered, every queue fills, and a longer one would only make everyone wait longer.
Then only so many are let in that they wait no longer than a search takes, and those beyond that, who wait already, are told so as well.
To look at how long a queue stands and to hold back those who wait is the controlled delay of Nichols and Jacobson, "Controlling Queue
Delay" (2012), as Maurer applies it to requests in "Fail at Scale" (2015).
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from typing import Final, NamedTuple, TypeVar

from anyio import CancelScope, CapacityLimiter, current_time, to_thread
from starlette.types import ASGIApp, Receive, Scope, Send

from retrieval_service.problems import Overloaded, problem_response
from retrieval_service.telemetry import Telemetry, request_id_of
from retrieval_service.together import WaitingQueries

T = TypeVar("T")

SEARCHES: Final = frozenset({"/v1/search", "/v1/search/batch", "/v1/context", "/v1/agent/search"})
"""Paths whose requests wait for a worker."""
WAITING_MOST: Final = 256
"""Searches that may wait for a worker, whatever else holds: each holds a request's memory."""
BURST_S: Final = 1.0
"""How long one may wait where no more is asked than is answered."""
STANDING_AFTER_S: Final = 0.5
"""A queue that has not been empty for so long stands."""
OVER: Final = 1.3
"""So many times as much is asked as is answered where it is too much, in a queue that stands."""
OVER_NO_MORE: Final = 1.05
RATE_OVER_S: Final = 0.5
"""What was asked and answered counts for so long, less and less."""
STANDING_SHARE: Final = 1.0
"""How long one may wait where it is too much: so many times what a search takes when it is alone."""
FIRST_GUESS_S: Final = 0.02
"""What a search takes, before any was timed."""
SMOOTHING: Final = 0.05


def search_workers() -> int:
    """Searches answered at once: one a core, two at least. Engine and encoder are native code: more threads add latency, not throughput."""
    return max(2, min(16, len(os.sched_getaffinity(0))))


class Recent:
    """How often something happened of late: each time counts less as it passes."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._count, self._at = 0.0, clock()

    def note(self) -> None:
        """It happened."""
        self._count, self._at = self.count + 1.0, self._clock()

    @property
    def count(self) -> float:
        """Without an end, at so many a second: that, times ``RATE_OVER_S``."""
        return self._count * math.exp((self._at - self._clock()) / RATE_OVER_S)


class SearchWorkers:
    """A bounded pool of threads that searches run in. To be used from one event loop.

    Args:
        size: searches at once.
        clock: seconds, rising.
        waiting: where queries are announced that are about to be encoded.
    """

    def __init__(
        self,
        telemetry: Telemetry,
        size: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        waiting: WaitingQueries | None = None,
    ) -> None:
        self.waiting = waiting or WaitingQueries()
        self._telemetry = telemetry
        self._size = size or search_workers()
        self._turns = CapacityLimiter(self._size)
        self._threads = CapacityLimiter(self._size)
        self._clock = clock
        self._empty_at = clock()
        self._alone_s = FIRST_GUESS_S
        self._every_s = FIRST_GUESS_S / self._size
        self._done_at = 0.0
        self._asked, self._answered = Recent(clock), Recent(clock)
        self._too_much = False
        self._waiting: dict[object, tuple[float, CancelScope]] = {}

    def refusal(self) -> Overloaded | None:
        """What a search is told that would be too much; None where it may come in. Who is refused counts as having asked."""
        waiting = len(self._waiting)
        patience = self._patience()
        if waiting < WAITING_MOST and waiting * self._every_s <= patience:
            return None
        self._asked.note()
        self._look(refused=True)
        return _refused(waiting)

    async def run(self, search: Callable[[], T]) -> T:
        """Run a search on a worker, once it is its turn.

        Errors:
            Overloaded: it would have to wait too long.
        """
        if refused := self.refusal():
            raise refused
        self._asked.note()
        self._look()
        turn, patience = object(), self._patience()
        self._telemetry.waiting.set(len(self._waiting))
        with CancelScope(deadline=current_time() + patience) as waited:
            if not self._turns.available_tokens:
                self._waiting[turn] = current_time(), waited
            try:
                await self._turns.acquire_on_behalf_of(turn)
            finally:
                self._waiting.pop(turn, None)
        if waited.cancelled_caught:
            self._look(refused=True)
            raise _refused(len(self._waiting))
        try:
            return await self._run(turn, search)
        finally:
            self._answered.note()
            self._look()

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

    def _look(self, *, refused: bool = False) -> None:
        """Whether it is too much: at that moment those who wait are told to wait no longer than the next ones."""
        now = self._clock()
        if self._turns.available_tokens:
            self._empty_at = now
        asked, answered, was = self._asked.count, self._answered.count, self._too_much
        few = 2.0 * self._size  # of which nothing can be told
        if was:  # a queue that is kept short is empty now and then, and that says nothing
            self._too_much = asked > OVER_NO_MORE * answered + few
        else:
            stands = now - self._empty_at > STANDING_AFTER_S
            self._too_much = stands and (refused or asked > OVER * answered + few)
        if self._too_much and not was:
            for since, waited in self._waiting.values():
                waited.deadline = min(waited.deadline, since + self._patience())

    def _patience(self) -> float:
        """How long a search that comes in now may wait, in seconds."""
        return min(BURST_S, STANDING_SHARE * self._alone_s) if self._too_much else BURST_S


def _refused(waiting: int) -> Overloaded:
    return Overloaded(f"More is asked than can be answered: {waiting} searches wait.", "Ask again in a second, or run another replica.")


class _At(NamedTuple):
    """Stands for the route of a request that was turned away before it had one."""

    path: str


class TurnAway:
    """Tells searches that would be too much so before anything of them is read: a refusal must cost next to nothing."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"] in SEARCHES:
            workers: SearchWorkers = scope["app"].state.workers
            if refused := workers.refusal():
                scope["state"]["problem"], scope["route"] = refused.slug, _At(scope["path"])
                answer = problem_response(request_id_of(scope), refused.slug, refused.status, refused.what, refused.remedy)
                await answer(scope, receive, send)
                return
        await self._app(scope, receive, send)
