"""The Qdrant Edge shard of one directory: how it is laid out, filled, filtered and failed.

Vectors are stored at length 1 and compared by dot product, so what is read back is bit for bit what was written, which
``Distance.Cosine`` does not promise. There is no write-ahead log: a directory is built, flushed and never written again, and
without one several processes can read it. A point is stored under its number (see ``point_numbers``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import numpy as np
import pyarrow as pa
import qdrant_edge as edge
from qdrant_edge import PayloadSchemaType as Kind

from search_index.bm25 import Bm25Settings
from search_index.engine.filters import Absent, Condition, Conditions, Either, OneOf, metadata_field
from search_index.engine.point_numbers import number_of
from search_index.engine.stored_point import DENSE, EXACT_BELOW, FIELDS, SPARSE, FieldKind, batches, new_metadata_fields
from search_index.errors import DiskFull, HomeDamaged, PlumblineError

_KINDS: dict[FieldKind, Kind] = {"integer": Kind.Integer, "keyword": Kind.Keyword, "float": Kind.Float, "bool": Kind.Bool}
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
    for field, kind in FIELDS.items():
        shard.update(edge.UpdateOperation.create_field_index(field, _KINDS[kind]))
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
        yield [number_of(point) for point in point_ids[start : start + _BATCH]]


def add(
    shard: edge.EdgeShard, points: pa.Table, revision: int, bm25: Bm25Settings, dimension: int, fields: dict[str, str]
) -> Iterator[pa.Table]:
    """Upsert ``points`` (schema ``POINTS``) batch by batch; yields each batch's rows for the ledger.

    ``fields`` names the metadata fields that have an index, and what kind; new ones are added to it.

    Raises:
        ModelMismatch: a vector is not of ``dimension``.
        WrongUsage: a vector holds something that is not a finite number.
    """
    for batch in batches(points, revision, bm25, dimension, _BATCH):
        for key, kind in new_metadata_fields(batch.payloads, fields).items():
            shard.update(edge.UpdateOperation.create_field_index(metadata_field(key), _KINDS[kind]))
            fields[key] = kind
        shard.update(
            edge.UpdateOperation.upsert_points(
                [
                    edge.Point(number_of(point), {DENSE: vector.tolist(), SPARSE: edge.SparseVector(*terms)}, payload)
                    for point, vector, terms, payload in zip(batch.ids, batch.vectors, batch.terms, batch.payloads, strict=True)
                ]
            )
        )
        yield batch.rows


def as_filter(conditions: Conditions) -> edge.Filter:
    """Qdrant Edge's form of ``conditions``."""
    return edge.Filter(must=[_condition(part) for part in conditions.must], must_not=[_condition(part) for part in conditions.must_not])


def _condition(condition: Condition) -> edge.FieldCondition | edge.IsEmptyCondition | edge.Filter:
    if isinstance(condition, Either):
        return edge.Filter(should=[_condition(part) for part in condition.of])
    if isinstance(condition, Absent):
        return edge.IsEmptyCondition(condition.key)
    if isinstance(condition, OneOf):
        values = list(condition.values)
        if values and isinstance(values[0], bool):
            # Python's own bool is taken for a number, and then matches nothing.
            return edge.FieldCondition(key=condition.key, match=edge.MatchValue(np.bool_(values[0])))  # type: ignore[arg-type]
        return edge.FieldCondition(key=condition.key, match=edge.MatchAny([str(value) for value in values]))
    bounds = edge.RangeFloat(gte=condition.at_least, gt=condition.above, lte=condition.at_most, lt=condition.below)
    return edge.FieldCondition(key=condition.key, range=bounds)
