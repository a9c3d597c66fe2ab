"""Releases: what was published, what was refused and why, and what each is made of."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field
from pydantic import JsonValue as Json

from retrieval_service.access import require
from retrieval_service.deps import CatalogDep, LiveDep, PrincipalDep
from search_index.model.operating import Freeze, Override
from search_index.model.release import Counts, Held, Manifest, ReleaseRecord, Status, Verdict
from search_index.model.search import OPEN_END
from search_index.tenancy import record_for, verdicts_for

router = APIRouter(prefix="/v1/releases", tags=["releases"])


class ReleaseSummary(BaseModel):
    """One release in a list."""

    revision: int
    status: Status
    created_at: datetime
    published_at: datetime | None
    run_id: str = Field(description="the Dagster run that made it")
    sources: list[str]
    counts: Counts | None = Field(description="none when the run ended before the candidate was complete")
    held: list[Held] = Field(description="sources the release goes on without the changes of, and why")
    reasons: list[str] = Field(description="why it was refused")
    overridden: list[str] = Field(description="failed verdicts that an override excused")
    pinned: bool = Field(description="whether it is kept however old it grows")
    scores: dict[str, Json] = Field(description="what the evaluation on the golden set measured")

    @classmethod
    def of(cls, record: ReleaseRecord, pins: frozenset[int]) -> ReleaseSummary:
        """A record, in short."""
        manifest = record.manifest
        return cls(
            revision=record.revision,
            status=record.status,
            created_at=record.created_at,
            published_at=record.published_at,
            run_id=record.run_id,
            sources=sorted(manifest.sources) if manifest else [],
            counts=manifest.counts if manifest else None,
            held=manifest.held if manifest else [],
            reasons=record.reasons,
            overridden=record.overridden,
            pinned=record.revision in pins,
            scores=record.scores,
        )


class ReleaseList(BaseModel):
    """Releases, newest first, and where the pointer stands."""

    live: int | None = Field(description="the revision that answers")
    head: int | None = Field(description="the revision that the next release is staged against")
    paused: str | None = Field(description="why publishing is paused, null when it is not")
    frozen: Freeze | None = Field(description="who stopped publishing, when and why; null when nobody has")
    override: Override | None = Field(description="the override of gates that stands now")
    releases: list[ReleaseSummary]


class ReleaseDetail(ReleaseSummary):
    """One release with its whole manifest and the verdicts that decided it."""

    override: Override | None = Field(description="the override of gates that stands now; the manifest has the one it was staged under")
    manifest: Manifest | None
    manifest_digest: str | None = Field(description="sha256 of the manifest's canonical JSON: verdicts on the candidate name it")
    signature: str | None = Field(description="HMAC-SHA256 of the manifest")
    verdicts: list[Verdict]


@router.get("", summary="List releases")
def list_releases(
    catalog: CatalogDep, live: LiveDep, principal: PrincipalDep, limit: Annotated[int, Query(ge=1, le=500)] = 50
) -> ReleaseList:
    """Every release, newest first: live, retired, rejected with its reasons, or still a candidate."""
    require(principal, "governance")
    pointer, pins = catalog.pointer(), frozenset(pin.revision for pin in catalog.pins())
    found = [ReleaseSummary.of(record_for(record, principal.tenant), pins) for record in catalog.releases(limit)]
    return ReleaseList(
        live=pointer.live, head=pointer.head, paused=pointer.paused, frozen=live.frozen, override=live.override, releases=found
    )


@router.get("/{revision}", summary="One release")
def get_release(
    revision: Annotated[int, Path(ge=1, lt=OPEN_END)], catalog: CatalogDep, live: LiveDep, principal: PrincipalDep
) -> ReleaseDetail:
    """What a release is made of (tables, contracts, model, scores) and the verdicts that let it go live or refused it.

    Of a release that holds other tenants' sources as well, what is about them, or about all of them together, is left out.
    """
    require(principal, "governance")
    signed = catalog.release(revision)
    record = record_for(signed, principal.tenant)
    return ReleaseDetail(
        **ReleaseSummary.of(record, frozenset(pin.revision for pin in catalog.pins())).model_dump(),
        override=live.override,
        manifest=record.manifest,
        manifest_digest=signed.manifest.digest if signed.manifest else None,
        signature=record.signature,
        verdicts=verdicts_for(catalog.verdicts(revision), signed.manifest, principal.tenant),
    )
