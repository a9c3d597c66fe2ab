"""Releases as the service opens them: what hangs is not waited for, what fails rests, and for what is gone something stands in."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeGuard

from retrieval_service.impatient import ImpatientEncoder
from retrieval_service.live import OpenRelease
from retrieval_service.standby import PassagesStandingBy
from retrieval_service.telemetry import Telemetry
from retrieval_service.together import TogetherEncoder, WaitingQueries
from search_index.arms import ALWAYS_OPEN, ArmGate
from search_index.embedding import Encoder
from search_index.home import Home, LoadedRelease, open_release
from search_index.model.release import ReleaseRecord
from search_index.ranker import QueryEncoder


class Guards:
    """Wraps what is opened. An encoder that several releases share has one set of threads."""

    def __init__(self, patience_s: float, fallback_passages: int, telemetry: Telemetry) -> None:
        self.waiting = WaitingQueries()
        """Queries under way, which are encoded with others when those have their turn."""
        self._patience_s = patience_s
        self._fallback_passages = fallback_passages
        self._telemetry = telemetry
        self._encoders: dict[int, tuple[QueryEncoder, ImpatientEncoder]] = {}

    def tried(self, home: Home, record: ReleaseRecord) -> LoadedRelease:
        """``open_release`` for one that is only tried: its arms are asked every time and nothing stands in, so that failures show."""
        loaded = open_release(home, record)
        return replace(loaded, searcher=loaded.searcher.guarded(self._impatient, ALWAYS_OPEN))

    def served(self, gate: ArmGate) -> OpenRelease:
        """``open_release`` for the live one: ``gate`` minds its arms, and its passages stand by in memory."""

        def opened(home: Home, record: ReleaseRecord) -> LoadedRelease:
            loaded = open_release(home, record)
            if not self._fallback_passages:
                return replace(loaded, searcher=loaded.searcher.guarded(self._impatient, gate))
            passages = PassagesStandingBy(loaded.searcher, record.revision, self._fallback_passages, self._telemetry)
            passages.start()
            guarded = loaded.searcher.guarded(self._impatient, gate, passages.searcher)
            return replace(loaded, searcher=guarded, also_close=passages.close)

        return opened

    def _impatient(self, encoder: QueryEncoder) -> ImpatientEncoder:
        known = self._encoders.get(id(encoder))
        if known is None:
            together = TogetherEncoder(encoder, self.waiting, self._patience_s) if _is_quicker_together(encoder) else encoder
            known = self._encoders[id(encoder)] = (encoder, ImpatientEncoder(together, self._patience_s))
        return known[1]


def _is_quicker_together(encoder: QueryEncoder) -> TypeGuard[Encoder]:
    """Where a vector's bits would depend on its neighbours, each is made by itself anyway."""
    return isinstance(encoder, Encoder) and encoder.card.batch_invariant
