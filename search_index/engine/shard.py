"""The Qdrant Edge shard of one directory: how it is laid out, filled, filtered and failed.

Vectors are stored at length 1 and compared by dot product, so what is read back is bit for bit what was written, which
``Distance.Cosine`` does not promise. There is no write-ahead log: a directory is built, flushed and never written again, and
without one several processes can read it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import qdrant_edge as edge
from qdrant_edge import PayloadSchemaType as Kind

from search_index.bm25 import Bm25Settings, term_weights
from search_index.engine.filters import Condition, Conditions, Either, OneOf, metadata_field
from search_index.engine.interface import LEDGER, Payload
from search_index.errors import DiskFull, HomeDamaged, ModelMismatch, PlumblineError, WrongUsage
from search_index.model.document import sha256
from search_index.model.release import canonical_json
from search_index.model.search import OPEN_END

DENSE, SPARSE = "dense", "bm25"
EXACT_BELOW = 20_000
"""Where fewer points are visible than this, all are compared: a few milliseconds, and nothing can be missed."""

_FIELDS = {
    "valid_from": Kind.Integer, "valid_to": Kind.Integer, "access": Kind.Keyword, "source": Kind.Keyword, "document_id": Kind.Keyword,
    "chunk_id": Kind.Keyword, "uri": Kind.Keyword, "modified_ts": Kind.Float,
}  # fmt: skip
_METADATA_FIELDS = 64
_BATCH = 1000


@contextmanager
def engine_errors(what: str, remedy: str) -> Iterator[None]:
    """Qdrant Edge raises bare ``Exception``, and ``PanicException``, which is none: both become errors a person can act on."""
    try:
        yield
    except (PlumblineError, OSError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        if "No space left" in str(error) or "os error 28" in str(error):
            raise DiskFull(f"{what}: the disk is full.", "Free some space and run it again.") from error
        raise HomeDamaged(f"{what}: {type(error).__name__}: {str(error)[:300]}", remedy) from error


def create(path: Path, dimension: int) -> edge.EdgeShard:
    """A new, empty shard for vectors of ``dimension``, with its payload indexes."""
    scanned_kb = EXACT_BELOW * dimension * 4 // 1024
    path.mkdir(parents=True)
    shard = edge.EdgeShard.create(
        str(path),
        edge.EdgeConfig(
            vectors={DENSE: edge.EdgeVectorParams(size=dimension, distance=edge.Distance.Dot)},
            # The threshold sends even small segments through the inverted index, which is five times faster than a scan.
            sparse_vectors={SPARSE: edge.EdgeSparseVectorParams(full_scan_threshold=1)},
            hnsw_config=edge.HnswIndexConfig(m=16, ef_construct=100, full_scan_threshold=scanned_kb),
            optimizers=edge.EdgeOptimizersConfig(indexing_threshold=scanned_kb, default_segment_number=1),
            # A request is one thread's work; handing it to others costs more than the search, most of all on a busy machine.
            max_search_threads=1,
            wal_enabled=False,
        ),
    )
    for field, kind in _FIELDS.items():
        shard.update(edge.UpdateOperation.create_field_index(field, kind))
    return shard


def retire(shard: edge.EdgeShard, point_ids: Sequence[str], revision: int) -> None:
    """Points that ``revision`` no longer sees."""
    for batch in _batches(point_ids):
        shard.update(edge.UpdateOperation.set_payload(batch, {"valid_to": revision}))


def delete(shard: edge.EdgeShard, point_ids: Sequence[str]) -> None:
    """Points that nobody will see again."""
    for batch in _batches(point_ids):
        shard.update(edge.UpdateOperation.delete_points(batch))


def _batches(point_ids: Sequence[str]) -> Iterator[list[int | UUID | str]]:
    for start in range(0, len(point_ids), _BATCH):
        yield list(point_ids[start : start + _BATCH])


def add(
    shard: edge.EdgeShard, points: pa.Table, revision: int, bm25: Bm25Settings, dimension: int, fields: dict[str, str]
) -> Iterator[pa.Table]:
    """Upsert ``points`` (schema ``POINTS``) batch by batch; yields each batch's rows for the ledger.

    ``fields`` names the metadata fields that have an index, and what kind; new ones are added to it.

    Raises:
        ModelMismatch: a vector is not of ``dimension``.
        WrongUsage: a vector holds something that is not a finite number.
    """
    for start in range(0, points.num_rows, _BATCH):
        batch = points.slice(start, _BATCH).combine_chunks()
        vectors = _unit_vectors(batch, dimension, revision)
        counts = batch["term_counts"].to_pylist()
        payloads = [_payload(row, revision) for row in batch.drop_columns(["vector", "term_ids", "term_counts"]).to_pylist()]
        _index_metadata(shard, payloads, fields)
        upserts, digests = [], []
        for point, vector, ids, tf, payload in zip(
            batch["point_id"].to_pylist(), vectors, batch["term_ids"].to_pylist(), counts, payloads, strict=True
        ):
            weights = term_weights(np.asarray(tf, dtype=np.uint32), sum(tf), bm25).astype(np.float32)
            digests.append(payload_sha256(payload))
            upserts.append(edge.Point(point, {DENSE: vector.tolist(), SPARSE: edge.SparseVector(ids, weights.tolist())}, payload))
        shard.update(edge.UpdateOperation.upsert_points(upserts))
        yield (
            pa.table(
                {
                    **{name: batch[name] for name in LEDGER.names if name in batch.column_names},
                    "payload_sha256": digests,
                    "vector_sha256": [vector_sha256(vector) for vector in vectors],
                    "valid_from": np.full(len(upserts), revision, np.int64),
                    "valid_to": np.full(len(upserts), OPEN_END, np.int64),
                }
            )
            .select(LEDGER.names)
            .cast(LEDGER)
        )


def payload_sha256(payload: Payload) -> str:
    """Digest of a stored payload; without ``valid_to``, which a later revision changes."""
    return sha256(canonical_json({key: value for key, value in payload.items() if key != "valid_to"}))


def vector_sha256(vector: npt.NDArray[np.float32]) -> str:
    """Digest of a stored vector's float32 bytes."""
    return hashlib.sha256(np.ascontiguousarray(vector, dtype="<f4").data).hexdigest()


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
    own = {name: row[name] for name in ("chunk_id", "document_id", "source", "vector_key", "access")}
    return {**payload, **own, "valid_from": revision, "valid_to": OPEN_END}  # type: ignore[dict-item]


def _index_metadata(shard: edge.EdgeShard, payloads: list[Payload], fields: dict[str, str]) -> None:
    """Filtering by a field without an index reads every payload (a quarter of a second at 50,000 points)."""
    for payload in payloads:
        metadata = payload.get("metadata")
        for key, value in metadata.items() if isinstance(metadata, dict) else ():
            if key in fields or len(fields) >= _METADATA_FIELDS:
                continue
            sample = value[0] if isinstance(value, list) and value else value
            kind = Kind.Bool if isinstance(sample, bool) else Kind.Float if isinstance(sample, int | float) else Kind.Keyword
            if isinstance(sample, bool | int | float | str):
                shard.update(edge.UpdateOperation.create_field_index(metadata_field(key), kind))
                fields[key] = str(kind)


def as_filter(conditions: Conditions) -> edge.Filter:
    """Qdrant Edge's form of ``conditions``."""
    return edge.Filter(must=[_condition(part) for part in conditions.must], must_not=[_condition(part) for part in conditions.must_not])


def _condition(condition: Condition) -> edge.FieldCondition | edge.Filter:
    if isinstance(condition, Either):
        return edge.Filter(should=[_condition(part) for part in condition.of])
    if isinstance(condition, OneOf):
        values = list(condition.values)
        if isinstance(values[0], bool):
            # Python's own bool is taken for a number, and then matches nothing.
            return edge.FieldCondition(key=condition.key, match=edge.MatchValue(np.bool_(values[0])))  # type: ignore[arg-type]
        return edge.FieldCondition(key=condition.key, match=edge.MatchAny([str(value) for value in values]))
    bounds = edge.RangeFloat(gte=condition.at_least, gt=condition.above, lte=condition.at_most, lt=condition.below)
    return edge.FieldCondition(key=condition.key, range=bounds)
