"""What may not be read now, whatever a release says: the overlay, as every searcher asks for it.

A ``Searcher`` asks its ``Withholding`` each time it makes out what a principal may see, so no way of asking can leave it out.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from search_index.model.overlay import OverlayEntry
from search_index.model.search import Principal

GOOD_FOR_S: Final = 0.25
"""Seconds for which what was read of the catalog is not read again."""
_ANSWERS_KEPT: Final = 256


class Withholding(Protocol):
    """Says which documents a principal may not read now."""

    def withheld_from(self, principal: Principal) -> frozenset[str]:
        """Their ids.

        Errors:
            PlumblineError: it cannot be told; nothing may then be answered.
        """
        ...


class Overlay:
    """The overlay as it stood at one moment. ``version`` rises with every change; it is 0 where there never was one."""

    def __init__(self, version: int, entries: Iterable[OverlayEntry]) -> None:
        self.version = version
        self._entries = tuple(entries)
        self._answers: dict[tuple[str, frozenset[str]], frozenset[str]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def withheld_from(self, principal: Principal) -> frozenset[str]:
        """See ``Withholding``. The same object for the same tenant and groups, so that a cache finds it quickly."""
        who = (principal.tenant, principal.groups)
        known = self._answers.get(who)
        if known is None:
            known = frozenset(
                entry.document_id
                for entry in self._entries
                if entry.tenant != principal.tenant or entry.groups.isdisjoint(principal.groups)
            )
            if len(self._answers) >= _ANSWERS_KEPT:
                self._answers.clear()
            self._answers[who] = known
        return known


NOTHING_WITHHELD: Final = Overlay(0, ())
"""For what no caller asks: a candidate that is being measured."""


class Overlaid(Protocol):
    """What keeps an overlay: the catalog."""

    def overlay_version(self) -> int:
        """Which one holds."""
        ...

    def overlay(self) -> Overlay:
        """The one that holds."""
        ...


class AsTheCatalogSays:
    """Reads the overlay when it is asked, at most every quarter of a second. For commands; the service reads beside its requests."""

    def __init__(self, catalog: Callable[[], Overlaid], clock: Callable[[], float] = time.monotonic) -> None:
        self._catalog = catalog
        self._clock = clock
        self._lock = threading.Lock()
        self._overlay: Overlay | None = None
        self._read_at = 0.0

    def withheld_from(self, principal: Principal) -> frozenset[str]:
        """See ``Withholding``."""
        with self._lock:
            if self._overlay is None or self._clock() - self._read_at >= GOOD_FOR_S:
                asked_at = self._clock()
                self._overlay = newer(self._overlay, self._catalog())
                self._read_at = asked_at
            return self._overlay.withheld_from(principal)


def newer(known: Overlay | None, catalog: Overlaid) -> Overlay:
    """The overlay that holds: the one that is known where its version still does, so that looking costs one small query."""
    return known if known is not None and known.version == catalog.overlay_version() else catalog.overlay()
