"""A search, its answer, and who asks."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

Mode = Literal["hybrid", "dense", "sparse"]
Arm = Literal["dense", "sparse"]
Part = Literal["dense", "sparse", "rerank"]
"""What scores passages: an arm, or the reranker that scores the best of both anew."""
Scalar = str | int | float | bool

EVERYONE = "everyone"
"""The access group every principal belongs to."""

OPEN_END = 2**53
"""``valid_to`` of a point that is still current: larger than any revision, exact as a float."""


class Principal(BaseModel):
    """Who asks: the groups decide what may be read, the scopes what may be done."""

    model_config = ConfigDict(frozen=True)

    name: str = "anonymous"
    tenant: str = "default"
    groups: frozenset[str] = frozenset({EVERYONE})
    scopes: frozenset[str] = frozenset({"search", "history", "governance"})


class Filters(BaseModel):
    """Narrow a search. Fields are ANDed; values inside a list are ORed."""

    model_config = ConfigDict(extra="forbid")

    sources: list[str] = Field(default_factory=list, description="source names", max_length=100)
    documents: list[str] = Field(default_factory=list, description="document URIs (`source:path`) or ids", max_length=1000)
    modified_from: AwareDatetime | None = Field(None, description="the file was modified at or after this instant")
    modified_to: AwareDatetime | None = Field(None, description="the file was modified before this instant")
    metadata: dict[str, Scalar | list[Scalar]] = Field(default_factory=dict, description="document metadata, by equality", max_length=20)


class SearchRequest(BaseModel):
    """One question to the index."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"query": "how is a release rolled back?", "limit": 5}]})

    query: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)]
    mode: Mode = "hybrid"
    limit: int = Field(10, ge=1, le=100)
    filters: Filters = Field(default_factory=Filters)
    as_of: int | AwareDatetime | None = Field(None, description="a revision, or the release that was live at an instant")


class Span(BaseModel):
    """A half-open range of Unicode code points in the document's text."""

    start: int
    end: int


class Provenance(BaseModel):
    """Where a passage came from: enough to find the file, the run and the release that put it here."""

    raw_sha256: str = Field(description="sha256 of the file's bytes as parsed")
    parser: str
    chunker: str
    model_digest: str = Field(description="digest of the embedding model")
    encoder: str = Field(description="fingerprint of weights, tokenizer, pooling, runtime and precision")
    run_id: str = Field(description="the Dagster run that made this point")
    release: int = Field(description="the first release that held it")


class Place(BaseModel):
    """A document that says the same, but for a few words."""

    document_id: str
    uri: str


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


class Degraded(BaseModel):
    """An arm, or the reranker, that was left out of an answer, and why."""

    arm: Part
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
    degraded: list[Degraded] = Field(default_factory=list)
    hints: list[Hint] = Field(default_factory=list)
    took_ms: float
