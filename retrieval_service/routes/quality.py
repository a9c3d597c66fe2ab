"""How good the answers are: what the evaluation measured, release by release."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from pydantic import JsonValue as Json

from retrieval_service.access import require
from retrieval_service.deps import CatalogDep, PrincipalDep
from search_index.model.release import Counts, Held, ReleaseRecord, Status, now
from search_index.model.service_probe import ProbedDay
from search_index.model.usage import UsageCounts
from search_index.tenancy import quarantined_for, record_for

router = APIRouter(tags=["quality"])


class Measured(BaseModel):
    """One release and what the evaluation measured on it."""

    revision: int
    status: Status
    created_at: datetime
    published_at: datetime | None
    scores: dict[str, Json]


class Quality(BaseModel):
    """The live release's scores, and those of the releases before it: of your tenant's sources and queries alone.

    Scores are of all that a release holds, so there are none where it holds another tenant's sources as well.
    """

    live: Measured | None = Field(description="null while nothing is published")
    held: list[Held] = Field(description="sources that the live release goes on without the changes of")
    quarantined: dict[str, int] = Field(description="unreadable files by source")
    online: list[UsageCounts] = Field(description="what people met in the last `days`, a release a row")
    probes: list[ProbedDay] = Field(description="what golden queries met that were asked of the running service, by day and release")
    changes: dict[int, Counts] = Field(description="what each release of `online` brought")
    series: list[Measured] = Field(description="evaluated releases, oldest first, refused ones too")


@router.get("/v1/quality", summary="Offline and online metrics")
def get_quality(
    catalog: CatalogDep,
    principal: PrincipalDep,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    days: Annotated[float, Query(gt=0, le=365)] = 7,
) -> Quality:
    """Metrics on the golden set of the live release, of the last `limit` releases as a series, and what people met in the last `days`."""
    require(principal, "governance")
    pointer = catalog.pointer()
    tenant = principal.tenant
    live = catalog.release(pointer.live) if pointer.live is not None else None
    record = record_for(live, tenant) if live else None
    online = catalog.usage(now() - timedelta(days=days), now(), tenant)
    brought = {used.release: record_for(catalog.release(used.release), tenant).manifest for used in online}
    releases = [record_for(release, tenant) for release in reversed(catalog.releases(limit))]
    return Quality(
        live=_measured(record) if record else None,
        held=record.manifest.held if record and record.manifest else [],
        quarantined=quarantined_for(catalog.quarantined(), live.manifest if live else None, tenant, catalog.lane_tenants()),
        online=online,
        probes=catalog.probed(now() - timedelta(days=days), now(), tenant),
        changes={revision: manifest.counts for revision, manifest in brought.items() if manifest is not None},
        series=[_measured(release) for release in releases if release.scores],
    )


def _measured(record: ReleaseRecord) -> Measured:
    """Without what each single query of the probes scored: a hundred figures a release, which `/v1/releases` has."""
    measured = Measured.model_validate(record, from_attributes=True)
    return measured.model_copy(update={"scores": {name: found for name, found in measured.scores.items() if name != "probed"}})
