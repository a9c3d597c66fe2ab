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

    def line(label: str, value: str, style: str = "") -> None:
        console.print(Text.assemble((f"{label:<11}", "dim"), (value, style)), soft_wrap=True)

    line("home", facts.home)
    if facts.live is None:
        line("live", "nothing is published yet", "yellow")
    else:
        live = facts.live
        ndcg = f", nDCG@10 {live.ndcg:.3f}" if live.ndcg is not None else ""
        size = f"{counted(live.documents, 'document')}, {counted(live.chunks, 'passage')}"
        line("live", f"release {live.revision}, published {live.published_at:%Y-%m-%d %H:%M} UTC, {size}{ndcg}", "bold green")
    if facts.head is not None and facts.live is not None and facts.head != facts.live.revision:
        line("head", f"release {facts.head}; the live one was rolled back to", "yellow")
    if facts.paused:
        line("paused", facts.paused, "yellow")
    line("service", f"answers at {facts.service}" if facts.service else "not running", "" if facts.service else "dim")
    if facts.up is not None:
        line("up", f"process {facts.up.pid}, Dagster at {facts.up.dagster}")
    if facts.writer:
        line("writing", facts.writer, "yellow")
    disk = ", ".join(f"{name} {size / 1e6:,.1f} MB" for name, size in facts.disk.items() if name != "free")
    line("disk", f"{disk}; {facts.disk['free'] / 1e9:,.1f} GB free")
    if facts.sources:
        console.print()
        show_sources(facts.sources)
    for source, documents in facts.quarantine.items():
        console.print()
        console.print(Text(f"In quarantine, {source}:", style="yellow"))
        for document in documents:
            console.print(Text(f"  {document.line}"), soft_wrap=True)
    if facts.advice:
        console.print()
        for advice in facts.advice:
            console.print(Text.assemble((f"{advice.symptom}\n", "yellow"), ("  -> ", "dim"), (advice.command, "cyan")), soft_wrap=True)
