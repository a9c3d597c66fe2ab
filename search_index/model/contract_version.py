"""What the catalog remembers of a source's data contract, version by version."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field
from pydantic import JsonValue as Json


class TermChange(BaseModel):
    """One term of a contract that is not what it was; None where it was not said, or is no more."""

    model_config = ConfigDict(frozen=True)

    term: str
    old: Json
    new: Json


class ContractVersion(BaseModel):
    """A contract as a run first met it."""

    model_config = ConfigDict(frozen=True)

    source: str
    version: str = Field(description="as the contract says")
    digest: str = Field(description="of what the contract says, whatever version it gives itself")
    terms: dict[str, Json] = Field(description="every term by its dotted name")
    changes: list[TermChange] = Field(description="against the version before; empty for the first")
    breaking: list[str] = Field(description="what of it lets more through or lets more people read, a sentence each")
    at: datetime
