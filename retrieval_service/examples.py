"""Answers as the OpenAPI document shows them; the requests they belong to stand with their models."""

from __future__ import annotations

from typing import Final, TypeAlias

from pydantic import JsonValue as Json

Example: TypeAlias = dict[str, Json]

_RELEASE: Final[Example] = {
    "revision": 7,
    "index": "5d0c9b1e" * 8,
    "run_id": "0f9c4b1e-6d1a-4c67-9a56-2a3a8a7f1c11",
    "published_at": "2026-11-21T09:30:11Z",
}
_PROVENANCE: Final[Example] = {
    "raw_sha256": "9b" * 32,
    "parser": "unstructured 0.27.32",
    "chunker": "c4" * 32,
    "model_digest": "53" * 32,
    "encoder": "e1" * 32,
    "run_id": "0f9c4b1e-6d1a-4c67-9a56-2a3a8a7f1c11",
    "release": 3,
}
_CHUNK: Final = "5f0c55ee-5a0c-5b51-8d28-3c4a2f3f6f01"
_DOCUMENT: Final = "0b9f6c1e-5c6f-5f0b-8a9d-6a5e4c3b2a10"
_TEXT: Final = "Let the bob hang for at least four minutes before it is read."
_PASSAGE: Final[Example] = {
    "chunk_id": _CHUNK,
    "text": _TEXT,
    "page": 2,
    "page_last": 2,
    "section": ["Field Inspection Manual", "5 Plumb and verticality"],
    "span": {"start": 3012, "end": 3073},
}
_PLACE: Final[Example] = {
    "document_id": _DOCUMENT,
    "source": "samples",
    "uri": "samples:inspection-manual.pdf",
    "title": "Field Inspection Manual",
}

SEARCH_ANSWER: Final[Example] = {
    "query": "how long must a plumb bob settle",
    "mode": "hybrid",
    "release": _RELEASE,
    "hits": [
        {
            **_PASSAGE,
            **_PLACE,
            "rank": 1,
            "score": 0.97,
            "scores": {"dense": 0.61, "sparse": 11.4},
            "modified_at": "2026-03-01T09:30:00Z",
            "metadata": {"author": "Inspection office"},
            "near_duplicates": [],
            "provenance": _PROVENANCE,
            "highlights": [{"start": 8, "end": 11, "terms": ["bob"]}],
        }
    ],
    "facets": {
        "source": {"values": [{"value": "samples", "documents": 12}], "more_values": 0, "documents": 12, "missing": 0},
    },
    "confidence": 0.83,
    "answerable": True,
    "next": "WzcsNywxMCwxNzk1NjAwMDAwXQ.7d1f…",
    "next_offset": 10,
    "degraded": [],
    "hints": [],
    "took_ms": 9.2,
}

BATCH_ANSWER: Final[Example] = {
    "release": _RELEASE,
    "answers": [
        {"answer": SEARCH_ANSWER, "problem": None},
        {
            "answer": None,
            "problem": {
                "type": "urn:plumbline:problem:filter-invalid",
                "title": "Filter invalid",
                "status": 422,
                "detail": "No document that you may read has the metadata field 'colour'.",
                "remedy": "There are: author, language.",
                "request_id": "9f2c61d05b7e4a38",
            },
        },
    ],
}

CONTEXT_ANSWER: Final[Example] = {
    "query": "how long must a plumb bob settle?",
    "mode": "hybrid",
    "release": _RELEASE,
    "text": "[1] Field Inspection Manual (samples:inspection-manual.pdf, page 2, Field Inspection Manual > 5 Plumb and verticality)\n"
    + _TEXT,
    "tokens": 46,
    "budget": 800,
    "tokenizer": "all-MiniLM-L6-v2",
    "passages": [
        {
            **_PLACE,
            **{name: _PASSAGE[name] for name in ("text", "page", "page_last", "section", "span")},
            "citation": 1,
            "chunk_ids": [_CHUNK],
            "score": 0.97,
            "whole": True,
            "provenance": _PROVENANCE,
        }
    ],
    "dropped": [{"chunk_id": "6f0c55ee-5a0c-5b51-8d28-3c4a2f3f6f01", "reason": "repeats", "of": 1}],
    "confidence": 0.83,
    "answerable": True,
    "degraded": [],
    "hints": [],
    "took_ms": 14.8,
}

AGENT_ANSWER: Final[Example] = {
    "id": "5f0c3d7a9e1b42d8a6c4f001",
    "query": "How did the settling time on Sand Bridge change?",
    "mode": "hybrid",
    "release": _RELEASE,
    "hits": [
        {
            **_PASSAGE,
            **_PLACE,
            "rank": 1,
            "score": 0.97,
            "scores": {"dense": 0.61, "sparse": 11.4},
            "modified_at": "2026-03-01T09:30:00Z",
            "metadata": {"author": "Inspection office"},
            "near_duplicates": [],
            "provenance": _PROVENANCE,
        }
    ],
    "aspects": [{"name": "Sand Bridge", "documents": 1, "hits": [1]}],
    "trace": [
        {
            "number": 1,
            "action": "search",
            "why": "the question as it is",
            "query": "How did the settling time on Sand Bridge change?",
            "filters": None,
            "found": 30,
            "documents": 9,
            "decided": "",
            "took_ms": 9.1,
        },
        {
            "number": 2,
            "action": "look up",
            "why": "'Sand Bridge' may be a name",
            "query": "Sand Bridge",
            "filters": None,
            "found": 14,
            "documents": 1,
            "decided": "a name of 1 document of 12",
            "took_ms": 2.3,
        },
    ],
    "stopped": "complete",
    "tokens": 16,
    "answerable": True,
    "degraded": [],
    "hints": [],
    "took_ms": 24.6,
}

DOCUMENT_ANSWER: Final[Example] = {
    **_PLACE,
    "modified_at": "2026-03-01T09:30:00Z",
    "metadata": {"author": "Inspection office"},
    "release": _RELEASE,
    "passages": [_PASSAGE],
    "total": 1,
    "next_offset": None,
}


def shown(example: Example) -> dict[str, dict[str, Example]]:
    """An answer as OpenAPI wants it."""
    return {"application/json": {"example": example}}
