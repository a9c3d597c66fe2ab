"""What an engine stores of a point: its payload, its two vectors and its row of the ledger, the same in every engine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from search_index.bm25 import Bm25Settings, term_weights
from search_index.engine.interface import LEDGER, DocumentFacts, Payload, Vector
from search_index.engine.tenant_statistics import tenants_of
from search_index.errors import ModelMismatch, WrongUsage
from search_index.model.document import sha256
from search_index.model.release import canonical_json
from search_index.model.search import OPEN_END

FieldKind: TypeAlias = Literal["integer", "keyword", "float", "bool"]

DENSE, SPARSE = "dense", "bm25"
EXACT_BELOW = 20_000
"""Where fewer points are visible than this, all are compared: a few milliseconds, and nothing can be missed.

So it is for a tenant that has fewer, whatever others have: its answers are then the same bits with and without theirs.
"""
FIELDS: dict[str, FieldKind] = {
    "tenant": "keyword", "valid_from": "integer", "valid_to": "integer", "access": "keyword", "source": "keyword",
    "document_id": "keyword", "chunk_id": "keyword", "uri": "keyword", "modified_ts": "float",
}  # fmt: skip
"""Fields of the payload that every filter may ask for: they have an index from the beginning."""
METADATA_FIELDS = 64
"""Metadata fields beyond these have no index."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Points ready to be stored, in the order of their ids in ``rows``, which is their part of the ledger."""

    ids: list[str]
    vectors: npt.NDArray[np.float32]
    terms: list[tuple[list[int], list[float]]]
    payloads: list[Payload]
    rows: pa.Table


def batches(points: pa.Table, revision: int, bm25: Bm25Settings, dimension: int, size: int) -> Iterator[Batch]:
    """``points`` (schema ``POINTS``) as ``revision`` brings them, ``size`` at a time.

    Raises:
        ModelMismatch: a vector is not of ``dimension``.
        WrongUsage: a vector holds something that is not a finite number, or the settings lack a tenant.
    """
    if unknown := sorted(tenants_of(points) - bm25.avgdl.keys()):
        raise WrongUsage(f"The BM25 settings say nothing of the tenant {unknown[0]}.", "Give its average length.")
    for start in range(0, points.num_rows, size):
        batch = points.slice(start, size).combine_chunks()
        vectors = _unit_vectors(batch, dimension, revision)
        payloads = [_payload(row, revision) for row in batch.drop_columns(["vector", "term_ids", "term_counts"]).to_pylist()]
        terms = [
            weighted_terms(ids, counts, bm25, tenant)
            for ids, counts, tenant in zip(*(batch[name].to_pylist() for name in ("term_ids", "term_counts", "tenant")), strict=True)
        ]
        rows = pa.table(
            {
                **{name: batch[name] for name in LEDGER.names if name in batch.column_names},
                "payload_sha256": [payload_sha256(payload) for payload in payloads],
                "vector_sha256": [vector_sha256(vector) for vector in vectors],
                "valid_from": np.full(len(payloads), revision, np.int64),
                "valid_to": np.full(len(payloads), OPEN_END, np.int64),
            }
        )
        yield Batch(batch["point_id"].to_pylist(), vectors, terms, payloads, rows.select(LEDGER.names).cast(LEDGER))


def weighted_terms(ids: list[int], counts: list[int], bm25: Bm25Settings, tenant: str) -> tuple[list[int], list[float]]:
    """The sparse vector stored for a point, from its row of the ledger."""
    weights = term_weights(np.asarray(counts, dtype=np.uint32), sum(counts), bm25.avgdl[tenant], bm25)
    return ids, weights.astype(np.float32).tolist()


def new_metadata_fields(payloads: Sequence[Payload], known: Mapping[str, str]) -> dict[str, FieldKind]:
    """Metadata fields that ``payloads`` bring and that have no index yet, with the kind of their first value.

    Filtering by a field without an index reads every payload (a quarter of a second at 50,000 points).
    """
    found: dict[str, FieldKind] = {}
    for payload in payloads:
        metadata = payload.get("metadata")
        for key, value in metadata.items() if isinstance(metadata, dict) else ():
            if key in known or key in found or len(known) + len(found) >= METADATA_FIELDS:
                continue
            sample = value[0] if isinstance(value, list) and value else value
            if isinstance(sample, bool | int | float | str):
                found[key] = "bool" if isinstance(sample, bool) else "float" if isinstance(sample, int | float) else "keyword"
    return found


def payload_sha256(payload: Payload) -> str:
    """Digest of a stored payload; without ``valid_to``, which a later revision changes."""
    return sha256(canonical_json({key: value for key, value in payload.items() if key != "valid_to"}))


def vector_sha256(vector: Vector) -> str:
    """Digest of a stored vector's float32 bytes."""
    return hashlib.sha256(np.ascontiguousarray(vector, dtype="<f4").data).hexdigest()


def facts_of(payload: Payload) -> DocumentFacts:
    """The part of a point's payload that holds for its whole document."""
    modified, metadata = payload.get("modified_ts"), payload.get("metadata")
    return DocumentFacts(
        str(payload["source"]),
        float(modified) if isinstance(modified, int | float) else None,
        metadata if isinstance(metadata, dict) else {},
    )


def _unit_vectors(batch: pa.Table, dimension: int, revision: int) -> npt.NDArray[np.float32]:
    column = batch["vector"].combine_chunks()
    values = column.flatten().to_numpy(zero_copy_only=False).astype(np.float32, copy=False)
    lengths = column.value_lengths().to_numpy(zero_copy_only=False)
    if (lengths != dimension).any():
        raise ModelMismatch(
            f"Revision {revision} has vectors of {sorted(set(lengths.tolist()))[:3]} numbers for an index of {dimension}.",
            "Embed the passages with the model the index is made for.",
        )
    if not np.isfinite(values).all():
        raise WrongUsage(f"Revision {revision} has vectors that hold something other than finite numbers.", "Embed the passages again.")
    vectors: npt.NDArray[np.float32] = values.reshape(len(column), dimension)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where((norms > 0) & (np.abs(norms - 1) > 1e-6), norms, 1)).astype(np.float32)


def _payload(row: dict[str, object], revision: int) -> Payload:
    text = str(row["payload"])
    payload: Payload = json.loads(text)
    if "\\ud" in text.lower():  # may be half of a surrogate pair, which no UTF-8 store can hold
        payload = json.loads(json.dumps(payload, ensure_ascii=False).encode("utf-8", "replace"))
    own = {name: row[name] for name in ("chunk_id", "document_id", "source", "tenant", "vector_key", "access")}
    return {**payload, **own, "valid_from": revision, "valid_to": OPEN_END}  # type: ignore[dict-item]
