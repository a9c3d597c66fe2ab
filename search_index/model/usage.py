"""What a service remembers of being used: queries by their figures, what people said of answers, and what is to be looked at."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from search_index.model.search import Mode
from search_index.model.tenant import DEFAULT_TENANT

FeedbackKind = Literal["click", "relevant", "not_relevant", "correction"]
ReviewReason = Literal["disliked", "corrected", "not_answerable", "unsure", "nothing_found"]
ReviewOutcome = Literal["accepted", "dismissed"]
UNSURE_BELOW = 0.3
"""An answer whose first hit is less likely than this to be relevant is worth a look."""


def pseudonym(key: bytes, principal: str) -> str:
    """One name for one principal, from which nobody without ``key`` can tell whose it is. 16 hexadecimal digits."""
    return hmac.new(key, f"principal:{principal}".encode(), hashlib.sha256).hexdigest()[:16]


class LoggedQuery(BaseModel):
    """One query that was answered. ``text`` is there only where the log is told to keep it.

    Figures alone do for drift and for metrics: ``terms`` that BM25 counts in it, ``best_cosine`` of the nearest passage.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    at: datetime
    release: int
    mode: Mode
    principal: str = Field(description="a pseudonym")
    tenant: str = DEFAULT_TENANT
    text: str | None = None
    terms: int
    hits: int
    chunks: list[str] = Field(description="ids of the first ten")
    source: str | None = Field(None, description="of the first hit")
    took_ms: float
    best_cosine: float | None = None
    confidence: float | None = None
    answerable: bool | None = None
    degraded: list[str] = Field(default_factory=list)

    @property
    def worth_a_look(self) -> ReviewReason | None:
        """Why a person may want to see it, None where there is no reason by itself."""
        if not self.hits:
            return "nothing_found"
        if self.answerable is False:
            return "not_answerable"
        return "unsure" if self.confidence is not None and self.confidence < UNSURE_BELOW else None


class Feedback(BaseModel):
    """What somebody said of an answer. A correction names where the answer stands: a document, and the words of it."""

    model_config = ConfigDict(frozen=True)

    query_id: str
    at: datetime
    principal: str = Field(description="a pseudonym")
    kind: FeedbackKind
    release: int
    chunk_id: str | None = None
    uri: str | None = None
    quote: str | None = None
    query: str | None = Field(None, description="the query's text, where whoever says this sends it along")
    note: str | None = None


class ReviewItem(BaseModel):
    """An answer that waits for a person to look at it, with what was said of it."""

    model_config = ConfigDict(frozen=True)

    id: str = Field(description="of the query")
    at: datetime
    reasons: list[ReviewReason]
    tenant: str = Field(DEFAULT_TENANT, description="of whoever asked")
    text: str | None = Field(description="the query, where it is known")
    release: int
    confidence: float | None
    chunks: list[str]
    feedback: list[Feedback]


class UsageCounts(BaseModel):
    """What people met in one period, of one release."""

    model_config = ConfigDict(frozen=True)

    release: int
    queries: int
    by_source: dict[str, int] = Field(description="how many were answered best by each source")
    zero_results: int
    unsure: int
    not_answerable: int
    degraded: int
    p50_ms: float | None
    p95_ms: float | None
    clicks: int
    relevant: int
    not_relevant: int
    corrections: int

    @property
    def liked(self) -> float | None:
        """Of the hits that were judged, the share that was relevant."""
        judged = self.relevant + self.not_relevant
        return self.relevant / judged if judged else None
