"""Passages for a language model: what is asked for, and what it is given to read and to cite."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from search_index.model.passage import Provenance, Span
from search_index.model.search import Degraded, Hint, Mode, Question, ReleaseRef


class ContextRequest(Question):
    """A question, and how much of the answer's ground there is room for."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"query": "how long must a plumb bob settle?", "budget": 800},
                {"query": "how is a release rolled back?", "budget": 2000, "order": "document", "diversity": 0.3, "neighbours": 1},
            ]
        },
    )

    budget: int = Field(2000, ge=16, le=100_000, description="most tokens of `text`, as the release's own model counts them")
    order: Literal["relevance", "document"] = Field(
        "relevance", description="best first; or document by document, the best one first, each in reading order"
    )
    passages: int = Field(30, ge=1, le=100, description="how many of the best passages are considered")


class Cited(BaseModel):
    """A stretch of one document, of one passage or of several that touch."""

    citation: int = Field(description="the number it has in `text`")
    document_id: str
    source: str
    uri: str
    title: str
    chunk_ids: list[str]
    text: str
    page: int | None
    page_last: int | None
    section: list[str]
    span: Span
    score: float | None = Field(description="of the best passage in it; null where it was only a neighbour of one")
    whole: bool = Field(description="false where the budget had no room for all of the only passage")
    provenance: Provenance | None = Field(description="of its best passage; null for a neighbour")


class Dropped(BaseModel):
    """A passage that was considered and is not in the text."""

    chunk_id: str
    reason: Literal["budget", "repeats"]
    of: int | None = Field(None, description="the citation that says the same")


class ContextAnswer(BaseModel):
    """What to put before a language model, with citations."""

    query: str
    mode: Mode
    release: ReleaseRef
    text: str = Field(description="the passages as one text, each below a line with its number and where it stands")
    tokens: int = Field(description="of `text`")
    budget: int
    tokenizer: str = Field(description="the model whose tokens are counted; a language model's own count differs by some")
    passages: list[Cited]
    dropped: list[Dropped]
    confidence: float | None
    answerable: bool | None
    degraded: list[Degraded]
    hints: list[Hint]
    took_ms: float
