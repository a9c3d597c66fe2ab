"""Putting a published revision's collection back from a reader that holds the same: after the server lost it, or from another engine."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow.compute as pc

from search_index.engine.about import About
from search_index.engine.interface import IndexReader
from search_index.engine.server import ServerEngine
from search_index.engine.server_collection import WRITTEN
from search_index.engine.server_ledger import Place, ServerAbout
from search_index.engine.stored_point import Batch, new_metadata_fields, weighted_terms
from search_index.engine.tenant_statistics import ByTenant, tenants_of
from search_index.errors import RevisionUnknown
from search_index.model.document import sha256

_RESTORED = "restored"


def restore(engine: ServerEngine, index: str, about: About, reader: IndexReader) -> None:
    """Make a new collection of every point that ``reader`` holds, and let revision ``about.revision`` be in it.

    Whoever reads the old collection goes on until the folder of the revision names the new one; then the old one goes, unless another
    revision is in it. Killed before that, it is begun again from nothing: the new collection's name follows from the old one's.

    Args:
        about: what the revision is. Its ledger and statistics are taken from ``reader``, whose content has to be the same.
    """
    old = engine.folders.place(index, about.revision)
    place = Place(begun=about.revision, token=sha256(f"{_RESTORED} {old.token if old else index}")[:12])
    stored = engine.collection(index, place)
    stored.drop()
    stored.create(about.dimension)
    fields: dict[str, str] = {}
    for batch in _batches(reader, about):
        added = new_metadata_fields(batch.payloads, fields)
        stored.index_metadata(added)
        fields |= added
        stored.upsert(batch)
    made = ServerAbout(**about.model_dump(exclude={"fields"}), fields=fields, place=place)
    statistics = {revision: _statistics(reader, revision) for revision in _answered(reader, about)}
    if old is None:
        engine.folders.begin(index, about.revision, place)
    engine.folders.fill(index, about.revision, reader.ledger(), statistics, [])
    engine.folders.finish(index, made)
    engine.folders.begin(index, about.revision, place)
    if old is not None and old not in {engine.folders.place(index, other) for other in engine.folders.revisions(index)}:
        engine.collection(index, old).drop()


def _statistics(reader: IndexReader, revision: int) -> ByTenant:
    found = {tenant: reader.statistics(revision, tenant) for tenant in sorted(tenants_of(reader.ledger()))}
    return {tenant: each for tenant, each in found.items() if each.documents}


def _answered(reader: IndexReader, about: About) -> list[int]:
    """Revisions whose statistics are needed: where any between may be asked for, each that changed something."""
    ledger = reader.ledger()
    changed = {int(each) for end in ("valid_from", "valid_to") for each in pc.unique(ledger[end]).to_pylist()}
    wanted = {*changed, about.revision} if about.retained is None else {*about.retained, about.revision}
    found = []
    for revision in sorted(each for each in wanted if each <= about.revision):
        try:
            reader.check(revision)
        except RevisionUnknown:
            continue
        found.append(revision)
    return found


def _batches(reader: IndexReader, about: About) -> Iterator[Batch]:
    ledger = reader.ledger()
    for start in range(0, ledger.num_rows, WRITTEN):
        rows = ledger.slice(start, WRITTEN).combine_chunks()
        ids = rows["point_id"].to_pylist()
        payloads = reader.payloads(ids)
        terms = [
            weighted_terms(held, counts, about.bm25, tenant)
            for held, counts, tenant in zip(*(rows[name].to_pylist() for name in ("term_ids", "term_counts", "tenant")), strict=True)
        ]
        yield Batch(ids, reader.vectors(ids), terms, [payloads[point] for point in ids], rows)
