"""What ``plumbline status`` knows, as plain data."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from plumbline.cli.quarantine import Quarantined
from plumbline.up import UpState

if TYPE_CHECKING:
    from search_index.model.operating import Canary, EndedCanary, Freeze, Override
    from search_index.model.overlay import Why
    from search_index.model.service_probe import ServiceProbe
    from search_index.model.state import Change


@dataclass(frozen=True)
class Advice:
    """A symptom, the command that helps, and why it is so."""

    symptom: str
    command: str
    why: str


@dataclass(frozen=True)
class LiveFacts:
    """The live release in short."""

    revision: int
    published_at: datetime
    documents: int
    chunks: int
    ndcg: float | None
    overridden: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class SourceFacts:
    """One source. ``current_at`` is the last instant the live release was known to hold what the source held.

    ``changed_at`` is when the release was published that last changed it; ``lag_s`` the seconds since ``current_at``.
    """

    name: str
    state: str
    documents: int
    chunks: int
    quarantined: int
    location: str
    tenant: str
    changed_at: datetime | None
    current_at: datetime | None
    lag_s: float | None
    sla_s: float | None
    within_sla: bool | None
    reasons: list[str]

    @property
    def freshness(self) -> str:
        """The lag against what the contract promises, in a few words."""
        if self.lag_s is None:
            return "-"
        lag = _short(timedelta(seconds=self.lag_s))
        if self.sla_s is None:
            return lag
        return f"{lag}, {'in' if self.within_sla else 'beyond'} SLA of {_short(timedelta(seconds=self.sla_s))}"


@dataclass
class Facts:
    """Everything ``plumbline status`` tells.

    ``golden_queries`` is None where they could not be read; ``trouble`` is what keeps the service from serving the live release, why,
    and what to do.
    """

    home: str
    live: LiveFacts | None = None
    head: int | None = None
    paused: str | None = None
    frozen: Freeze | None = None
    override: Override | None = None
    altered_overrides: list[str] = field(default_factory=list)
    canary: Canary | None = None
    withdrawn: EndedCanary | None = None
    golden_queries: int | None = None
    sources: list[SourceFacts] = field(default_factory=list)
    quarantine: dict[str, list[Quarantined]] = field(default_factory=dict)
    overlaid: dict[Why, int] = field(default_factory=dict)
    waiting: list[Change] = field(default_factory=list)
    last_refused: tuple[int, list[str]] | None = None
    disk: dict[str, int] = field(default_factory=dict)
    service: str | None = None
    port: int = 0
    trouble: tuple[str, str, str] | None = None
    probe: ServiceProbe | None = None
    up: UpState | None = None
    writer: str | None = None
    undelivered: list[str] = field(default_factory=list)
    advice: list[Advice] = field(default_factory=list)

    def document(self) -> dict[str, object]:
        """For ``--json``."""
        held = [{"source": s.name, "reasons": s.reasons} for s in self.sources if s.reasons]
        return {
            "home": self.home,
            "live": asdict(self.live) if self.live else None,
            "head": self.head,
            "paused": self.paused,
            "frozen": self.frozen.model_dump(mode="json") if self.frozen else None,
            "override": self.override.model_dump(mode="json") if self.override else None,
            "altered_overrides": self.altered_overrides,
            "canary": self.canary.model_dump(mode="json") if self.canary else None,
            "withdrawn_canary": self.withdrawn.model_dump(mode="json") if self.withdrawn else None,
            "golden_queries": self.golden_queries,
            "held": held,
            "sources": {s.name: {k: v for k, v in asdict(s).items() if k != "name"} for s in self.sources},
            "quarantined": {source: [asdict(d) for d in documents] for source, documents in self.quarantine.items()},
            "overlaid": {why: self.overlaid.get(why, 0) for why in ("narrowed", "erased")},
            "waiting": [change.model_dump(mode="json") for change in self.waiting],
            "last_refused": {"revision": self.last_refused[0], "reasons": self.last_refused[1]} if self.last_refused else None,
            "disk": {f"{name}_bytes": size for name, size in self.disk.items()},
            "service": self.service,
            "trouble": dict(zip(("what", "why", "remedy"), self.trouble, strict=True)) if self.trouble else None,
            "probe": self.probe.model_dump(mode="json") if self.probe else None,
            "up": asdict(self.up) if self.up else None,
            "writer": self.writer,
            "undelivered_alerts": self.undelivered,
            "advice": [asdict(advice) for advice in self.advice],
        }


def _short(span: timedelta) -> str:
    seconds = max(0, int(span.total_seconds()))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
