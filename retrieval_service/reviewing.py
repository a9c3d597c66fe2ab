"""Answers to look at, without what whoever looks may not read."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from search_index.engine.interface import IndexReader, Visibility
from search_index.model.document import document_id
from search_index.model.usage import Feedback, ReviewItem


def readable(items: Sequence[ReviewItem], reader: IndexReader, sight: Visibility) -> list[ReviewItem]:
    """The same items, naming passages and quoting documents only as far as ``sight`` lets them be seen.

    What people said stays countable: its kind is left, without passage, address, quote and note.
    """
    if not items:
        return []
    documents = frozenset(reader.documents(sight))
    chunks = _seen_chunks(items, reader, sight, documents)
    return [
        item.model_copy(
            update={
                "chunks": [chunk for chunk in item.chunks if chunk in chunks],
                "feedback": [_readable(said, chunks, documents) for said in item.feedback],
            }
        )
        for item in items
    ]


def _seen_chunks(items: Sequence[ReviewItem], reader: IndexReader, sight: Visibility, documents: frozenset[str]) -> frozenset[str]:
    """Those of the named passages that stand, or stood, in a document that may be seen, for some group that may see it."""
    named = {chunk for item in items for chunk in item.chunks} | {s.chunk_id for item in items for s in item.feedback if s.chunk_id}
    ledger = reader.ledger().select(["chunk_id", "document_id", "tenant", "access"])
    rows = ledger.filter(pc.is_in(ledger["chunk_id"], pa.array(sorted(named), pa.string()))).to_pylist()
    return frozenset(
        row["chunk_id"]
        for row in rows
        if row["document_id"] in documents and row["tenant"] == sight.tenant and not sight.groups.isdisjoint(row["access"])
    )


def _readable(said: Feedback, chunks: frozenset[str], documents: frozenset[str]) -> Feedback:
    source, _, path = (said.uri or "").partition(":")
    of_hidden_chunk = said.chunk_id is not None and said.chunk_id not in chunks
    of_hidden_document = said.uri is not None and document_id(source, path) not in documents
    if of_hidden_chunk or of_hidden_document:
        return said.model_copy(update={"chunk_id": None, "uri": None, "quote": None, "note": None})
    return said
