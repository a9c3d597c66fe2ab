"""What an audit says, as one document: written as JSON as it is, and as Markdown by ``audit_page``."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from search_index.model.operating import Override, Pin


class _Fact(BaseModel):
    model_config = ConfigDict(frozen=True)


class AuditedRelease(_Fact):
    """One release. ``signed`` is None for one that was never published: only what went live is signed."""

    revision: int
    status: str
    created_at: datetime
    published_at: datetime | None
    signed: bool | None
    passed: int = Field(description="verdicts that decided it and passed")
    failed: list[str] = Field(description="those that failed, as subject: check")
    overridden: list[str]
    reasons: list[str]
    retained: bool


class AuditedSource(_Fact):
    """One source of a contract or of the live release. ``problem`` says why its contract does not validate, or that it is gone."""

    name: str
    documents: int
    passages: int
    quarantined: int
    changed_at: datetime | None
    lag_s: float | None
    sla_s: float | None
    stale: bool
    held: list[str]
    problem: str = ""


class AuditedChange(_Fact):
    """A change that a person accepted, or that waits for one."""

    change: str
    source: str
    kind: str
    seen_at: datetime
    accepted_at: datetime | None
    actor: str | None
    reason: str | None


class AuditedVerification(_Fact):
    """One part of the home held against what was signed."""

    part: str
    whole: bool
    says: str


class Audit(_Fact):
    """The state of a home at one instant: names, counts, ids and reasons that people gave; no text of a document."""

    at: datetime
    live: int | None
    head: int | None
    paused: str | None
    frozen: str | None
    releases: list[AuditedRelease]
    sources: list[AuditedSource]
    override: Override | None
    altered_overrides: list[str]
    accepted: list[AuditedChange]
    waiting: list[AuditedChange]
    stale_judgements: list[str]
    verification: list[AuditedVerification]
    pins: list[Pin]
    disk: dict[str, int] = Field(description="bytes")

    @property
    def problems(self) -> list[str]:
        """What somebody has to look at, a sentence each."""
        said = [f"{found.part}: {found.says}" for found in self.verification if not found.whole]
        said += [f"release {release.revision} is not what was signed" for release in self.releases if release.signed is False]
        said += [f"override {id} was edited after it was signed" for id in self.altered_overrides]
        for source in self.sources:
            said += [f"{source.name}: {source.problem}"] if source.problem else []
            said += [f"{source.name} is held: {'; '.join(source.held)}"] if source.held else []
            said += [f"{source.name} is older than its contract promises"] if source.stale else []
        said += [f"{change.source}: change {change.change[:12]} ({change.kind}) waits to be accepted" for change in self.waiting]
        said += [f"{len(self.stale_judgements)} golden judgements are stale"] if self.stale_judgements else []
        return said
