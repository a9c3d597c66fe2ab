"""The release that the live one is held against, and a source's rows as either has them."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from pipelines.tables import Lake, bucket_of
from quality_checks.drift import Sample
from quality_checks.drift_resampling import DOCUMENTS, VECTORS, Terms, Vectors
from quality_checks.languages import languages_of
from search_index.engine.interface import IndexReader
from search_index.home import Home, newest_with_index
from search_index.model.release import Manifest, ReleaseRecord
from search_index.retention import retained_revisions

LANGUAGE_DOCUMENTS = 200


@dataclass(frozen=True)
class SourceRows:
    """One source as one release holds it: what drift is looked for in.

    ``sizes`` (bytes) and ``passages_each`` have one number a document, ``tokens`` one a passage. ``vectors`` are of one passage each of
    at most ``VECTORS`` documents, ``terms`` of at most ``DOCUMENTS``, ``languages`` of at most ``LANGUAGE_DOCUMENTS``.
    """

    documents: int
    passages: int
    sizes: Sample
    passages_each: Sample
    tokens: Sample
    languages: Counter[str]
    groups: Counter[str]
    terms: Terms
    vectors: Vectors


def baseline_of(home: Home, live: ReleaseRecord, source: str) -> ReleaseRecord | None:
    """The newest retained release with this source that is at least ``drift_baseline_days`` older than the live one, else the oldest."""
    catalog, settings = home.catalog, home.settings
    kept = [catalog.release(r) for r in retained_revisions(catalog, settings.retain_releases) if r < live.revision]
    older = [record for record in kept if record.published_at and record.manifest and source in record.manifest.sources]
    least = timedelta(days=settings.drift_baseline_days)
    aged = [r for r in older if r.published_at and live.published_at and live.published_at - r.published_at >= least]
    return aged[-1] if aged else next(iter(older), None)


@contextlib.contextmanager
def points_of(home: Home, manifest: Manifest) -> Iterator[tuple[IndexReader, pa.Table]]:
    """The reader of a release's index, and the points that the release shows, as the ledger has them.

    Errors:
        RevisionUnknown: the index does not hold that release any more.
        HomeDamaged: it cannot be read.
    """
    newest = newest_with_index(home, manifest.index).revision
    reader = home.engine.open(manifest.index, newest, head=newest)
    try:
        reader.check(manifest.revision)
        shown = (pc.field("valid_from") <= manifest.revision) & (pc.field("valid_to") > manifest.revision)
        yield reader, reader.ledger().filter(shown)
    finally:
        reader.close()


def source_rows(lake: Lake, manifest: Manifest, source: str, points: pa.Table) -> SourceRows:
    """Read a source at the table versions that a release pins.

    Args:
        points: the release's, of all sources.
    """
    pin = manifest.sources[source]
    documents = lake.read_source("documents", source, columns=["document_id", "size", "status"], version=pin.documents.version)
    documents = documents.filter(pc.equal(documents["status"], "ok"))
    chunks = lake.read_source(
        "chunks", source, columns=["chunk_id", "document_id", "tokens", "access", "vector_key"], version=pin.chunks.version
    )
    each = Counter(chunks["document_id"].to_pylist())
    return SourceRows(
        documents=documents.num_rows,
        passages=chunks.num_rows,
        sizes=_numbers(documents["size"]),
        passages_each=np.array([each[d] for d in documents["document_id"].to_pylist()], dtype=np.float64),
        tokens=_numbers(chunks["tokens"]),
        languages=languages_of(_texts(lake, source, documents["document_id"].to_pylist(), pin.documents.version)),
        groups=Counter(group for groups in chunks["access"].to_pylist() for group in groups or ()),
        terms=_terms(points.filter(pc.equal(points["source"], source))),
        vectors=_vectors(lake, chunks, pin.vectors.version),
    )


def _numbers(column: pa.ChunkedArray) -> Sample:
    return np.array(pc.fill_null(column, 0).to_pylist(), dtype=np.float64)


def _lowest(documents: list[str], most: int) -> list[str]:
    """Ids are hashes: the lowest are a random sample, and nearly the same one from release to release."""
    return sorted(set(documents))[:most]


def _texts(lake: Lake, source: str, documents: list[str], version: int) -> list[str]:
    chosen = _lowest(documents, LANGUAGE_DOCUMENTS)
    buckets = sorted({bucket_of(d) for d in chosen})
    where = (ds.field("source") == source) & ds.field("bucket").isin(buckets) & ds.field("document_id").isin(chosen)
    texts: list[str] = lake.read("documents", columns=["text"], where=where, version=version)["text"].to_pylist()
    return texts


def _terms(points: pa.Table) -> Terms:
    chosen = _lowest(points["document_id"].to_pylist(), DOCUMENTS)
    of_them = points.filter(pc.is_in(points["document_id"], pa.array(chosen, pa.string()))).combine_chunks()
    numbers = {document: number for number, document in enumerate(chosen)}
    lengths = pc.list_value_length(of_them["term_ids"]).to_pylist()
    owners = [numbers[d] for d in of_them["document_id"].to_pylist()]
    ids, counts = (np.array(pc.list_flatten(of_them[name]).to_pylist(), dtype=np.uint32) for name in ("term_ids", "term_counts"))
    return Terms(len(chosen), np.repeat(np.array(owners, dtype=np.int64), np.array(lengths, dtype=np.int64)), ids, counts)


def _vectors(lake: Lake, chunks: pa.Table, version: int) -> Vectors:
    """Of one passage of each document: passages of one document are too much alike to count each for itself."""
    first: dict[str, tuple[str, str]] = {}
    columns = (chunks[name].to_pylist() for name in ("document_id", "chunk_id", "vector_key"))
    for document, chunk, key in zip(*columns, strict=True):
        first[document] = min(first.get(document, (chunk, key)), (chunk, key))
    keys = [first[document][1] for document in _lowest(list(first), VECTORS)]
    stored = lake.vectors(keys, version=version)
    found = [np.frombuffer(stored[key], dtype=np.float32) for key in keys if key in stored]
    return np.stack(found) if found else np.empty((0, 0), np.float32)
