"""What stands before and after a passage, in the same document and of what the principal may see."""

from __future__ import annotations

from search_index.engine.interface import IndexReader, Payload, Visibility
from search_index.model.passage import Neighbour, Span


def neighbours_of(reader: IndexReader, visibility: Visibility, payload: Payload, reach: int) -> list[Neighbour]:
    """Passages up to ``reach`` before and after one, in reading order. One that is not visible leaves a gap in the offsets."""
    place = _ordinal(payload)
    found = reader.find(visibility, document_id=str(payload["document_id"]), ordinals=(place - reach, place + reach))
    return [_neighbour(_ordinal(other) - place, other) for other in found if other["chunk_id"] != payload["chunk_id"]]


def _ordinal(payload: Payload) -> int:
    return int(str(payload.get("ordinal") or 0))


def _neighbour(offset: int, payload: Payload) -> Neighbour:
    return Neighbour.model_validate(
        {
            "offset": offset,
            "chunk_id": payload["chunk_id"],
            "text": payload["text"],
            "page": payload.get("page_first"),
            "page_last": payload.get("page_last"),
            "section": payload.get("section") or [],
            "span": Span.model_validate({"start": payload["start"], "end": payload["end"]}),
        }
    )
