"""What the catalog remembers between runs: how far each lane got, and which changes wait for a person."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict
from pydantic import JsonValue as Json


class LaneState(BaseModel):
    """What one step of one lane last came to.

    ``inputs`` is the digest of everything the step read: when it has not changed, the step has nothing to do.
    ``data_version`` is the digest of what it wrote. ``state`` holds counts and the table version.
    """

    model_config = ConfigDict(frozen=True)

    source: str
    stage: Literal["manifest", "documents", "chunks", "vectors"]
    inputs: str
    data_version: str
    state: dict[str, Json]
    run_id: str
    at: datetime


class Change(BaseModel):
    """A change too large or too lax to go through unseen: it waits for ``plumbline sources accept``."""

    model_config = ConfigDict(frozen=True)

    change: str
    source: str
    kind: Literal["mass_removal", "loosened_contract", "source_removed", "unlike_published"]
    description: str
    seen_at: datetime
    accepted_at: datetime | None = None
    actor: str | None = None
    reason: str | None = None
