"""How many requests each caller may make: a sliding window of a minute, in constant memory."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

WINDOW_S = 60.0
CALLERS_KNOWN = 20_000
"""Callers counted at a time, a few MB. Beyond it the one that was not heard of for longest is forgotten, and begins anew."""


@dataclass(frozen=True)
class Allowance:
    """Whether a request is within the limit, how many more are, and after how many seconds there is room again."""

    allowed: bool
    limit: int
    remaining: int
    reset_s: float

    def headers(self) -> dict[str, str]:
        """As the IETF's draft-ietf-httpapi-ratelimit-headers-10 has it."""
        policy = {"RateLimit-Policy": f'"caller";q={self.limit};w={WINDOW_S:.0f}'}
        return {**policy, "RateLimit": f'"caller";r={self.remaining};t={math.ceil(self.reset_s)}'}


@dataclass(slots=True)
class _Counts:
    window: int
    current: int = 0
    previous: int = 0


class RateLimiter:
    """Counts by fixed minutes and weighs the one before by how much of it the last 60 seconds still cover.

    That is a sliding window in three numbers, off by what an uneven minute hides:
    https://blog.cloudflare.com/counting-things-a-lot-of-different-things/. ``limits`` was tried: in memory it never forgets a name, and
    goes through all of them in a timer, so that a request cost 2.6 ms once 3,000 addresses had asked. To be used from one thread.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, capacity: int = CALLERS_KNOWN) -> None:
        self._clock = clock
        self._capacity = capacity
        self._counts: OrderedDict[str, _Counts] = OrderedDict()

    def hit(self, who: str, limit: int, cost: int = 1) -> Allowance:
        """Count a request of ``who`` if it is within ``limit`` requests a minute, at least 1. One that is refused does not count.

        Args:
            cost: for how many requests it stands; for the whole limit at most, so that it can be made at all.
        """
        cost = min(cost, limit)
        window, into = divmod(self._clock() / WINDOW_S, 1.0)
        counts = self._of(who, int(window))
        used = counts.previous * (1 - into) + counts.current
        if used + cost > limit:
            return Allowance(False, limit, max(0, math.floor(limit - used)), _wait(counts, into, limit - cost))
        counts.current += cost
        return Allowance(True, limit, max(0, math.floor(limit - used - cost)), (1 - into) * WINDOW_S)

    def _of(self, who: str, window: int) -> _Counts:
        counts = self._counts.setdefault(who, _Counts(window))
        self._counts.move_to_end(who)
        if len(self._counts) > self._capacity:
            self._counts.popitem(last=False)
        if counts.window != window:
            counts.previous = counts.current if counts.window == window - 1 else 0
            counts.current, counts.window = 0, window
        return counts


def _wait(counts: _Counts, into: float, most: int) -> float:
    """Seconds until no more than ``most`` are counted, if none come meanwhile."""
    if counts.current <= most:  # what keeps it out is the minute before, which fades
        return max(0.0, (1 - (most - counts.current) / counts.previous - into) * WINDOW_S)
    return (1 - into + 1 - most / counts.current) * WINDOW_S
