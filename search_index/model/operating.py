"""What operators order at three in the morning: publishing frozen, gates overridden, releases pinned."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

BY_SERVICE = "the service"
"""Who ends a canary that does worse."""
LONGEST_OVERRIDE = timedelta(hours=24)


def overridable(check: str) -> bool:
    """Whether a failed verdict of a check may be excused at all.

    Never one of who may read, whose names all say ``access``; nor of changes that are accepted one by one, where
    ``plumbline sources accept`` names exactly what it lets through.
    """
    return "access" not in check and not check.startswith("contract_") and check != "removal_accepted"


class Freeze(BaseModel):
    """Publishing was stopped by a person. Runs go on and their candidates are judged, but none goes live."""

    model_config = ConfigDict(frozen=True)
    SAYS: ClassVar[str] = "publishing is frozen"

    at: datetime
    actor: str
    reason: str

    @property
    def says(self) -> str:
        """Who froze it, when and why."""
        return f"{self.SAYS} by {self.actor} since {self.at:%Y-%m-%d %H:%M} UTC: {self.reason}"


class Override(BaseModel):
    """Somebody takes it upon themselves that candidates go live although named checks failed, for some hours at most.

    ``checks`` names them; empty stands for all that are ``overridable``. It excuses failed verdicts, never missing ones.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    checks: list[str] = Field(default_factory=list, description="whose failed verdicts are excused; empty: all that can be")
    reason: str
    actor: str
    ordered_at: datetime
    expires_at: datetime

    def stands(self, at: datetime) -> bool:
        """Whether it holds at an instant: begun, not over, and not longer than any may be."""
        return self.ordered_at <= at < self.expires_at and self.expires_at - self.ordered_at <= LONGEST_OVERRIDE

    def excuses(self, check: str) -> bool:
        """Whether a failed verdict of this check is excused."""
        return overridable(check) and (not self.checks or check in self.checks)

    @property
    def says(self) -> str:
        """What is overridden, by whom, until when and why."""
        what = ", ".join(self.checks) or "every check that can be"
        return f"gates are overridden ({what}) by {self.actor} until {self.expires_at:%Y-%m-%d %H:%M} UTC: {self.reason}"


class Pin(BaseModel):
    """A release that is kept however old it grows."""

    model_config = ConfigDict(frozen=True)

    revision: int
    at: datetime
    actor: str
    reason: str


class Shadow(BaseModel):
    """A release that is asked beside the live one. Nobody sees what it answers; how it differs is written down."""

    model_config = ConfigDict(frozen=True)

    revision: int
    at: datetime
    actor: str


class ShadowAnswer(BaseModel):
    """One live query answered by both releases: figures alone, neither the query nor a passage.

    ``overlap`` is the share of the ten best passages that both have; None where one of them failed. ``failed`` is the kind of error.
    """

    model_config = ConfigDict(frozen=True)

    at: datetime
    live: int
    shadow: int
    mode: str
    overlap: float | None
    live_ms: float
    shadow_ms: float
    live_hits: int
    shadow_hits: int
    failed: str | None = None


class Canary(BaseModel):
    """A release that a share of those who ask is answered by."""

    model_config = ConfigDict(frozen=True)

    revision: int
    share: float = Field(gt=0, lt=1)
    at: datetime
    actor: str


class EndedCanary(Canary):
    """A canary that is over: by a person, or withdrawn by a service because it did worse."""

    ended_at: datetime
    ended_by: str
    why: str
