"""Feedback as it is sent, and what comes back."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic.config import JsonDict

from search_index.model.sent import Sent
from search_index.model.usage import FeedbackKind

_Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000, pattern=r"^[^\x00]+$")]
"""Without NUL, which not every database can keep."""
_EXAMPLE: JsonDict = {"answer": "5f0c3d7a9e1b42d8a6c4f001", "kind": "relevant", "chunk_id": "0b9f6c1e5c6f5f0b8a9d6a5e4c3b2a10"}


class FeedbackRequest(Sent):
    """What somebody says of an answer they were given.

    A click, and a word on whether a passage is relevant, name the passage. A correction names where the answer stands: the document, and
    words of it.
    """

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_EXAMPLE]})

    answer: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{24}$")] = Field(description="`id` of the answer")
    kind: FeedbackKind
    chunk_id: Annotated[str, StringConstraints(max_length=64, pattern=r"^[0-9a-zA-Z-]+$")] | None = None
    uri: Annotated[str, StringConstraints(max_length=4000, pattern=r"^[^\x00]+$")] | None = Field(
        None, description="of a correction: `source:path`"
    )
    quote: _Line | None = Field(None, description="of a correction: words of that document")
    query: _Line | None = Field(
        None, description="the question, if it may be kept: only with it, or a log that keeps words, can it become a golden query"
    )
    note: _Line | None = None

    @model_validator(mode="after")
    def _names_its_object(self) -> Self:
        if self.kind == "correction" and not (self.uri and self.quote):
            raise ValueError("a correction names a `uri` and a `quote`")
        if self.kind != "correction" and not self.chunk_id:
            raise ValueError(f"`{self.kind}` names a `chunk_id`")
        return self


class FeedbackTaken(BaseModel):
    """That it was written down."""

    answer: str
    kind: FeedbackKind
    release: int = Field(description="the revision that had answered")
