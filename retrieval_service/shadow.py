"""The release that shadows the live one: asked the same, after the answer is out, and seen by nobody."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from retrieval_service.live import open_overlaid
from retrieval_service.problems import describe
from retrieval_service.telemetry import Telemetry
from search_index.home import Home, LoadedRelease
from search_index.model.operating import ShadowAnswer
from search_index.model.release import ReleaseRecord, now
from search_index.model.search import Principal, SearchAnswer, SearchRequest

COMPARED = 10
_RETRY_S = 30.0


class ShadowRelease:
    """Follows the catalog's shadow, answers live queries with it one at a time, and writes down how the answers differ.

    A query that comes while another is being compared is left out: a shadow never makes anybody wait. Nothing of a query or
    a passage is kept.
    """

    def __init__(
        self, telemetry: Telemetry, load: Callable[[Home, ReleaseRecord], LoadedRelease], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._telemetry = telemetry
        self._load = load
        self._clock = clock
        self._busy = threading.Lock()
        self._loaded: LoadedRelease | None = None
        self._failed: tuple[int, float] | None = None
        self._waiting: list[ShadowAnswer] = []

    @property
    def revision(self) -> int | None:
        """The release that is asked, None while there is none."""
        loaded = self._loaded
        return loaded.record.revision if loaded is not None else None

    def follow(self, home: Home) -> None:
        """Load the release that the catalog names, or let go of the one that it no longer does, and write down what has gathered."""
        wanted = home.catalog.shadow()
        revision = wanted.revision if wanted is not None else None
        if revision != self.revision and not self._failed_lately(revision):
            with self._busy:
                self._swap(home, revision)
        with self._busy:
            waiting, self._waiting = self._waiting, []
        home.catalog.add_shadow_answers(waiting)

    def close(self) -> None:
        """Let go of what is open."""
        with self._busy:
            if self._loaded is not None:
                self._loaded.close()
            self._loaded = None

    def compare(self, request: SearchRequest, principal: Principal, answer: SearchAnswer) -> None:
        """Ask the shadow what was just answered, and keep how it differs."""
        if self._loaded is None or request.as_of is not None or not self._busy.acquire(blocking=False):
            return
        try:
            loaded = self._loaded
            if loaded is not None:
                self._waiting.append(self._asked(loaded, request, principal, answer))
        finally:
            self._busy.release()

    def _asked(self, loaded: LoadedRelease, request: SearchRequest, principal: Principal, answer: SearchAnswer) -> ShadowAnswer:
        began, failed, hits = time.perf_counter(), None, []
        try:
            hits = loaded.searcher.search(request, loaded.ref, principal).hits
        except Exception as e:  # noqa: BLE001 - that it fails is what a shadow is there to find out
            failed = type(e).__name__
        return ShadowAnswer(
            at=now(),
            live=answer.release.revision,
            shadow=loaded.record.revision,
            mode=answer.mode,
            overlap=None if failed else overlap([hit.chunk_id for hit in answer.hits], [hit.chunk_id for hit in hits]),
            live_ms=answer.took_ms,
            shadow_ms=round((time.perf_counter() - began) * 1e3, 3),
            live_hits=len(answer.hits),
            shadow_hits=len(hits),
            failed=failed,
        )

    def _swap(self, home: Home, revision: int | None) -> None:
        if self._loaded is not None:
            self._loaded.close()
        self._loaded = None
        if revision is None:
            return
        try:
            self._loaded = open_overlaid(self._load, home, home.catalog.release(revision))
        except BaseException as e:  # noqa: BLE001 - the engine's panics are no Exception, and the live release must not mind
            self._failed = (revision, self._clock())
            self._telemetry.log.warning("shadow not loaded", release=revision, **describe(e))

    def _failed_lately(self, revision: int | None) -> bool:
        return self._failed is not None and self._failed[0] == revision and self._clock() - self._failed[1] < _RETRY_S


def overlap(live: list[str], shadow: list[str]) -> float:
    """The share of the ten best that both have, 1 where both found nothing."""
    best, other = set(live[:COMPARED]), set(shadow[:COMPARED])
    return len(best & other) / max(len(best), len(other)) if best or other else 1.0
