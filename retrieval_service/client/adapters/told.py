"""What every framework is told of a hit beside its text."""

from __future__ import annotations

from pydantic import JsonValue as Json

from search_index.model.search import Hit, SearchAnswer

_TOLD = {"document_id", "chunk_id", "source", "uri", "title", "page", "section", "modified_at", "score"}


def told_of(answer: SearchAnswer, hit: Hit) -> dict[str, Json]:
    """Where a passage stands and came from, which release and answer it is of, and the document's own metadata under ``metadata``."""
    return {
        **hit.model_dump(
            mode="json", include={"document_id", "chunk_id", "source", "uri", "title", "page", "section", "modified_at", "score"}
        ),
        "start": hit.span.start,
        "end": hit.span.end,
        "metadata": hit.model_dump(mode="json", include={"metadata"})["metadata"],
        "run_id": hit.provenance.run_id,
        "raw_sha256": hit.provenance.raw_sha256,
        "release": answer.release.revision,
        "answer": answer.id,
        "confidence": answer.confidence,
        "answerable": answer.answerable,
    }
