"""A circuit breaker round each arm: one that fails again and again rests, is tried by one query after a while, and then asked again.

Well-kept breakers for Python either let one caller through at a time, the guarded call included, or are not made for threads.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import get_args

from retrieval_service.telemetry import Telemetry
from search_index.arms import Work
from search_index.errors import PlumblineError
from search_index.model.search import Arm

FAILURES = 5
"""So many in a row, and an arm rests."""
REST_S = 5.0
"""Before one query tries it again."""


class ArmResting(Exception):
    """The arm failed again and again, and is not asked for some seconds."""


@dataclass
class _Circuit:
    failures: int = 0
    rests_until: float = 0.0
    trying: bool = False

    @property
    def open(self) -> bool:
        return self.failures >= FAILURES


class Breakers:
    """A breaker for each part of an arm's work, so that an encoder that answers does not hide an engine that fails, nor the other way."""

    def __init__(self, telemetry: Telemetry, clock: Callable[[], float] = time.monotonic) -> None:
        self._telemetry = telemetry
        self._clock = clock
        self._lock = threading.Lock()
        self._circuits: dict[tuple[Arm, Work], _Circuit] = {(arm, work): _Circuit() for arm in get_args(Arm) for work in get_args(Work)}
        for arm in get_args(Arm):
            telemetry.resting.labels(arm).set(0)

    def admit(self, arm: Arm, work: Work) -> None:
        """Let it be asked unless it rests; after its rest by one query at a time. Each call that is let in has to be told the end of.

        Raises:
            ArmResting: it rests.
        """
        with self._lock:
            circuit = self._circuits[arm, work]
            if not circuit.open:
                return
            if circuit.trying or self._clock() < circuit.rests_until:
                raise ArmResting(arm)
            circuit.trying = True

    def answered(self, arm: Arm, work: Work) -> None:
        """It answers: whatever was before is forgotten."""
        with self._lock:
            circuit = self._circuits[arm, work]
            if not circuit.failures:
                return
            was_open, circuit.failures, circuit.trying = circuit.open, 0, False
            self._tell(arm)
        if was_open:
            self._telemetry.log.warning("arm answers again", arm=arm, work=work)

    def failed(self, arm: Arm, work: Work, error: BaseException) -> None:
        """It does not; with the last of ``FAILURES`` in a row it begins to rest. What a caller did wrong is an answer like any other."""
        if isinstance(error, PlumblineError) and error.status < 500:
            self.answered(arm, work)
            return
        with self._lock:
            circuit = self._circuits[arm, work]
            was_open = circuit.open
            circuit.failures += 1
            circuit.trying = False
            if circuit.open:
                circuit.rests_until = self._clock() + REST_S
            rests = circuit.open and not was_open
            self._tell(arm)
        if rests:
            reason = type(error).__name__
            self._telemetry.log.warning("arm rests", arm=arm, work=work, after=FAILURES, reason=reason, seconds=REST_S)

    def _tell(self, arm: Arm) -> None:
        """To be called with the lock in hand."""
        self._telemetry.resting.labels(arm).set(any(circuit.open for (of, _), circuit in self._circuits.items() if of == arm))
