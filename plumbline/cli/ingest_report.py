"""What an ingest came to, for people and for programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from plumbline.cli.command import EXIT_FAILED, EXIT_OK, EXIT_REFUSED
from plumbline.cli.output import counted, out, table
from plumbline.cli.quarantine import Quarantined, quarantined_documents

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.release.outcomes import StepReport
    from pipelines.run import Outcome
    from search_index.home import Home
    from search_index.model.release import Stage
    from search_index.settings import Settings

Status = Literal["published", "beside", "unchanged", "held", "refused", "frozen", "failed"]

COUNTS = (
    "seen", "added", "changed", "removed", "unchanged", "parsed", "quarantined", "chunks", "embedded", "reused", "staged", "retired",
)  # fmt: skip
_SHOWN = ("seen", "added", "changed", "removed", "parsed", "quarantined", "chunks", "embedded", "reused")
_STAGE_COUNTS: dict[Stage, tuple[str, ...]] = {
    "manifest": ("seen", "added", "changed", "removed", "unchanged"),
    "documents": ("parsed", "quarantined"),
    "chunks": ("chunks",),
    "vectors": ("embedded", "reused"),
}


@dataclass(frozen=True)
class Summary:
    """An ingest as it is told. ``live`` is the release that answers now, ``candidate`` the one this run staged."""

    run_id: str
    status: Status
    sources: dict[str, dict[str, int]]
    live: int | None
    candidate: int | None
    gates: dict[str, str] = field(default_factory=dict)
    held: dict[str, list[str]] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)
    counts: Mapping[str, object] = field(default_factory=dict)
    quarantine: dict[str, list[Quarantined]] = field(default_factory=dict)
    overridden: list[str] = field(default_factory=list)


def summarise(settings: Settings, outcome: Outcome) -> Summary:
    """Put together what the run's steps and its decision say."""
    from search_index.home import Home

    home = Home(settings)
    pointer = home.catalog.pointer()
    sources = {source: _counts(stages) for source, stages in sorted(outcome.reports.items())}
    decision = outcome.decision
    status: Status
    if decision is None:
        paused = f"publishing is paused: {pointer.paused}; to lift it: plumbline releases resume"
        status, reasons = ("refused", [paused]) if pointer.paused else ("failed", outcome.failures or ["the run ended without a decision"])
    else:
        status, reasons = decision.status, decision.reasons  # type: ignore[assignment]
        unexplained = [f for f in outcome.failures if not _explained(f, decision.held)]
        if status not in ("refused", "frozen") and unexplained:
            status, reasons = "failed", unexplained
    if decision is not None and decision.status in ("published", "beside") and decision.revision is not None:
        for source, (staged, retired) in _points_changed(home, decision.revision).items():
            sources.setdefault(source, dict.fromkeys(COUNTS, 0)).update(staged=staged, retired=retired)
    quarantined = {source: counts["quarantined"] for source, counts in sources.items() if counts["quarantined"]}
    return Summary(
        run_id=outcome.run_id,
        status=status,
        sources=sources,
        live=pointer.live,
        candidate=decision.revision if decision else None,
        gates=decision.gates if decision else {},
        held=decision.held if decision else {},
        reasons=reasons,
        counts=decision.counts if decision else {},
        quarantine=quarantined_documents(settings, quarantined),
        overridden=decision.overridden if decision else [],
    )


def _counts(stages: Mapping[Stage, StepReport]) -> dict[str, int]:
    counts = dict.fromkeys(COUNTS, 0)
    for stage, names in _STAGE_COUNTS.items():
        if stage in stages:
            counts |= {name: stages[stage].counts.get(name, 0) for name in names}
    return counts


def _explained(failure: str, held: Mapping[str, list[str]]) -> bool:
    """Whether a failed step is the manifest of a source that is held for it, or the release asset saying what its decision says."""
    step = failure.partition(":")[0]
    return step.rpartition("__")[0] in held


def _points_changed(home: Home, revision: int) -> dict[str, tuple[int, int]]:
    """How many points of each source a published revision added and retired."""
    import pyarrow.compute as pc

    manifest = home.catalog.release(revision).manifest
    if manifest is None:
        return {}
    reader = home.engine.open(manifest.index, revision, head=revision)
    try:
        ledger = reader.ledger()
        staged, retired = ((_by_source(ledger.filter(pc.equal(ledger[end], revision))["source"])) for end in ("valid_from", "valid_to"))
    finally:
        reader.close()
    return {source: (staged.get(source, 0), retired.get(source, 0)) for source in staged.keys() | retired.keys() | manifest.sources.keys()}


def _by_source(column: pa.ChunkedArray) -> dict[str, int]:
    return {row["values"]: row["counts"] for row in column.value_counts().to_pylist()}


def documented(summary: Summary) -> dict[str, object]:
    """The document of ``plumbline ingest --json``. ``release`` is the live one after the run."""
    return {
        "sources": summary.sources,
        "release": summary.live,
        "status": summary.status,
        "gates": summary.gates,
        "held": summary.held,
        "reasons": summary.reasons,
        "candidate": summary.candidate,
        "quarantined": {s: [{"uri": q.uri, "reason": q.reason, "remedy": q.remedy} for q in qs] for s, qs in summary.quarantine.items()},
        "overridden": summary.overridden,
        "run_id": summary.run_id,
    }


def exit_code(summary: Summary) -> int:
    """0 when all is well, 3 when a gate stands in the way, 1 when something broke."""
    if summary.status == "failed":
        return EXIT_FAILED
    return EXIT_REFUSED if summary.status in ("refused", "frozen") or summary.held else EXIT_OK


def show(summary: Summary) -> None:
    """Tell a person: the sources, what was set aside, what is live, and what to do next."""
    console = out()
    if summary.sources:
        rows = [[source, *(f"{counts[name]:,}" for name in _SHOWN)] for source, counts in summary.sources.items()]
        console.print(table(("source", *_SHOWN), rows, numbers=_SHOWN))
        console.print()
    for source, documents in summary.quarantine.items():
        count = summary.sources[source]["quarantined"]
        console.print(f"[yellow]In quarantine[/yellow]: {counted(count, 'file')} of {source}, tried again when they change:")
        for document in documents:
            console.print(f"  {document.line}", markup=False, soft_wrap=True)
        if count > len(documents):
            console.print(f"  ... and {count - len(documents):,} more")
    for source, reasons in summary.held.items():
        _listed(f"[yellow]Held[/yellow]: {source} stays as it was published (or unpublished), because:", reasons)
    _listed(_release_line(summary), summary.reasons)
    if summary.overridden:
        _listed("[bold yellow]Overridden[/bold yellow]: it passed in spite of failed checks:", summary.overridden)
    if summary.status == "failed":
        console.print("[dim]See:[/dim] [cyan]plumbline doctor[/cyan]")
    elif summary.live is not None:
        console.print("[dim]Try:[/dim] [cyan]plumbline search 'your question'[/cyan]")


def _listed(heading: str, reasons: list[str]) -> None:
    console = out()
    console.print(heading, soft_wrap=True)
    for reason in reasons:
        console.print(f"  {reason}", markup=False, soft_wrap=True)


def _release_line(summary: Summary) -> str:
    live = f"release {summary.live} is live" if summary.live is not None else "nothing is live yet"
    if summary.status == "published":
        c = summary.counts
        changes = f"{c.get('staged', 0)} added, {c.get('retired', 0)} retired"
        return (
            f"[bold green]Published[/bold green]: {live} with {c.get('documents', 0)} documents, {c.get('chunks', 0)} passages ({changes})."
        )
    if summary.status == "beside":
        return (
            f"[bold green]Published beside[/bold green]: {live}, and release {summary.candidate} waits. "
            "Try it with `plumbline releases shadow` or `canary`; `plumbline releases resume` makes it live."
        )
    if summary.status == "unchanged":
        return f"[green]Nothing changed[/green]: {live}."
    if summary.status == "held":
        return f"[yellow]Nothing to publish but what is held[/yellow]: {live}."
    if summary.status == "refused":
        refused = f" release {summary.candidate} was refused," if summary.candidate is not None else ""
        return f"[bold red]Refused[/bold red]:{refused} {live}, because:"
    if summary.status == "frozen":
        return f"[bold yellow]Frozen[/bold yellow]: release {summary.candidate} passed its gates and was not published, {live}, because:"
    return f"[bold red]Failed[/bold red]: {live}. What failed:"
