"""A document that may be read by fewer than its releases say, or by nobody, from now on and in every release."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from search_index.model.tenant import DEFAULT_TENANT

Why = Literal["narrowed", "erased"]


class OverlayEntry(BaseModel):
    """One document of the overlay. Whoever is of another tenant or in none of ``groups`` does not see it, whatever a release says."""

    model_config = ConfigDict(frozen=True)

    document_id: str
    source: str
    tenant: str = DEFAULT_TENANT
    why: Why
    groups: frozenset[str] = Field(description="that may still read it, where a release lets them; empty: nobody")
    since: datetime
    by: str = Field(description="the run or the person that put it here")
