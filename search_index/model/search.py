"""A search, its answer, and who asks."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, StringConstraints, model_validator

from search_index.model.explanation import Explanation
from search_index.model.filters import Filters as Filters
from search_index.model.filters import Scalar as Scalar
from search_index.model.passage import Facet, Group, Highlight, Neighbour
from search_index.model.passage import Place as Place
from search_index.model.passage import Provenance as Provenance
from search_index.model.passage import Span as Span
from search_index.model.sent import Sent
from search_index.model.tenant import DEFAULT_TENANT

Mode = Literal["hybrid", "dense", "sparse", "lexical"]
"""``lexical``: the words alone, by rank-bm25 over passages in memory. It stands in for the others when the engine is gone."""
Arm = Literal["dense", "sparse"]
Part = Literal["dense", "sparse", "rerank"]
"""What scores passages: an arm, or the reranker that scores the best of both anew."""
Stage = Literal["dense", "sparse", "rerank", "feedback", "verbatim", "diversity", "facets", "neighbours", "highlights", "explanation"]
"""What an answer may have to do without."""

EVERYONE = "everyone"
"""The access group every principal belongs to."""

OPEN_END = 2**53
"""``valid_to`` of a point that is still current: larger than any revision, exact as a float."""


DEEPEST = 1000
"""How far paging goes."""

EXAMPLES: list[JsonValue] = [
    {"query": "how is a release rolled back?", "limit": 5},
    {
        "query": "which bridge was inspected",
        "limit": 3,
        "group_by": "document",
        "group_size": 2,
        "highlight": True,
        "facets": ["source", "modified_at.year"],
    },
    {
        "query": "how long must a plumb bob settle",
        "mode": "hybrid",
        "explain": True,
        "neighbours": 1,
        "diversity": 0.3,
        "deadline_ms": 5000,
    },
]


class Principal(BaseModel):
    """Who asks: tenant and groups decide what may be read, the scopes what may be done."""

    model_config = ConfigDict(frozen=True)

    name: str = "anonymous"
    tenant: str = DEFAULT_TENANT
    groups: frozenset[str] = frozenset({EVERYONE})
    scopes: frozenset[str] = frozenset({"search", "history", "governance"})


class Question(Sent):
    """What every way of asking takes."""

    query: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)]
    mode: Mode = "hybrid"
    filters: Filters = Field(default_factory=Filters)
    as_of: int | AwareDatetime | None = Field(None, description="a revision, or the release that was live at an instant")
    diversity: float = Field(
        0.0,
        ge=0,
        le=1,
        description="0 orders by relevance alone, 1 by difference from what stands above alone (maximal marginal relevance); hits are then"
        " not in order of their scores",
    )
    neighbours: int = Field(0, ge=0, le=5, description="passages before and after each hit, of the same document")
    deadline_ms: int | None = Field(None, ge=1, le=60_000, description="what cannot begin within this time is left out, by name")


class SearchRequest(Question):
    """One question to the index."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": EXAMPLES})

    limit: int = Field(10, ge=1, le=100, description="passages, or documents where the answer is grouped")
    offset: int = Field(0, ge=0, le=DEEPEST, description=f"how many of the best to skip; `offset` and `limit` reach {DEEPEST} at most")
    cursor: str | None = Field(
        None, max_length=500, description="`next` of the page before; the rest of the request as it was: the page after, of that release"
    )
    group_by: Literal["document"] | None = Field(None, description="`document`: its best passages together, ranked as the best of them")
    group_size: int = Field(1, ge=1, le=10, description="most passages of one document, where the answer is grouped")
    highlight: bool = Field(False, description="where the query's words stand in each hit")
    explain: bool = Field(False, description="how each score came about")
    facets: list[Annotated[str, StringConstraints(min_length=1, max_length=200)]] = Field(
        default_factory=list,
        max_length=10,
        description="`source`, `modified_at.year`, `modified_at.month` or `metadata.NAME`: how many documents that the filters let through"
        " have which value",
    )
    facet_limit: int = Field(10, ge=1, le=100, description="most values of one facet")

    @model_validator(mode="after")
    def _not_too_deep(self) -> SearchRequest:
        if self.offset + self.limit > DEEPEST:
            raise ValueError(f"offset and limit reach {DEEPEST} at most; narrow the search with filters instead")
        if self.cursor is not None and self.offset:
            raise ValueError("a cursor says itself where it goes on: leave offset out")
        return self


def _is_none(value: object) -> bool:
    """So that what was not asked for is not in the answer, not even as null."""
    return value is None


class Hit(BaseModel):
    """One passage that answers, with its scores and where it came from."""

    rank: int
    chunk_id: str
    document_id: str
    source: str
    uri: str
    title: str
    text: str
    score: float
    scores: dict[Part, float] = Field(
        description="each part's own score: cosine for dense, BM25 for sparse, from 0 to 1 for rerank, which only the best of a"
        " hybrid search have, and only where the release pins a reranker"
    )
    page: int | None
    page_last: int | None
    section: list[str]
    span: Span
    modified_at: datetime | None
    metadata: dict[str, Scalar | list[str]]
    near_duplicates: list[Place] = Field(default_factory=list, description="other documents that hold this passage, or nearly")
    provenance: Provenance
    highlights: list[Highlight] | None = Field(None, description="where asked for", exclude_if=_is_none)
    neighbours: list[Neighbour] | None = Field(None, description="where asked for, in reading order", exclude_if=_is_none)
    explanation: Explanation | None = Field(None, description="where asked for", exclude_if=_is_none)


class Degraded(BaseModel):
    """A part of the work that was left out of an answer, and why: an arm, the reranker, or what there was no time for (`deadline`)."""

    arm: Stage
    reason: str


class ReleaseRef(BaseModel):
    """Which release answered."""

    revision: int
    index: str = Field(description="fingerprint of model, chunkers and BM25 settings")
    run_id: str
    published_at: datetime | None


class Hint(BaseModel):
    """Why an answer may be empty or poor, and what to do."""

    code: Literal["nothing_indexed", "all_filtered_out", "held", "quarantined", "low_scores", "no_good_answer", "no_terms_known"]
    message: str


class SearchAnswer(BaseModel):
    """Hits, best first, all from one release."""

    id: str | None = Field(None, description="what feedback on this answer names; null where no log of queries is kept")
    query: str
    mode: Mode
    release: ReleaseRef
    hits: list[Hit]
    confidence: float | None = Field(
        None,
        ge=0,
        le=1,
        description="probability that the first hit is relevant, as the release learned it from judged queries; null where it has"
        " learned nothing, in other modes than hybrid, and when an arm was left out",
    )
    answerable: bool | None = Field(
        None, description="whether the index seems to hold anything on the matter at all; null where `confidence` is null"
    )
    groups: list[Group] | None = Field(None, description="the documents of a grouped answer, best first", exclude_if=_is_none)
    facets: dict[str, Facet] | None = Field(None, description="by the name asked for", exclude_if=_is_none)
    next: str | None = Field(
        None,
        exclude_if=_is_none,
        description="`cursor` of the next page; absent where there is none. It goes on in the very ranking this page is of, for a quarter"
        " of an hour, and only for the same request by somebody who may read the same",
    )
    next_offset: int | None = Field(None, description="`offset` of the next page, if there may be one", exclude_if=_is_none)
    degraded: list[Degraded] = Field(default_factory=list)
    hints: list[Hint] = Field(default_factory=list)
    took_ms: float
