"""The lake: Delta tables of manifests, documents, chunks and vectors. Their versions are what a release pins."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import DeltaError, TableNotFoundError

from search_index.errors import DiskFull, HomeDamaged
from search_index.model.release import TablePin

TableName = Literal["manifests", "documents", "chunks", "vectors", "points"]

BUCKETS = 8
_INSTANT = pa.timestamp("us", tz="UTC")

SCHEMAS: dict[str, pa.Schema] = {
    "manifests": pa.schema(
        [
            ("source", pa.string()),
            ("document_id", pa.string()),
            ("path", pa.string()),
            ("uri", pa.string()),
            ("size", pa.int64()),
            ("modified_at", _INSTANT),
            ("signature", pa.string()),
            ("raw_sha256", pa.string()),
            ("problem", pa.string()),
        ]
    ),
    "documents": pa.schema(
        [
            ("source", pa.string()),
            ("bucket", pa.int32()),
            ("document_id", pa.string()),
            ("uri", pa.string()),
            ("path", pa.string()),
            ("title", pa.string()),
            ("status", pa.string()),
            ("reason", pa.string()),
            ("remedy", pa.string()),
            ("mime_type", pa.string()),
            ("raw_sha256", pa.string()),
            ("size", pa.int64()),
            ("modified_at", _INSTANT),
            ("parser", pa.string()),
            ("parsed_with", pa.string()),
            ("text", pa.string()),
            ("elements", pa.string()),
            ("access", pa.list_(pa.string())),
            ("metadata", pa.string()),
            ("minhash", pa.binary()),
            ("run_id", pa.string()),
        ]
    ),
    "chunks": pa.schema(
        [
            ("source", pa.string()),
            ("bucket", pa.int32()),
            ("document_id", pa.string()),
            ("chunk_id", pa.string()),
            ("ordinal", pa.int32()),
            ("start", pa.int64()),
            ("end", pa.int64()),
            ("text", pa.string()),
            ("text_sha256", pa.string()),
            ("header", pa.string()),
            ("section", pa.list_(pa.string())),
            ("page_first", pa.int32()),
            ("page_last", pa.int32()),
            ("tokens", pa.int32()),
            ("access", pa.list_(pa.string())),
            ("also_at", pa.list_(pa.string())),
            ("vector_key", pa.string()),
            ("chunker", pa.string()),
            ("cut_from", pa.string()),
            ("run_id", pa.string()),
        ]
    ),
    "vectors": pa.schema(
        [
            ("prefix", pa.string()),
            ("vector_key", pa.string()),
            ("encoder", pa.string()),
            ("vector", pa.list_(pa.float32())),
            ("run_id", pa.string()),
        ]
    ),
    "points": pa.schema(
        [
            ("index", pa.string()),
            ("revision", pa.int64()),
            ("change", pa.string()),
            ("point_id", pa.string()),
            ("chunk_id", pa.string()),
            ("payload_digest", pa.string()),
        ]
    ),
}
_PARTITIONS = {
    "manifests": ["source"],
    "documents": ["source", "bucket"],
    "chunks": ["source", "bucket"],
    "vectors": ["prefix"],
    "points": ["index"],
}
_KEPT_LOG = {"delta.enableExpiredLogCleanup": "false"}
"""A release pins versions for as long as it is kept; after a month Delta would forget how to read them."""
_VERSIONS_KEPT = 16
_UNTOLD = {"run_id", "signature", "bucket", "minhash"}
"""Columns that say how a row came about, or repeat what another says (the MinHash of the text): not part of its digest."""


class Lake:
    """The tables of one home, on local disk or object storage.

    Args:
        url: a folder, or any URL deltalake can write to.

    Errors (from every method):
        DiskFull: there is no room for a write; the table keeps its last version.
        HomeDamaged: a table cannot be read.
    """

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._datasets: dict[tuple[TableName, int], ds.Dataset] = {}

    def _uri(self, table: TableName) -> str:
        return f"{self._url}/{table}"

    def _open(self, table: TableName, version: int | None = None) -> DeltaTable | None:
        try:
            return DeltaTable(self._uri(table), version=version)
        except TableNotFoundError:
            return None

    def version(self, table: TableName) -> int:
        """The table's newest version, -1 before its first write."""
        with self._guard(table):
            found = self._open(table)
            return -1 if found is None else found.version()

    def read(
        self, table: TableName, *, columns: Sequence[str] | None = None, where: pc.Expression | None = None, version: int | None = None
    ) -> pa.Table:
        """Rows of a table, at its newest version or at a pinned one, in no particular order."""
        schema = SCHEMAS[table]
        wanted = list(columns) if columns is not None else schema.names
        with self._guard(table):
            dataset = self._dataset(table, version)
            if dataset is None:
                return pa.schema([schema.field(name) for name in wanted]).empty_table()
            return dataset.to_table(columns=wanted, filter=where).cast(pa.schema([schema.field(name) for name in wanted]))

    def _dataset(self, table: TableName, version: int | None) -> ds.Dataset | None:
        """A version's files, listed once, for a version never changes and a run reads the same ones many times; None before the first."""
        if version == -1:
            return None
        known = None if version is None else self._datasets.get((table, version))
        if known is None:
            opened = self._open(table, version)
            if opened is None:
                return None
            key = (table, opened.version())
            known = self._datasets.get(key)
            if known is None:
                known = opened.to_pyarrow_dataset()
                if len(self._datasets) >= _VERSIONS_KEPT:
                    self._datasets.clear()
                self._datasets[key] = known
        return known

    def read_source(self, table: TableName, source: str, *, columns: Sequence[str] | None = None, version: int | None = None) -> pa.Table:
        """One source's rows."""
        return self.read(table, columns=columns, where=ds.field("source") == source, version=version)

    def replace_documents(self, table: TableName, source: str, documents: Sequence[str], rows: pa.Table) -> int:
        """Replace all rows of these documents by ``rows``, in one commit; gives the new version."""
        found = None if self.version(table) < 0 else True
        if found is None:
            return self._write(table, rows, None)
        listed = ", ".join(_quoted(d) for d in documents)
        buckets = ", ".join(sorted({str(bucket_of(d)) for d in documents}))
        narrowed = f"source = {_quoted(source)} AND bucket IN ({buckets}) AND document_id IN ({listed})"
        return self._write(table, rows, narrowed)

    def replace_source(self, table: TableName, source: str, rows: pa.Table) -> int:
        """Replace all rows of one source, in one commit; gives the new version."""
        return self._write(table, rows, None if self.version(table) < 0 else f"source = {_quoted(source)}")

    def append(self, table: TableName, rows: pa.Table) -> int:
        """Add rows, in one commit; gives the new version."""
        with self._guard(table):
            write_deltalake(self._uri(table), rows, mode="append", partition_by=_PARTITIONS[table], configuration=self._new(table))
        return self.version(table)

    def _write(self, table: TableName, rows: pa.Table, predicate: str | None) -> int:
        with self._guard(table):
            if predicate is None:
                write_deltalake(self._uri(table), rows, mode="append", partition_by=_PARTITIONS[table], configuration=self._new(table))
            else:
                write_deltalake(self._uri(table), rows, mode="overwrite", predicate=predicate)
        return self.version(table)

    def _new(self, table: TableName) -> dict[str, str | None] | None:
        """Configuration for a table that is about to be made."""
        return dict(_KEPT_LOG) if self._open(table) is None else None

    def unreferenced(self, table: TableName, versions: Iterable[int]) -> list[str]:
        """Files, relative to the table, that neither its newest version nor any of ``versions`` reads."""
        return self._vacuumed(table, versions, dry_run=True)

    def delete_unreferenced(self, table: TableName, versions: Iterable[int]) -> list[str]:
        """Delete them. Only to be called while holding the writer's lease: what a writer has not committed yet is read by nobody."""
        return self._vacuumed(table, versions, dry_run=False)

    def _vacuumed(self, table: TableName, versions: Iterable[int], *, dry_run: bool) -> list[str]:
        with self._guard(table):
            found = self._open(table)
            if found is None:
                return []
            if not dry_run and not _KEPT_LOG.items() <= found.metadata().configuration.items():
                found.alter.set_table_properties(dict(_KEPT_LOG))
            kept = sorted({v for v in versions if 0 <= v <= found.version()})
            # ``full`` also finds what a killed write left and no version ever named.
            files = found.vacuum(retention_hours=0, dry_run=dry_run, enforce_retention_duration=False, full=True, keep_versions=kept)
            folder = Path(self._uri(table))
            # Delta lists what an earlier vacuum deleted again, for as long as its log names it.
            return [file for file in files if (folder / file).exists()] if dry_run and folder.is_dir() else files

    def file_size(self, table: TableName, file: str) -> int:
        """Bytes of one of a table's files; 0 where the tables are not on a local disk, or it is gone."""
        try:
            return (Path(self._uri(table)) / file).stat().st_size
        except OSError:
            return 0

    def vectors(self, keys: Iterable[str], version: int | None = None) -> dict[str, memoryview]:
        """The stored vectors of these keys, as float32 bytes each."""
        wanted = set(keys)
        if not wanted:
            return {}
        rows = self.read(
            "vectors", columns=["vector_key", "vector"], where=ds.field("prefix").isin(sorted({k[:1] for k in wanted})), version=version
        )
        rows = rows.filter(pc.is_in(rows["vector_key"], pa.array(sorted(wanted)))).combine_chunks()
        out: dict[str, memoryview] = {}
        for batch in rows.to_batches():
            lists = batch.column("vector")
            values = memoryview(lists.flatten().to_numpy(zero_copy_only=False).tobytes())
            offsets = (lists.offsets.to_numpy() - lists.offsets[0].as_py()) * 4
            for i, key in enumerate(batch.column("vector_key").to_pylist()):
                out[key] = values[offsets[i] : offsets[i + 1]]
        return out

    @contextlib.contextmanager
    def _guard(self, table: TableName) -> Iterator[None]:
        try:
            yield
        except (DeltaError, OSError, pa.ArrowInvalid) as e:
            said = str(e)
            if (isinstance(e, OSError) and e.errno == errno.ENOSPC) or "No space left" in said:
                raise DiskFull(
                    f"The table {table} cannot be written: the disk is full.", "Make room and run the ingest again; nothing is lost."
                ) from e
            raise HomeDamaged(
                f"The table {self._uri(table)} cannot be used: {said.splitlines()[0][:300]}.",
                "Put back a copy of it, or move the folder `lake` away and run `plumbline ingest`: what is live keeps answering.",
            ) from e


def bucket_of(document: str) -> int:
    """The hash bucket of a document id (a uuid)."""
    return int(document[:8], 16) % BUCKETS


def rows_of(table: TableName, rows: list[dict[str, object]]) -> pa.Table:
    """Plain dicts as rows of a table; text that is not valid Unicode is made so."""
    return pa.Table.from_pylist([{k: _storable(v) for k, v in row.items()} for row in rows], schema=SCHEMAS[table])


def _storable(value: object) -> object:
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def rows_digest(rows: pa.Table, key: str) -> str:
    """sha256 of what rows hold, whatever their order or the table's version: every column but those that tell how they came about.

    It is computed from the stored values themselves, so that a row edited behind Plumbline's back has another digest.
    """
    columns = [c for c in sorted(rows.column_names) if c not in _UNTOLD]
    ordered = rows.select(columns).take(pc.sort_indices(rows, sort_keys=[(key, "ascending")])) if rows.num_rows else rows.select(columns)
    digest = hashlib.sha256(json.dumps(columns).encode())
    for name in columns:
        if pa.types.is_timestamp(ordered.schema.field(name).type):  # many times quicker to spell as whole microseconds
            ordered = ordered.set_column(ordered.schema.get_field_index(name), name, ordered[name].cast(pa.int64()))
    for batch in ordered.to_batches(max_chunksize=1000):
        digest.update(json.dumps(batch.to_pylist(), default=str, ensure_ascii=True).encode())
    return digest.hexdigest()


def vectors_digest(vectors: dict[str, memoryview]) -> str:
    """sha256 of vectors with their keys, in the order of the keys."""
    digest = hashlib.sha256()
    for key in sorted(vectors):
        digest.update(key.encode())
        digest.update(vectors[key])
    return digest.hexdigest()


def pin_of(rows: pa.Table, key: str, version: int) -> TablePin:
    """What a release pins of one source's rows."""
    return TablePin(version=version, digest=rows_digest(rows, key), rows=rows.num_rows)


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def folder_bytes(folder: Path) -> int:
    """Bytes that a folder's files take on disk."""
    total = 0
    for base, _, files in os.walk(folder):
        for name in files:
            with contextlib.suppress(FileNotFoundError):  # a run may be replacing files while we count
                total += (Path(base) / name).stat().st_blocks * 512
    return total
