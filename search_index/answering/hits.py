"""A stored passage as it is answered."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pydantic import JsonValue as Json

from search_index.model.search import Hit, Part


def hit_of(rank: int, payload: Mapping[str, Json], score: float, scores: Mapping[Part, float], excluded: Collection[str]) -> Hit:
    """A passage as it is answered.

    Args:
        excluded: ids of documents that may not be read now, whose addresses are not shown among its near-duplicates.
    """
    places = payload.get("near_duplicates")
    return Hit.model_validate(
        {
            **{name: payload[name] for name in ("chunk_id", "document_id", "source", "uri", "title", "text")},
            "rank": rank,
            "score": score,
            "scores": scores,
            "page": payload.get("page_first"),
            "page_last": payload.get("page_last"),
            "section": payload.get("section") or [],
            "span": {"start": payload["start"], "end": payload["end"]},
            "modified_at": payload.get("modified_at"),
            "metadata": payload.get("metadata") or {},
            "near_duplicates": [p for p in places if isinstance(p, dict) and p["document_id"] not in excluded]
            if isinstance(places, list)
            else [],
            "provenance": {
                **{name: payload[name] for name in ("raw_sha256", "parser", "chunker", "model_digest", "encoder", "run_id")},
                "release": payload["valid_from"],
            },
        }
    )
