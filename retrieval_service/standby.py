"""The live release's passages in memory, copied beside requests once it is served: what answers when the engine is gone."""

from __future__ import annotations

import threading
import time

from retrieval_service.problems import describe
from retrieval_service.telemetry import Telemetry
from search_index.engine.memory_reader import shown
from search_index.errors import NotInMemory
from search_index.searcher import Searcher


class PassagesStandingBy:
    """Copies the passages of one release on a thread of its own, which a reader that is closed meanwhile brings to its end.

    Args:
        most: a release of more passages is not copied.
    """

    def __init__(self, searcher: Searcher, revision: int, most: int, telemetry: Telemetry) -> None:
        self._searcher = searcher
        self._revision = revision
        self._most = most
        self._telemetry = telemetry
        self._memory: Searcher | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._copy, name="standby", daemon=True)

    def start(self) -> None:
        """Begin to copy."""
        self._thread.start()

    def wait(self, seconds: float) -> None:
        """Until it is done, one way or the other."""
        self._thread.join(seconds)

    def searcher(self) -> Searcher | None:
        """What answers from memory; None while it is copied, and where there is too much to copy or it failed."""
        return self._memory

    def close(self) -> None:
        """Forget the copy. To be called when nobody searches the release any more."""
        self._closed = True
        memory, self._memory = self._memory, None
        if memory is not None:
            memory.reader.close()

    def _copy(self) -> None:
        began = time.perf_counter()
        try:
            memory = self._memory = self._searcher.in_memory(self._revision, self._most)
        except NotInMemory as many:
            self._telemetry.log.info("nothing stands by", release=self._revision, what=many.what)
        except Exception as e:  # noqa: BLE001 - without it the engine answers as ever; closed by the next release, it is no failure
            self._telemetry.log.warning("nothing stands by", release=self._revision, **describe(e))
        else:
            passages = shown(memory.reader.ledger(), self._revision).num_rows
            took = round(time.perf_counter() - began, 2)
            self._telemetry.log.info("passages stand by in memory", release=self._revision, passages=passages, seconds=took)
            if self._closed:  # the release went while this was copied
                self.close()
