"""Holding a collection against the ledger of a revision."""

from __future__ import annotations

import pyarrow.compute as pc

from search_index.engine.server_client import REBUILD
from search_index.engine.server_collection import Collection
from search_index.engine.server_filters import visible_at
from search_index.engine.server_reader import ServerReader
from search_index.errors import HomeDamaged, RevisionUnknown


def ensure_whole(reader: ServerReader, stored: Collection) -> None:
    """Make sure that the collection has as many points that a revision sees as its ledger.

    Raises:
        HomeDamaged: it has not: points were lost, or somebody else wrote to the collection.
    """
    revision = reader.directory_revision
    rows = reader.ledger()
    expected = int(pc.sum(pc.greater(rows["valid_to"], revision)).as_py() or 0)
    found = stored.count(visible_at(revision)) if stored.exists() else 0
    if found != expected:
        raise HomeDamaged(f"{stored.name} holds {found} points that revision {revision} sees, and its ledger {expected}.", REBUILD)


def strays(reader: ServerReader, stored: Collection) -> list[str]:
    """What the collection shows that the ledger does not know, of every revision that is answered for; a sentence each."""
    rows = reader.ledger().select(["point_id", "valid_from", "valid_to"])
    known, said = set(rows["point_id"].to_pylist()), []
    revision = reader.directory_revision
    unknown = [str(record.id) for record in stored.scroll(visible_at(revision), payload=False) if str(record.id) not in known]
    if unknown:
        said.append(f"{len(unknown)} points are stored that the ledger of revision {revision} does not know, {unknown[0]} for one.")
    for held in sorted({*rows["valid_from"].to_pylist()}):
        try:
            reader.check(held)
        except RevisionUnknown:
            continue
        seen = int(pc.sum(pc.and_(pc.less_equal(rows["valid_from"], held), pc.greater(rows["valid_to"], held))).as_py() or 0)
        if (found := stored.count(visible_at(held))) != seen:
            said.append(f"Revision {held} sees {found} points, and its ledger {seen}.")
    return said
