"""What the steps of a run have to say to each other and to whoever started it: reports, candidates, decisions."""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic import JsonValue as Json

from search_index.engine.interface import Candidate
from search_index.model.operating import Override
from search_index.model.release import Held, Manifest, Stage

CHANGED_ROWS_SHOWN = 50


@dataclass(frozen=True)
class ChangedRow:
    """One thing a step added, changed, removed or set aside, by id."""

    id: str
    change: str
    uri: str


@dataclass
class StepReport:
    """What one step of a lane did."""

    source: str
    stage: Stage
    data_version: str
    unchanged: bool
    counts: dict[str, int]
    changed: list[ChangedRow] = field(default_factory=list)
    wall_s: float = 0.0
    cpu_s: float = 0.0


@dataclass
class DoneAhead:
    """What was cut and embedded of a source while it was still being parsed: documents and texts."""

    cut: int = 0
    embedded: int = 0


@dataclass(frozen=True)
class Decision:
    """How a run's release ended.

    ``status`` is ``published``, ``beside`` (published, and waits to be resumed while another is live), ``unchanged``, ``held`` (nothing
    left to publish), ``refused``, or ``frozen``: its gates let it through and a person had stopped publishing. ``overridden`` are the
    failed verdicts that an override excused.
    """

    status: str
    revision: int | None
    live: int | None
    held: dict[str, list[str]]
    reasons: list[str]
    gates: dict[str, str]
    counts: dict[str, Json]
    overridden: list[str] = field(default_factory=list)
    override: Override | None = None


@dataclass(frozen=True)
class StagedCandidate:
    """A revision that is built and waits for its verdicts."""

    manifest: Manifest
    parent: Manifest | None
    candidate: Candidate
    changed: list[ChangedRow]


@dataclass(frozen=True)
class Nothing:
    """There is nothing to stage: the head holds what the sources hold, but for what is held."""

    head: int | None
    held: list[Held]
