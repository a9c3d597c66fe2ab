"""Points: what a source's chunks and documents should be in the index."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipelines.tables import Lake, rows_digest, vectors_digest
from search_index.bm25 import count_terms
from search_index.engine.interface import POINTS
from search_index.errors import HomeDamaged
from search_index.model.document import document_id, point_id, sha256
from search_index.model.release import ModelPin, SourcePin, canonical_json

Row = dict[str, object]

_DOCUMENT_COLUMNS = ["document_id", "uri", "title", "raw_sha256", "modified_at", "parser", "metadata", "mime_type"]


@dataclass(frozen=True)
class DesiredPoint:
    """One chunk as it should stand in the index. ``digest`` covers payload, tenant and vector, not the run that made them."""

    chunk_id: str
    document_id: str
    source: str
    tenant: str
    access: tuple[str, ...]
    vector_key: str
    payload: Row
    vector: memoryview
    digest: str

    @property
    def indexed_text(self) -> str:
        """What BM25 sees: header and text."""
        header, text = str(self.payload["header"]), str(self.payload["text"])
        return f"{header}\n{text}" if header else text


def desired_points(lake: Lake, source: str, pin: SourcePin, model: ModelPin) -> list[DesiredPoint]:
    """Every point a source should have, read at the pinned table versions.

    Errors:
        HomeDamaged: what the tables hold at those versions is not what was pinned.
    """
    documents = lake.read_source("documents", source, version=pin.documents.version)
    chunks = lake.read_source("chunks", source, version=pin.chunks.version)
    keys = chunks["vector_key"].to_pylist()
    vectors = lake.vectors(keys, version=pin.vectors.version)
    found = (rows_digest(documents, "document_id"), rows_digest(chunks, "chunk_id"), vectors_digest(vectors))
    if found != (pin.documents.digest, pin.chunks.digest, pin.vectors.digest):
        raise HomeDamaged(f"The tables of source {source} do not hold what was checked.", "Run the ingest again.")
    by_id = {d["document_id"]: d for d in documents.select(_DOCUMENT_COLUMNS).to_pylist()}
    return [_point(source, pin.tenant, c, by_id[c["document_id"]], vectors[c["vector_key"]], model) for c in chunks.to_pylist()]


def _point(source: str, tenant: str, chunk: Row, document: Row, vector: memoryview, model: ModelPin) -> DesiredPoint:
    metadata = json.loads(str(document["metadata"]))
    modified = document["modified_at"]
    payload: Row = {
        "uri": document["uri"],
        "title": document["title"],
        "text": chunk["text"],
        "header": chunk["header"],
        "start": chunk["start"],
        "end": chunk["end"],
        "ordinal": chunk["ordinal"],
        "page_first": chunk["page_first"],
        "page_last": chunk["page_last"],
        "section": chunk["section"],
        "modified_ts": modified.timestamp(),  # type: ignore[attr-defined]
        "modified_at": modified.isoformat(),  # type: ignore[attr-defined]
        "metadata": {**metadata.get("contract", {}), **metadata.get("document", {})},
        "raw_sha256": document["raw_sha256"],
        "parser": document["parser"],
        "chunker": chunk["chunker"],
        "model_digest": model.digest,
        "encoder": model.encoder,
    }
    if chunk["also_at"]:
        payload["near_duplicates"] = [_place(source, str(uri)) for uri in chunk["also_at"]]  # type: ignore[attr-defined]
    access: tuple[str, ...] = tuple(chunk["access"] or ())  # type: ignore[arg-type]
    digest = sha256(canonical_json([payload, tenant, access, chunk["vector_key"], sha256(bytes(vector))]))
    return DesiredPoint(
        str(chunk["chunk_id"]), str(chunk["document_id"]), source, tenant, access, str(chunk["vector_key"]), payload, vector, digest
    )


def _place(source: str, uri: str) -> dict[str, str]:
    return {"document_id": document_id(source, uri.removeprefix(f"{source}:")), "uri": uri}


def points_table(points: Sequence[DesiredPoint], revision: int, run_id: str) -> pa.Table:
    """Points as the engine takes them, made by this run."""
    terms = [count_terms(p.indexed_text) for p in points]
    return pa.table(
        {
            "point_id": [point_id(p.chunk_id, revision) for p in points],
            "chunk_id": [p.chunk_id for p in points],
            "document_id": [p.document_id for p in points],
            "source": [p.source for p in points],
            "tenant": [p.tenant for p in points],
            "payload": [json.dumps({**p.payload, "run_id": run_id}, ensure_ascii=False) for p in points],
            "payload_digest": [p.digest for p in points],
            "vector_key": [p.vector_key for p in points],
            "access": [list(p.access) for p in points],
            "vector": [np.frombuffer(p.vector, dtype=np.float32) for p in points],
            "term_ids": [t.ids for t in terms],
            "term_counts": [t.counts for t in terms],
        },
        schema=POINTS,
    )
