"""How good the answers are: what the evaluation measured, release by release."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from pydantic import JsonValue as Json

from retrieval_service.access import require
from retrieval_service.deps import CatalogDep, PrincipalDep
from search_index.model.release import Held, Status

router = APIRouter(tags=["quality"])


class Measured(BaseModel):
    """One release and what the evaluation measured on it."""

    revision: int
    status: Status
    created_at: datetime
    published_at: datetime | None
    scores: dict[str, Json]


class Quality(BaseModel):
    """The live release's scores, and those of the releases before it."""

    live: Measured | None = Field(description="null while nothing is published")
    held: list[Held] = Field(description="sources that the live release goes on without the changes of")
    quarantined: dict[str, int] = Field(description="unreadable files by source")
    series: list[Measured] = Field(description="evaluated releases, oldest first, refused ones too")


@router.get("/v1/quality", summary="Offline metrics")
def get_quality(catalog: CatalogDep, principal: PrincipalDep, limit: Annotated[int, Query(ge=1, le=500)] = 100) -> Quality:
    """Metrics on the golden set of the live release, and of the last `limit` releases as a series."""
    require(principal, "governance")
    pointer = catalog.pointer()
    record = catalog.release(pointer.live) if pointer.live is not None else None
    return Quality(
        live=Measured.model_validate(record, from_attributes=True) if record else None,
        held=record.manifest.held if record and record.manifest else [],
        quarantined=catalog.quarantined(),
        series=[Measured.model_validate(r, from_attributes=True) for r in reversed(catalog.releases(limit)) if r.scores],
    )
