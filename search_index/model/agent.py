"""Agentic retrieval: what is asked, what is answered, and the trace of what was done."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from search_index.model.filters import Filters
from search_index.model.search import Degraded, Hint, Hit, Mode, Question, ReleaseRef

Action = Literal["search", "look up", "facets", "survey", "plan", "cover"]
Stopped = Literal["complete", "steps", "deadline", "tokens", "failed"]


class AgentRequest(Question):
    """A question that may need several searches, and how much may be spent on it."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"query": "How did the load on Sand Bridge change between 2021 and 2023?"},
                {"query": "what does each manual say about the golden part, and who signs for it?", "limit": 6, "steps": 8, "budget": 3000},
            ]
        },
    )

    limit: int = Field(10, ge=1, le=50, description="most passages")
    steps: int = Field(12, ge=1, le=32, description="most searches")
    budget: int = Field(6000, ge=16, le=100_000, description="most tokens of all passages together, as the release's own model counts them")


class AgentStep(BaseModel):
    """One thing that was done."""

    number: int
    action: Action = Field(
        description="`search`, `look up` a name, `facets`, `survey` documents, `plan`, or `cover` what had no passage yet"
    )
    why: str
    query: str | None = Field(None, description="what was asked")
    filters: Filters | None = Field(None, description="what narrowed it, beside what the request says; null where nothing did")
    found: int = Field(0, description="passages")
    documents: int = Field(0, description="documents they are of")
    decided: str = Field("", description="what followed from it")
    took_ms: float


class Covered(BaseModel):
    """One thing that the answer had to cover."""

    name: str
    documents: int = Field(description="documents it stands in, as far as they may be read")
    hits: list[int] = Field(description="`rank` of its passages; empty where nothing was found")


class AgentAnswer(BaseModel):
    """Passages that cover the question's aspects, all from one release, with what was done to find them."""

    id: str | None = Field(None, description="what feedback on this answer names; null where no log of queries is kept")
    query: str
    mode: Mode
    release: ReleaseRef
    hits: list[Hit] = Field(description="aspect by aspect in turn, the best of each first; so scores do not fall from rank to rank")
    aspects: list[Covered]
    trace: list[AgentStep]
    stopped: Stopped = Field(
        description="`complete`, or what ended it: no `steps` left, the `deadline`; or what it lacks: a search that `failed`, hits that no"
        " `tokens` were left for"
    )
    tokens: int = Field(description="of all passages together")
    answerable: bool | None = Field(None, description="of the question as a whole, as a search says it")
    degraded: list[Degraded] = Field(default_factory=list)
    hints: list[Hint] = Field(default_factory=list)
    took_ms: float
