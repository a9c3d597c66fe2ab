"""The vectors step: embed the texts that no table has a vector of yet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from pipelines.release.outcomes import CHANGED_ROWS_SHOWN, ChangedRow, StepReport
from pipelines.tables import SCHEMAS, vectors_digest
from pipelines.vectors import embed_missing
from pipelines.workspace import Workspace
from quality_checks.contracts import Contract
from search_index.model.release import digest_of, now
from search_index.model.state import LaneState


@dataclass(frozen=True)
class VectorsWork:
    """What the vectors table lacks of what the chunks table holds.

    ``keys`` are the vector keys of the chunks, one a chunk, ``stored`` those of every vector of this encoder. ``texts`` are what
    is to be embedded, by key, and ``ids`` the chunk and document that each is of.
    """

    keys: list[str]
    stored: set[str]
    texts: dict[str, str]
    ids: dict[str, tuple[str, str]]


def converge_vectors(workspace: Workspace, contract: Contract, run_id: str) -> StepReport:
    """Bring the vectors table to hold a vector for every chunk of the source.

    Vectors are known by text and encoder, so equal texts of any document, source or release share one. They are written
    as they come: a killed run goes on where it stopped.
    """
    lake, catalog, name = workspace.lake, workspace.home.catalog, contract.name
    inputs, before = _inputs(workspace, contract), catalog.lane(name, "vectors")
    if before is not None and vectors_stand(workspace, contract):
        return workspace.report(StepReport(name, "vectors", before.data_version, True, {"embedded": 0, "reused": _rows_of(before)}))

    work = vectors_work(workspace, contract)
    changed = do_vectors(workspace, contract, run_id, work)

    version = lake.version("vectors")
    digest = vectors_digest(lake.vectors(work.keys, version=version))
    catalog.record_lane(
        LaneState(
            source=name,
            stage="vectors",
            inputs=inputs,
            data_version=digest,
            state={"version": version, "rows": len(set(work.keys)), "encoder": workspace.model_pin.encoder},
            run_id=run_id,
            at=now(),
        )
    )
    unchanged = before is not None and before.data_version == digest
    embedded = len(work.texts) + workspace.ahead[name].embedded
    counts = {"embedded": embedded, "reused": len(set(work.keys)) - embedded}
    return workspace.report(StepReport(name, "vectors", digest, unchanged, counts, changed))


def vectors_stand(workspace: Workspace, contract: Contract) -> bool:
    """Whether the step was recorded on just what it would be made from now, and the table stands as it did then."""
    before = workspace.home.catalog.lane(contract.name, "vectors")
    if before is None or before.inputs != _inputs(workspace, contract):
        return False
    return before.state.get("version") == workspace.lake.version("vectors")


def vectors_work(workspace: Workspace, contract: Contract, buckets: frozenset[int] | None = None) -> VectorsWork:
    """What there is to embed, of the chunks in these buckets or in all."""
    lake, encoder = workspace.lake, workspace.model_pin.encoder
    where = ds.field("source") == contract.name
    where = where if buckets is None else where & ds.field("bucket").isin(sorted(buckets))
    chunks = lake.read("chunks", columns=["chunk_id", "vector_key", "header", "text", "document_id"], where=where)
    keys: list[str] = chunks["vector_key"].to_pylist()
    stored = set(lake.read("vectors", columns=["vector_key"], where=pc.field("encoder") == encoder)["vector_key"].to_pylist())
    texts = {
        key: f"{header}\n{text}" if header else text
        for key, header, text in zip(keys, chunks["header"].to_pylist(), chunks["text"].to_pylist(), strict=True)
        if key not in stored
    }
    ids = dict(zip(keys, zip(chunks["chunk_id"].to_pylist(), chunks["document_id"].to_pylist(), strict=True), strict=True))
    return VectorsWork(keys=keys, stored=stored, texts=texts, ids={key: ids[key] for key in texts})


def do_vectors(workspace: Workspace, contract: Contract, run_id: str, work: VectorsWork) -> list[ChangedRow]:
    """Embed and store it, writing vectors as they come. Returns the first of the chunks that were embedded."""
    encoder = workspace.model_pin.encoder

    def flush(done: list[str], vectors: np.ndarray) -> None:
        workspace.lake.append("vectors", vectors_table(done, vectors, encoder, run_id))

    if work.texts:
        workspace.progress.start(f"{contract.name}: embedding", len(work.texts))
        embed_missing(work.texts, work.stored, workspace.encoder, flush, progress=workspace.progress.advance)
        workspace.progress.finish()
    return [ChangedRow(work.ids[key][0], "embedded", work.ids[key][1]) for key in list(work.texts)[:CHANGED_ROWS_SHOWN]]


def _inputs(workspace: Workspace, contract: Contract) -> str:
    """A digest of all that the step is made from."""
    chunks = workspace.home.catalog.lane(contract.name, "chunks")
    return digest_of([chunks.data_version if chunks else "", workspace.model_pin.encoder])


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
