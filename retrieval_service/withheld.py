"""The overlay as the service follows it: read again four times a second beside the requests, and never believed for long."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from retrieval_service.problems import describe
from retrieval_service.telemetry import Telemetry
from search_index.errors import PlumblineError
from search_index.home import Home
from search_index.model.search import Principal
from search_index.withholding import Overlay, newer

LOOK_EVERY_S: Final = 0.25
GOOD_FOR_S: Final = 1.0
"""How long a reading holds. What was narrowed or erased is withheld from every request that begins a second later."""
WAIT_S: Final = 0.5
"""How long a request waits for the next reading, where nothing is known to be wrong: an engine that is opened may stop every thread."""
STOP_WITHIN_S: Final = 5.0


class OverlayUnreadable(PlumblineError):
    """Which documents may not be read cannot be told, so none is shown."""

    slug = "overlay-unreadable"
    status = 503


class FollowedOverlay:
    """Answers from memory. A thread of its own reads, so that a release that takes long to load delays no narrowing."""

    def __init__(self, telemetry: Telemetry, clock: Callable[[], float] = time.monotonic) -> None:
        self._telemetry = telemetry
        self._clock = clock
        self._home: Home | None = None
        self._overlay: Overlay | None = None
        self._read_at = float("-inf")
        self._failing = False
        self._looking_since: float | None = None
        self._read = threading.Condition()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    # for requests -------------------------------------------------------------------------------------------------

    def withheld_from(self, principal: Principal) -> frozenset[str]:
        """See ``Withholding``.

        Errors:
            OverlayUnreadable: the last good reading is older than a second, or there was none.
        """
        overlay = self._overlay
        if overlay is None or self._clock() - self._read_at > GOOD_FOR_S:
            overlay = self._next_reading()
        return overlay.withheld_from(principal)

    @property
    def version(self) -> int:
        """Which one holds, as it was last read; 0 where it never was."""
        return self._overlay.version if self._overlay is not None else 0

    def check(self) -> None:
        """Whether anything can be answered, for probes; waits for nothing.

        Errors:
            OverlayUnreadable: it was read, and the last good reading is too old.
        """
        if self._home is not None and not self._fresh:
            raise _unreadable()

    def _next_reading(self) -> Overlay:
        with self._read:
            self._read.wait_for(lambda: self._fresh or self._hopeless, WAIT_S)
            if self._overlay is None or not self._fresh:
                raise _unreadable()
            return self._overlay

    @property
    def _fresh(self) -> bool:
        return self._clock() - self._read_at <= GOOD_FOR_S

    @property
    def _hopeless(self) -> bool:
        """Whether the catalog said no, or has kept silent for as long as a reading holds: waiting would only pile up requests."""
        since = self._looking_since
        return self._failing or self._home is None or (since is not None and self._clock() - since > GOOD_FOR_S)

    # for threads --------------------------------------------------------------------------------------------------

    def follow(self, home: Home) -> None:
        """Follow the overlay of a home, and have every release that it opens ask here. Reads once before it comes back."""
        home.withholding = self
        self._home = home
        self.look()

    def look(self) -> None:
        """Read it again, where it has changed. That it could not be read is counted and logged, and for requests to find out."""
        home = self._home
        if home is None:
            return
        began = self._looking_since = self._clock()
        try:
            overlay = newer(self._overlay, home.catalog)
        except Exception as e:  # noqa: BLE001 - whatever it is, nothing is shown once the last reading is too old, and this looks again
            self._telemetry.catalog_failures.inc()
            if not self._failing:
                self._telemetry.log.warning("overlay cannot be read", **describe(e))
            with self._read:
                self._failing, self._looking_since = True, None
                self._read.notify_all()
            return
        known = self._overlay
        with self._read:
            # As of when it was asked for: what was written while it was read may not be in it.
            self._overlay, self._read_at, self._failing, self._looking_since = overlay, began, False, None
            self._read.notify_all()
        if known is None or known.version != overlay.version:
            self._telemetry.overlaid.set(len(overlay))
            self._telemetry.log.info("overlay", version=overlay.version, documents=len(overlay))

    def start(self) -> None:
        """Look again and again until it is stopped."""
        self._thread = threading.Thread(target=self._run, name="overlay", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(STOP_WITHIN_S)

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_EVERY_S):
            self.look()


def _unreadable() -> OverlayUnreadable:
    return OverlayUnreadable(
        "Which documents may not be read any more cannot be told just now, so none is shown.",
        "Ask again in a second; `plumbline doctor` and the service's log say more.",
    )
