"""Releases as the service opens them: an encoder that hangs is not waited for, and an arm that fails again and again rests."""

from __future__ import annotations

from dataclasses import replace

from retrieval_service.impatient import ImpatientEncoder
from retrieval_service.live import OpenRelease
from search_index.arms import ALWAYS_OPEN, ArmGate
from search_index.home import Home, LoadedRelease, open_release
from search_index.model.release import ReleaseRecord
from search_index.ranker import QueryEncoder


class Guards:
    """Wraps what is opened. An encoder that several releases share has one set of threads."""

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._encoders: dict[int, tuple[QueryEncoder, ImpatientEncoder]] = {}

    def opening(self, gate: ArmGate = ALWAYS_OPEN) -> OpenRelease:
        """``open_release``, guarded.

        Args:
            gate: minds the arms; those of a release that is only tried are asked every time, so that its failures show.
        """

        def opened(home: Home, record: ReleaseRecord) -> LoadedRelease:
            loaded = open_release(home, record)
            return replace(loaded, searcher=loaded.searcher.guarded(self._impatient, gate))

        return opened

    def _impatient(self, encoder: QueryEncoder) -> ImpatientEncoder:
        known = self._encoders.get(id(encoder))
        if known is None:
            known = self._encoders[id(encoder)] = (encoder, ImpatientEncoder(encoder, self._patience_s))
        return known[1]
