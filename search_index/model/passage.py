"""Parts of a hit: where it stands, where it came from, what it is like, what stands beside it."""

from __future__ import annotations

from pydantic import BaseModel, Field


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


class Highlight(BaseModel):
    """A word of the passage that the query asks for, in whatever form it stands there."""

    start: int = Field(description="where it begins in the passage's text, in Unicode code points")
    end: int = Field(description="where it ends")
    terms: list[str] = Field(description="the words of the query it matches, as they were typed")


class Neighbour(BaseModel):
    """A passage that stands before or after a hit in the same document."""

    offset: int = Field(description="passages away: -1 is the one before, 1 the one after")
    chunk_id: str
    text: str
    page: int | None
    page_last: int | None
    section: list[str]
    span: Span


class Group(BaseModel):
    """One document of a grouped answer, ranked as its best passage."""

    rank: int
    document_id: str
    uri: str
    title: str
    score: float = Field(description="of its best passage")
    hits: list[int] = Field(description="`rank` of its hits")


class FacetValue(BaseModel):
    """One value of a facet and how many documents have it."""

    value: str | int | float | bool
    documents: int


class Facet(BaseModel):
    """How the documents that the filters let through are spread over one field, whatever the query."""

    values: list[FacetValue] = Field(description="those that most documents have first, equal ones in order; periods newest first")
    more_values: int = Field(description="values that were left out")
    documents: int = Field(description="documents that have the field")
    missing: int = Field(description="documents that have it not")
