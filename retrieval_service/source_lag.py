"""How far each source's live documents lie behind it, as a metric."""

from __future__ import annotations

import time

from retrieval_service.telemetry import Telemetry
from search_index.home import Home
from search_index.lag import current_at
from search_index.model.release import now

LOOK_EVERY_S = 15.0


class SourceLag:
    """Works it out from the catalog, now and then. A source that is no longer served has no lag."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._looked = -LOOK_EVERY_S
        self._known: set[str] = set()

    def follow(self, home: Home) -> None:
        """Look, if it is time to."""
        if time.monotonic() - self._looked < LOOK_EVERY_S:
            return
        self._looked = time.monotonic()
        pointer = home.catalog.pointer()
        live = home.catalog.release(pointer.live) if pointer.live is not None else None
        lanes = {(lane.source, str(lane.stage)): lane for lane in home.catalog.lanes()}
        sources = set(live.manifest.sources) if live and live.manifest else set()
        for source in self._known - sources:
            self._telemetry.source_lag_seconds.remove(source)
        self._known = sources
        for source in sources:
            current = current_at(live, source, lanes)
            if current is not None:
                self._telemetry.source_lag_seconds.labels(source).set((now() - current).total_seconds())
