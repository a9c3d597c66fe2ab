"""``GET /v1/documents/{id}``: the passages of one document, in the order they stand in."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime

from retrieval_service.access import require
from retrieval_service.asking import release_asked_for
from retrieval_service.deps import LiveDep, PrincipalDep
from retrieval_service.examples import DOCUMENT_ANSWER, shown
from search_index.engine.interface import Payload
from search_index.errors import NotFound
from search_index.model.document import document_id
from search_index.model.whole_document import DocumentAnswer, DocumentPassage

router = APIRouter(tags=["search"])


@router.get(
    "/v1/documents/{id:path}",
    summary="A document's passages",
    operation_id="get_document",
    responses={200: {"description": "The document, and a page of its passages.", "content": shown(DOCUMENT_ANSWER)}},
)
def get_document(
    id: str,
    live: LiveDep,
    principal: PrincipalDep,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    as_of: Annotated[int | AwareDatetime | None, Query(description="a revision, or the release that was live at an instant")] = None,
) -> DocumentAnswer:
    """The document of an id or an address (`source:path`). One that may not be read is not told from one that does not exist."""
    require(principal, "search")
    if as_of is not None:
        require(principal, "history")
    source, separator, path = id.partition(":")
    with live.acquire() as serving:
        release = release_asked_for(as_of, serving)
        loaded = serving.loaded
        loaded.reader.check(release.revision)
        visible = loaded.searcher.sight(release.revision, principal)
        found = loaded.reader.find(visible, document_id=document_id(source, path) if separator else id)
    if not found:
        raise NotFound(f"There is no document {id[:200]}, or none that you may read.", "Give an id or address as hits have them.")
    first, shown = found[0], found[offset : offset + limit]
    return DocumentAnswer.model_validate(
        {
            **{name: first[name] for name in ("document_id", "source", "uri", "title")},
            "modified_at": first.get("modified_at"),
            "metadata": first.get("metadata") or {},
            "release": release,
            "passages": [_passage(payload) for payload in shown],
            "total": len(found),
            "next_offset": offset + limit if offset + limit < len(found) else None,
        }
    )


def _passage(payload: Payload) -> DocumentPassage:
    return DocumentPassage.model_validate(
        {
            "chunk_id": payload["chunk_id"],
            "text": payload["text"],
            "page": payload.get("page_first"),
            "page_last": payload.get("page_last"),
            "section": payload.get("section") or [],
            "span": {"start": payload["start"], "end": payload["end"]},
        }
    )
