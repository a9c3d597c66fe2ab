"""Putting a published revision's collection back from a reader that holds the same: after the server lost it, or from another engine."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow.compute as pc

from search_index.bm25 import term_weights
from search_index.engine.about import About
from search_index.engine.interface import IndexReader
from search_index.engine.server import ServerEngine
from search_index.engine.server_collection import WRITTEN
from search_index.engine.server_ledger import Place, ServerAbout
from search_index.engine.stored_point import Batch, new_metadata_fields
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
    statistics = {revision: reader.statistics(revision) for revision in _answered(reader, about)}
    if old is None:
        engine.folders.begin(index, about.revision, place)
    engine.folders.fill(index, about.revision, reader.ledger(), statistics, [])
    engine.folders.finish(index, made)
    engine.folders.begin(index, about.revision, place)
    if old is not None and old not in {engine.folders.place(index, other) for other in engine.folders.revisions(index)}:
        engine.collection(index, old).drop()


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
            (held, term_weights(np.asarray(counts, dtype=np.uint32), sum(counts), about.bm25).astype(np.float32).tolist())
            for held, counts in zip(rows["term_ids"].to_pylist(), rows["term_counts"].to_pylist(), strict=True)
        ]
        yield Batch(ids, reader.vectors(ids), terms, [payloads[point] for point in ids], rows)
