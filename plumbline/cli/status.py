"""``plumbline status``: what is live, what is not, why, and the command that helps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from plumbline.cli.command import Result, command
from plumbline.cli.output import counted, out
from plumbline.cli.sources_table import show_sources

if TYPE_CHECKING:
    from plumbline.cli.facts import Facts


def register(app: typer.Typer) -> None:
    """Add ``status``."""

    @command(app, "status", "plumbline status")
    def status() -> Result:
        """What is live, held, quarantined or waiting; how fresh each source is; disk; and for each trouble the command that helps."""
        from plumbline.cli.settings import load_settings
        from plumbline.cli.status_facts import gather

        facts = gather(load_settings())
        return Result(facts.document(), lambda: _show(facts))


def _show(facts: Facts) -> None:
    from rich.text import Text

    console = out()
    _line("home", facts.home)
    _show_release(facts)
    _line("service", f"answers at {facts.service}" if facts.service else "not running", "" if facts.service else "dim")
    if facts.probe is not None and facts.probe.problems:
        _line("probe", f"{facts.probe.at:%Y-%m-%d %H:%M} UTC: {'; '.join(facts.probe.problems.values())}", "yellow")
    if facts.up is not None:
        _line("up", f"process {facts.up.pid}, Dagster at {facts.up.dagster}")
    if facts.writer:
        _line("writing", facts.writer, "yellow")
    disk = ", ".join(f"{name} {size / 1e6:,.1f} MB" for name, size in facts.disk.items() if name != "free")
    _line("disk", f"{disk}; {facts.disk['free'] / 1e9:,.1f} GB free")
    if facts.sources:
        console.print()
        show_sources(facts.sources)
    for source, documents in facts.quarantine.items():
        console.print()
        console.print(Text(f"In quarantine, {source}:", style="yellow"))
        for document in documents:
            console.print(Text(f"  {document.line}"), soft_wrap=True)
    for advice in facts.advice:
        console.print()
        said = ((f"{advice.symptom}\n", "yellow"), ("  why: ", "dim"), f"{advice.why}\n", ("  -> ", "dim"), (advice.command, "cyan"))
        console.print(Text.assemble(*said), soft_wrap=True)


def _show_release(facts: Facts) -> None:
    """What is live, and what keeps it from being something else."""
    if facts.live is None:
        _line("live", "nothing is published yet", "yellow")
    else:
        live = facts.live
        ndcg = f", nDCG@10 {live.ndcg:.3f}" if live.ndcg is not None else ""
        size = f"{counted(live.documents, 'document')}, {counted(live.chunks, 'passage')}"
        _line("live", f"release {live.revision}, published {live.published_at:%Y-%m-%d %H:%M} UTC, {size}{ndcg}", "bold green")
    if facts.head is not None and facts.live is not None and facts.head != facts.live.revision:
        _line("head", f"release {facts.head}; the live one was rolled back to", "yellow")
    if facts.paused:
        _line("paused", facts.paused, "yellow")
    if facts.frozen is not None:
        _line("frozen", facts.frozen.says, "bold yellow")
    if facts.canary is not None:
        _line("canary", f"release {facts.canary.revision} answers {facts.canary.share:.0%}, since {facts.canary.at:%Y-%m-%d %H:%M} UTC")
    if facts.overlaid:
        said = ", ".join(f"{counted(count, 'document')} {why}" for why, count in sorted(facts.overlaid.items()))
        _line("withheld", f"{said}: fewer may read them than releases say")
    if facts.override is not None:
        _line("OVERRIDE", facts.override.says, "bold red")


def _line(label: str, value: str, style: str = "") -> None:
    from rich.text import Text

    out().print(Text.assemble((f"{label:<11}", "dim"), (value, style)), soft_wrap=True)
