"""One collection of a Qdrant server: how it is laid out, filled, and brought back to what a revision left it as.

Vectors are stored at length 1 and compared by dot product, which is their cosine, so that what is read back is bit for bit what was
written: ``Distance.COSINE`` divides by the length once more. Each write waits until the server has applied it, may be repeated, and goes by
what is stored, never by what this process remembers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

import pyarrow as pa
from pydantic import JsonValue as Json
from qdrant_client import QdrantClient, models

from search_index.bm25 import Bm25Settings
from search_index.engine.filters import Between, Conditions, metadata_field
from search_index.engine.server_client import Server, server_errors
from search_index.engine.server_filters import as_filter
from search_index.engine.stored_point import DENSE, EXACT_BELOW, FIELDS, SPARSE, Batch, FieldKind, batches, new_metadata_fields
from search_index.model.search import OPEN_END

Query: TypeAlias = list[float] | models.SparseVector
_KINDS: dict[FieldKind, models.PayloadSchemaType] = {
    "integer": models.PayloadSchemaType.INTEGER,
    "keyword": models.PayloadSchemaType.KEYWORD,
    "float": models.PayloadSchemaType.FLOAT,
    "bool": models.PayloadSchemaType.BOOL,
}
WRITTEN, _READ = 256, 1000
"""Points in one request: a request of more passages than this could be larger than the server takes (32 MB)."""


class Collection:
    """A collection by its name. It need not be there yet.

    Errors (from every method): as ``server_errors``.
    """

    def __init__(self, client: QdrantClient, server: Server, name: str) -> None:
        self._client, self._server, self.name = client, server, name

    def exists(self) -> bool:
        """Whether it is there."""
        with server_errors(f"{self.name} cannot be looked for"):
            return bool(self._client.collection_exists(self.name))

    def create(self, dimension: int) -> None:
        """Make it, empty, with its payload indexes."""
        scanned_kb = EXACT_BELOW * dimension * 4 // 1024
        with server_errors(f"{self.name} cannot be made"):
            self._client.create_collection(
                self.name,
                vectors_config={DENSE: models.VectorParams(size=dimension, distance=models.Distance.DOT)},
                sparse_vectors_config={SPARSE: models.SparseVectorParams(index=models.SparseIndexParams(full_scan_threshold=1))},
                hnsw_config=models.HnswConfigDiff(m=16, ef_construct=100, full_scan_threshold=scanned_kb),
                timeout=self._server.write_s,
            )
        for field, kind in FIELDS.items():
            self._index(field, kind)

    def drop(self) -> None:
        """Remove it with all that is in it."""
        with server_errors(f"{self.name} cannot be removed"):
            if self._client.collection_exists(self.name):
                self._client.delete_collection(self.name, timeout=self._server.write_s)

    def add(self, points: pa.Table, revision: int, bm25: Bm25Settings, dimension: int, fields: dict[str, str]) -> Iterator[pa.Table]:
        """Upsert ``points`` (schema ``POINTS``) batch by batch; yields each batch's rows for the ledger.

        ``fields`` names the metadata fields that have an index, and what kind; new ones are added to it.

        Raises:
            ModelMismatch, WrongUsage: as ``stored_point.batches``.
        """
        for batch in batches(points, revision, bm25, dimension, WRITTEN):
            added = new_metadata_fields(batch.payloads, fields)
            self.index_metadata(added)
            fields |= added
            self.upsert(batch)
            yield batch.rows

    def index_metadata(self, fields: Mapping[str, FieldKind]) -> None:
        """Give metadata fields an index each."""
        for key, kind in fields.items():
            self._index(metadata_field(key), kind)

    def upsert(self, batch: Batch) -> None:
        """Write points as they are."""
        with server_errors(f"Points cannot be written to {self.name}"):
            self._client.upsert(self.name, _structs(batch), wait=True, timeout=self._server.write_s)

    def retire(self, point_ids: Sequence[str], revision: int) -> None:
        """Points that ``revision`` no longer sees."""
        for start in range(0, len(point_ids), _READ):
            self._set_end(revision, models.PointIdsList(points=list(point_ids[start : start + _READ])))

    def delete(self, point_ids: Sequence[str]) -> None:
        """Points that nobody will see again; those that are not there are not missed."""
        for start in range(0, len(point_ids), _READ):
            self._delete(models.PointIdsList(points=list(point_ids[start : start + _READ])))

    def undo(self, revision: int) -> None:
        """Take back what one revision changed, all of it or what there is of it."""
        self._delete(_where(Between("valid_from", at_least=revision, at_most=revision)))
        self._set_end(OPEN_END, _where(Between("valid_to", at_least=revision, at_most=revision)))

    def rewind(self, head: int) -> int:
        """Take back what every revision after ``head`` changed; how many points that were."""
        later, ended = Between("valid_from", above=head), Between("valid_to", above=head, below=OPEN_END)
        changed = self.count(Conditions((later,))) + self.count(Conditions((Between("valid_from", at_most=head), ended)))
        if changed:
            self._delete(_where(later))
            self._set_end(OPEN_END, _where(ended))
        return changed

    def count(self, wanted: Conditions, *, exact: bool = True) -> int:
        """How many points there are; where ``exact`` is not asked for, about how many."""
        with server_errors(f"{self.name} cannot be counted"):
            return int(self._client.count(self.name, as_filter(wanted), exact=exact, timeout=self._server.read_s).count)

    def nearest(
        self, arm: str, query: Query, seen: models.Filter, limit: int, params: models.SearchParams | None = None
    ) -> list[tuple[str, float]]:
        """Best points of one arm with their scores."""
        with server_errors(f"{self.name} cannot be searched"):
            found = self._client.query_points(
                self.name,
                query,
                using=arm,
                query_filter=seen,
                search_params=params,
                limit=limit,
                with_payload=False,
                timeout=self._server.read_s,
            )
        return [(str(hit.id), hit.score) for hit in found.points]

    def retrieve(
        self, point_ids: Sequence[models.ExtendedPointId], payload: bool | list[str], vectors: list[str]
    ) -> Iterator[models.Record]:
        """Those of the points that are there, with the named parts of their payloads and the named vectors."""
        for start in range(0, len(point_ids), _READ):
            page = list(point_ids[start : start + _READ])
            with server_errors(f"{self.name} cannot be read"):
                yield from self._client.retrieve(self.name, page, with_payload=payload, with_vectors=vectors, timeout=self._server.read_s)

    def scroll(self, wanted: Conditions, *, payload: bool) -> Iterator[models.Record]:
        """Every point that meets ``wanted``."""
        offset: models.ExtendedPointId | None = None
        while True:
            with server_errors(f"{self.name} cannot be read"):
                page, offset = self._client.scroll(
                    self.name, as_filter(wanted), limit=_READ, offset=offset, with_payload=payload, timeout=self._server.read_s
                )
            yield from page
            if offset is None:
                return

    def _index(self, field: str, kind: FieldKind) -> None:
        with server_errors(f"{self.name} cannot be given an index of {field}"):
            self._client.create_payload_index(self.name, field, _KINDS[kind], wait=True, timeout=self._server.write_s)

    def _set_end(self, revision: int, which: models.PointIdsList | models.FilterSelector) -> None:
        changed: dict[str, Json] = {"valid_to": revision}
        with server_errors(f"Points of {self.name} cannot be given an end"):
            self._client.set_payload(self.name, changed, which, wait=True, timeout=self._server.write_s)

    def _delete(self, which: models.PointIdsList | models.FilterSelector) -> None:
        with server_errors(f"Points of {self.name} cannot be deleted"):
            self._client.delete(self.name, which, wait=True, timeout=self._server.write_s)


def _where(condition: Between) -> models.FilterSelector:
    return models.FilterSelector(filter=as_filter(Conditions((condition,))))


def _structs(batch: Batch) -> list[models.PointStruct]:
    """Points as the client takes them. A passage without terms has no sparse vector, since an empty one is none."""
    made = []
    for point, vector, (ids, weights), payload in zip(batch.ids, batch.vectors, batch.terms, batch.payloads, strict=True):
        sparse = {SPARSE: models.SparseVector(indices=ids, values=weights)} if ids else {}
        made.append(models.PointStruct(id=point, vector={DENSE: vector.tolist(), **sparse}, payload=payload))
    return made
