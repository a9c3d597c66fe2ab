"""Answers that were given before, kept for whoever asks the very same again.

All that decides an answer is its key, so none can be given to somebody else or outlive its release. Kept are whole answers alone: one that
had to do without an arm, or that memory gave instead of the engine, is made anew each time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from cachetools import LRUCache

from retrieval_service.telemetry import Telemetry
from search_index.home import LoadedRelease
from search_index.model.release import canonical_json
from search_index.model.search import Principal, ReleaseRef, SearchAnswer, SearchRequest

HEADER: Final = "Plumbline-Cache"
ENTRY_BYTES: Final = 1000
"""What an entry takes beside its two texts."""


@dataclass
class Look:
    """One request's look into the cache: whether it wants what is kept, and what came of it (None where the cache was not looked at)."""

    wanted: bool = True
    result: Literal["hit", "miss"] | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """All that an answer depends on.

    ``ranked_by`` is the release whose ranking it is, ``revision`` the one whose documents; ``reader`` says who asks: name, tenant and
    groups; ``withheld`` what of it they may not read now; ``request`` is the whole request but for its deadline.
    """

    ranked_by: int
    index: str
    revision: int
    reader: str
    withheld: frozenset[str]
    request: str

    @classmethod
    def of(cls, request: SearchRequest, release: ReleaseRef, principal: Principal, loaded: LoadedRelease) -> Key:
        """The key of one request.

        Errors:
            PlumblineError: what is withheld cannot be told; nothing may then be answered.
        """
        return cls(
            ranked_by=loaded.record.revision,
            index=release.index,
            revision=release.revision,
            reader=canonical_json([principal.name, principal.tenant, sorted(principal.groups)]),
            withheld=loaded.searcher.withholding.withheld_from(principal),
            request=canonical_json(request.model_dump(mode="json", exclude={"deadline_ms"})),
        )


class _Kept(NamedTuple):
    body: bytes
    size: int


class AnswerCache:
    """The answers used last, as many as fit. It may be asked by many threads at once.

    An answer is kept as JSON: what is given out of it is nobody else's, and its size is known.

    Args:
        megabytes: room for them, 0 for none.
        overlay_version: which overlay holds, as far as is known. With every change of it all answers go, so that not even the text of
            an erased document stays in memory.
    """

    def __init__(self, megabytes: float, telemetry: Telemetry, overlay_version: Callable[[], int]) -> None:
        self._room = int(megabytes * 1_000_000)
        self._looks = telemetry.cache
        self._overlay_version = overlay_version
        self._lock = threading.Lock()
        self._overlay = 0
        self._cleared = 0
        self._kept: LRUCache[Key, _Kept] = LRUCache(self._room, getsizeof=lambda kept: kept.size)

    def answer(
        self,
        request: SearchRequest,
        release: ReleaseRef,
        principal: Principal,
        loaded: LoadedRelease,
        search: Callable[[], SearchAnswer],
        look: Look,
    ) -> SearchAnswer:
        """The answer that is kept, with the time that this took, or what ``search`` gives.

        Errors:
            PlumblineError: what is withheld cannot be told; and those of ``search``, which are never kept.
        """
        if not self._room or not look.wanted:
            return search()
        began = time.perf_counter()
        key = Key.of(request, release, principal, loaded)
        body, cleared = self._find(key)
        look.result = "hit" if body is not None else "miss"
        self._looks.labels(look.result).inc()
        if body is not None:
            found = SearchAnswer.model_validate_json(body)
            return found.model_copy(update={"release": release, "took_ms": round((time.perf_counter() - began) * 1e3, 3)})
        answer = search()
        # Whole, and what was withheld when it was asked still is: then it was while it was answered, for every change clears.
        if not answer.degraded and answer.mode == request.mode and answer.hits and key == Key.of(request, release, principal, loaded):
            self._keep(key, answer.model_dump_json().encode(), cleared)
        return answer

    def holds(self, request: SearchRequest, release: ReleaseRef, principal: Principal, loaded: LoadedRelease) -> bool:
        """Whether it will be answered from here, as it looks now.

        Errors:
            PlumblineError: what is withheld cannot be told.
        """
        return bool(self._room) and Key.of(request, release, principal, loaded) in self._kept

    def clear(self) -> None:
        """Forget everything, and keep nothing of what is being answered now."""
        with self._lock:
            self._kept.clear()
            self._cleared += 1

    @property
    def size(self) -> int:
        """Bytes that are kept."""
        return int(self._kept.currsize)

    def _find(self, key: Key) -> tuple[bytes | None, int]:
        """What is kept, and how often everything was forgotten until then."""
        with self._lock:
            self._follow_overlay()
            kept = self._kept.get(key)
            return kept.body if kept is not None else None, self._cleared

    def _keep(self, key: Key, body: bytes, cleared: int) -> None:
        size = len(body) + len(key.request) + len(key.reader) + ENTRY_BYTES
        with self._lock:
            self._follow_overlay()
            if self._cleared == cleared and size <= self._room:
                self._kept[key] = _Kept(body, size)

    def _follow_overlay(self) -> None:
        version = self._overlay_version()
        if version != self._overlay:
            self._kept.clear()
            self._overlay, self._cleared = version, self._cleared + 1
