"""Other documents that hold a passage, as far as whoever asks may know of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from search_index.engine.interface import IndexReader, Payload, Visibility
from search_index.model.filters import Filters

_AT_ONCE: Final = 500
"""Documents that a filter names in one question."""


def hidden_places(payloads: Iterable[Payload], reader: IndexReader, visibility: Visibility) -> frozenset[str]:
    """Ids of the near-duplicates that these passages name and that may not be seen.

    Documents of equal access were compared when the passage was made, and any of them may have become another's since. One that is not
    in the release, because the passage stands for it as well, may be known by whoever reads the passage, unless it is excluded or was
    ever for others alone.

    Args:
        visibility: its filters do not matter here.
    """
    named = sorted({str(place["document_id"]) for payload in payloads for place in _places(payload)})
    if not named:
        return frozenset()
    seen: set[str] = set()
    for start in range(0, len(named), _AT_ONCE):
        seen.update(reader.documents(replace(visibility, filters=Filters(documents=named[start : start + _AT_ONCE]))))
    unseen = [document for document in named if document not in seen]
    barred = _barred(reader, visibility, unseen) if unseen else set[str]()
    return frozenset(document for document in unseen if document in barred or document in visibility.excluded_documents)


def _places(payload: Payload) -> list[dict[str, object]]:
    places = payload.get("near_duplicates")
    return [dict(place) for place in places if isinstance(place, dict)] if isinstance(places, list) else []


def _barred(reader: IndexReader, sight: Visibility, documents: list[str]) -> set[str]:
    """Those of which some passage, in whatever revision, may not be read with these groups."""
    ledger = reader.ledger().select(["document_id", "tenant", "access"])
    rows = ledger.filter(pc.is_in(ledger["document_id"], pa.array(documents, pa.string()))).to_pylist()
    return {row["document_id"] for row in rows if row["tenant"] != sight.tenant or sight.groups.isdisjoint(row["access"])}
