"""A share of those who ask is answered by another release, which is withdrawn by itself when it does worse."""

from __future__ import annotations

import contextlib
import hashlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from retrieval_service.live import open_overlaid
from retrieval_service.problems import describe
from retrieval_service.telemetry import Telemetry
from search_index.home import Home, LoadedRelease
from search_index.model.operating import BY_SERVICE, Canary
from search_index.model.release import ReleaseRecord
from search_index.model.search import Principal, SearchAnswer

ENOUGH = 200
"""So many answers of each before a difference in rates or times counts."""
ERRORS_ENOUGH = 5
"""Failures weigh more: so many, at a rate that the live release is far from, withdraw it at once."""
SIGNIFICANT_Z = 2.33
"""One-sided, 1 in 100."""
LEAST_MORE_EMPTY = 0.02
SLOWER = 1.5
LEAST_SLOWER_MS = 20.0
_TIMES_KEPT = 2000
_RETRY_S = 30.0


@dataclass
class Tally:
    """What one release did since the canary began. ``times`` are the last ones, in milliseconds."""

    answers: int = 0
    errors: int = 0
    empty: int = 0
    times: deque[float] = field(default_factory=lambda: deque(maxlen=_TIMES_KEPT))

    def add(self, answer: SearchAnswer | None) -> None:
        """Count one answer; None for one that failed."""
        self.answers += 1
        if answer is None:
            self.errors += 1
            return
        self.empty += not answer.hits
        self.times.append(answer.took_ms)


def worse(canary: Tally, live: Tally) -> str | None:
    """Why the canary is to be withdrawn, None while there is no reason.

    Rates are compared by the two-proportion z-test with pooled variance; times by their 95th percentile.
    """
    if canary.errors >= ERRORS_ENOUGH and _z(canary.errors, canary.answers, live.errors, live.answers) >= SIGNIFICANT_Z:
        return f"{canary.errors} of {canary.answers} of its answers failed, {live.errors} of {live.answers} of the live release's"
    if min(canary.answers, live.answers) < ENOUGH:
        return None
    more_empty = canary.empty / canary.answers - live.empty / live.answers
    if more_empty >= LEAST_MORE_EMPTY and _z(canary.empty, canary.answers, live.empty, live.answers) >= SIGNIFICANT_Z:
        return f"{canary.empty} of {canary.answers} of its answers were empty, {live.empty} of {live.answers} of the live release's"
    slow, usual = _p95(canary.times), _p95(live.times)
    if slow > SLOWER * usual and slow - usual > LEAST_SLOWER_MS:
        return f"its 95th percentile is {slow:.0f} ms, the live release's {usual:.0f} ms"
    return None


def _z(a: int, of_a: int, b: int, of_b: int) -> float:
    """How many standard errors the first rate is above the second; where the second was never seen, half a failure in one stands for it."""
    b_rate, of_b = (b / of_b, of_b) if of_b else (0.5, 1)
    pooled = (a + b) / (of_a + of_b)
    error = (pooled * (1 - pooled) * (1 / of_a + 1 / of_b)) ** 0.5
    return (a / of_a - b_rate) / error if error else 0.0


def _p95(times: deque[float]) -> float:
    ordered = sorted(times)
    return ordered[int(0.95 * (len(ordered) - 1))] if ordered else 0.0


def chosen(principal: Principal, client: str, share: float) -> bool:
    """Whether somebody is in the share. The same one always is, or is not, whichever process answers."""
    drawn = hashlib.sha256(f"{principal.tenant}\n{principal.name}\n{client}".encode()).digest()
    return int.from_bytes(drawn[:6]) / 2**48 < share


@dataclass(eq=False)
class _Open:
    loaded: LoadedRelease
    users: int = 0


class CanaryRelease:
    """Follows the catalog's canary: loads it, hands it to those who are chosen, and withdraws it when ``worse`` says so."""

    def __init__(
        self, telemetry: Telemetry, load: Callable[[Home, ReleaseRecord], LoadedRelease], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._telemetry = telemetry
        self._load = load
        self._clock = clock
        self._lock = threading.Lock()
        self._order: Canary | None = None
        self._open: _Open | None = None
        self._draining: list[_Open] = []
        self._retry_at = 0.0
        self.canary, self.live = Tally(), Tally()

    @contextlib.contextmanager
    def for_one(self, principal: Principal, client: str) -> Iterator[LoadedRelease | None]:
        """The canary, which stays open until the block is left; None for whom the live release is to answer."""
        with self._lock:
            order, opened = self._order, self._open
            if order is None or opened is None or not chosen(principal, client, order.share):
                opened = None
            else:
                opened.users += 1
        try:
            yield opened.loaded if opened is not None else None
        finally:
            if opened is not None:
                with self._lock:
                    opened.users -= 1

    def note(self, answer: SearchAnswer | None, *, by_canary: bool) -> None:
        """Count an answer of either release, None for one that failed. Nothing is counted while there is no canary."""
        with self._lock:
            if self._open is not None:
                (self.canary if by_canary else self.live).add(answer)

    def follow(self, home: Home) -> None:
        """Load what the catalog names, let go of what it no longer does, and withdraw what does worse."""
        order = home.catalog.canary()
        if order != self._order or (order is not None and self._open is None and self._clock() >= self._retry_at):
            self._swap(home, order)
        with self._lock:
            why = worse(self.canary, self.live) if self._open is not None else None
        if why is not None and order is not None:
            home.catalog.end_canary(BY_SERVICE, why)
            self._telemetry.log.warning("canary withdrawn", release=order.revision, why=why)
            self._swap(home, None)
        self._close_drained()

    def close(self) -> None:
        """Let go of what is open; to be called when no request is under way."""
        with self._lock:
            opened, self._open = self._open, None
            if opened is not None:
                self._draining.append(opened)
        self._close_drained()

    def _swap(self, home: Home, order: Canary | None) -> None:
        loaded = None
        if order is not None:
            try:
                loaded = open_overlaid(self._load, home, home.catalog.release(order.revision))
            except BaseException as e:  # noqa: BLE001 - the engine's panics are no Exception, and the live release must not mind
                self._retry_at = self._clock() + _RETRY_S
                self._telemetry.log.warning("canary not loaded", release=order.revision, **describe(e))
        with self._lock:
            if self._open is not None:
                self._draining.append(self._open)
            self._order, self._open = order, _Open(loaded) if loaded is not None else None
            self.canary, self.live = Tally(), Tally()

    def _close_drained(self) -> None:
        with self._lock:
            idle = [opened for opened in self._draining if opened.users == 0]
            self._draining = [opened for opened in self._draining if opened.users > 0]
        for opened in idle:
            opened.loaded.close()
