"""What each tool takes. Descriptions are read by language models; bounds are those of the routes, which check them as well."""

from __future__ import annotations

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from search_index.model.agent import AgentRequest
from search_index.model.context import ContextRequest
from search_index.model.search import Question


class SearchArguments(Question):
    """A search, without what only programs have a use for."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(10, ge=1, le=100, description="how many passages")
    cursor: str | None = Field(None, max_length=500, description="`next` of an answer, with the same arguments: the page after it")


class ContextArguments(ContextRequest):
    """Passages packed into a budget of tokens."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={})


class AgentArguments(AgentRequest):
    """A question that takes several searches."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={})


class DocumentArguments(BaseModel):
    """A page of one document."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(min_length=1, max_length=4000, description="a document's id, or its address (`source:path`), as passages have them")
    offset: int = Field(0, ge=0, le=1_000_000, description="how many of its passages to skip")
    limit: int = Field(50, ge=1, le=200, description="how many passages")
    as_of: int | AwareDatetime | None = Field(None, description="a revision, or the release that was live at an instant")


class LineageArguments(BaseModel):
    """What to trace back."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(
        min_length=1,
        max_length=4000,
        description="a passage's chunk id, a document's id or address (`source:path`), or the number of a release",
    )
