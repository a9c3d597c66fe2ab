"""Cuts and embeds documents while others of their source are still being parsed, so that the two kinds of work overlap.

It does sooner what the chunks and vectors steps would do, and writes the same rows. Those steps do only what is missing, so
nothing depends on it: what it did not get to, they do, and should it fail, they meet the reason themselves.
"""

from __future__ import annotations

import logging
import threading
from queue import SimpleQueue
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines.lane.cutting import Cutter, Row
from pipelines.lane.vectors import vectors_table
from pipelines.tables import rows_of
from pipelines.vectors import embed_missing
from pipelines.workspace import Workspace
from quality_checks.contracts import Contract
from search_index.errors import PlumblineError

LEAST_DOCUMENTS = 32
"""Fewer are parsed before the encoder is loaded."""
_AT_ONCE = 100
"""Documents between two looks at whether parsing has ended; with each look there is a commit to both tables."""
_log = logging.getLogger(__name__)


class Ahead:
    """A thread that takes documents rows as they are parsed; it ends with the ``with`` block, after what it is at.

    A source whose near-duplicates are indexed once is not worked on ahead: which documents those are is known when all are parsed.
    """

    def __init__(self, workspace: Workspace, contract: Contract, run_id: str, to_parse: int) -> None:
        self._workspace, self._contract, self._run_id = workspace, contract, run_id
        self._queue: SimpleQueue[Row | None] = SimpleQueue()
        worthwhile = to_parse >= LEAST_DOCUMENTS and contract.records is None and contract.near_duplicates.policy != "index_once"
        self._thread = threading.Thread(target=self._run, name=f"ahead {contract.name}", daemon=True) if worthwhile else None
        self._parsed_all = threading.Event()

    def __enter__(self) -> Self:
        if self._thread is not None:
            self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if self._thread is not None:
            self._parsed_all.set()
            self._queue.put(None)
            self._thread.join()

    def offer(self, row: Row) -> None:
        """A document that was parsed: cut and embedded some time before the block ends, or not at all."""
        if self._thread is not None and row["status"] == "ok":
            self._queue.put(row)

    def _run(self) -> None:
        try:
            self._work()
        except (PlumblineError, OSError, RuntimeError):  # the steps whose work this is will meet the reason, and fail with it
            _log.exception("Source %s: embedding beside parsing ended early; it goes on after parsing.", self._contract.name)

    def _work(self) -> None:
        cutter = Cutter(self._workspace, self._contract, self._run_id)
        lake, encoder = self._workspace.lake, self._workspace.model_pin.encoder
        stored = set(lake.read("vectors", columns=["vector_key"], where=pc.field("encoder") == encoder)["vector_key"].to_pylist())
        done = self._workspace.ahead[self._contract.name]
        while batch := self._next():
            rows = [row | {"access": document["access"], "also_at": []} for document in batch for row in cutter.rows(document)]
            documents = [str(document["document_id"]) for document in batch]
            lake.replace_documents("chunks", self._contract.name, documents, rows_of("chunks", rows))
            texts = {str(row["vector_key"]): _encoder_text(row) for row in rows if row["vector_key"] not in stored}
            embed_missing(texts, stored, self._workspace.encoder, self._flush)
            stored |= texts.keys()
            done.cut += len(batch)
            done.embedded += len(texts)

    def _next(self) -> list[Row]:
        """What is waiting, up to a number; empty once everything is parsed."""
        batch: list[Row] = []
        while not self._parsed_all.is_set() and (not batch or not self._queue.empty()) and len(batch) < _AT_ONCE:
            row = self._queue.get()
            if row is not None:
                batch.append(row)
        return [] if self._parsed_all.is_set() else batch

    def _flush(self, keys: list[str], vectors: NDArray[np.float32]) -> None:
        self._workspace.lake.append("vectors", vectors_table(keys, vectors, self._workspace.model_pin.encoder, self._run_id))


def _encoder_text(row: Row) -> str:
    return f"{row['header']}\n{row['text']}" if row["header"] else str(row["text"])
