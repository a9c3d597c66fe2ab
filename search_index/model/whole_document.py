"""A document as it is answered: what it is, and its passages in the order they stand in."""

from __future__ import annotations

from pydantic import BaseModel, Field

from search_index.model.filters import Scalar
from search_index.model.passage import Span
from search_index.model.search import ReleaseRef


class DocumentPassage(BaseModel):
    """One passage of a document."""

    chunk_id: str
    text: str
    page: int | None
    page_last: int | None
    section: list[str]
    span: Span


class DocumentAnswer(BaseModel):
    """A document as the index holds it: what it is, and a page of its passages."""

    document_id: str
    source: str
    uri: str
    title: str
    modified_at: str | None
    metadata: dict[str, Scalar | list[str]]
    release: ReleaseRef
    passages: list[DocumentPassage]
    total: int = Field(description="passages of the document that you may see")
    next_offset: int | None = Field(None, description="`offset` of the next page; null on the last")
