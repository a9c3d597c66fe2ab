"""The vectors step: embed the texts that no table has a vector of yet."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.outcomes import CHANGED_ROWS_SHOWN, ChangedRow, StepReport
from pipelines.tables import SCHEMAS, vectors_digest
from pipelines.vectors import embed_missing
from pipelines.workspace import Workspace
from quality_checks.contracts import Contract
from search_index.model.release import digest_of, now
from search_index.model.state import LaneState


def converge_vectors(workspace: Workspace, contract: Contract, run_id: str) -> StepReport:
    """Bring the vectors table to hold a vector for every chunk of the source.

    Vectors are known by text and encoder, so equal texts of any document, source or release share one. They are written
    as they come: a killed run goes on where it stopped.
    """
    lake, catalog, name, encoder = workspace.lake, workspace.home.catalog, contract.name, workspace.model_pin.encoder
    chunks_lane, before = catalog.lane(name, "chunks"), catalog.lane(name, "vectors")
    inputs = digest_of([chunks_lane.data_version if chunks_lane else "", encoder])
    version = lake.version("vectors")
    if before is not None and before.inputs == inputs and before.state.get("version") == version:
        return workspace.report(StepReport(name, "vectors", before.data_version, True, {"embedded": 0, "reused": _rows_of(before)}))

    chunks = lake.read_source("chunks", name, columns=["chunk_id", "vector_key", "header", "text", "document_id"])
    keys: list[str] = chunks["vector_key"].to_pylist()
    stored = set(lake.read("vectors", columns=["vector_key"], where=pc.field("encoder") == encoder)["vector_key"].to_pylist())
    texts = {
        key: f"{header}\n{text}" if header else text
        for key, header, text in zip(keys, chunks["header"].to_pylist(), chunks["text"].to_pylist(), strict=True)
        if key not in stored
    }
    ids = dict(zip(keys, zip(chunks["chunk_id"].to_pylist(), chunks["document_id"].to_pylist(), strict=True), strict=True))
    changed = [ChangedRow(str(ids[k][0]), "embedded", str(ids[k][1])) for k in list(texts)[:CHANGED_ROWS_SHOWN]]

    def flush(done: list[str], vectors: np.ndarray) -> None:
        lake.append("vectors", vectors_table(done, vectors, encoder, run_id))

    if texts:
        workspace.progress.start(f"{name}: embedding", len(texts))
        embed_missing(texts, stored, workspace.encoder, flush, progress=workspace.progress.advance)
        workspace.progress.finish()

    version = lake.version("vectors")
    digest = vectors_digest(lake.vectors(keys, version=version))
    catalog.record_lane(
        LaneState(
            source=name,
            stage="vectors",
            inputs=inputs,
            data_version=digest,
            state={"version": version, "rows": len(set(keys))},
            run_id=run_id,
            at=now(),
        )
    )
    unchanged = before is not None and before.data_version == digest
    embedded = len(texts) + workspace.ahead[name].embedded
    counts = {"embedded": embedded, "reused": len(set(keys)) - embedded}
    return workspace.report(StepReport(name, "vectors", digest, unchanged, counts, changed))


def _rows_of(lane: LaneState) -> int:
    rows = lane.state.get("rows")
    return rows if isinstance(rows, int) else 0


def vectors_table(keys: list[str], vectors: np.ndarray, encoder: str, run_id: str) -> pa.Table:
    """Rows of the vectors table, from vectors of shape (len(keys), dimension)."""
    count, dimension = vectors.shape
    offsets = pa.array(np.arange(0, (count + 1) * dimension, dimension, dtype=np.int32))
    return pa.table(
        {
            "prefix": [k[:1] for k in keys],
            "vector_key": keys,
            "encoder": [encoder] * count,
            "vector": pa.ListArray.from_arrays(offsets, pa.array(np.ascontiguousarray(vectors, dtype=np.float32).reshape(-1))),
            "run_id": [run_id] * count,
        },
        schema=SCHEMAS["vectors"],
    )
