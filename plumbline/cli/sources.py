"""``plumbline sources``: where documents come from, and the changes that wait for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from plumbline.cli.command import Result, command
from plumbline.cli.output import out, table, when

if TYPE_CHECKING:
    from plumbline.cli.facts import SourceFacts
    from search_index.model.state import Change


def register(app: typer.Typer) -> None:
    """Add ``list`` and ``accept``."""

    @command(app, "list", "plumbline sources list")
    def list_sources() -> Result:
        """Every source, its state and location, and the changes that wait to be accepted."""
        from dataclasses import asdict

        from plumbline.cli.settings import load_settings
        from plumbline.cli.status_facts import gather

        facts = gather(load_settings())
        document = {
            "sources": [asdict(source) for source in facts.sources],
            "waiting": [change.model_dump(mode="json") for change in facts.waiting],
        }
        return Result(document, lambda: _show(facts.sources, facts.waiting))

    @command(app, "accept", 'plumbline sources accept handbook --change 1f0c2a9b --reason "the old manual is retired"')
    def accept(
        source: Annotated[str, typer.Argument(help="The source's name.")],
        change: Annotated[str, typer.Option("--change", help="The change's id, or how it begins.")],
        reason: Annotated[str, typer.Option("--reason", help="Why it is all right; kept with it.")],
    ) -> Result:
        """Let a waiting change through: a mass removal, a loosened contract, a source that is gone.

        It takes effect with the next ingest.
        """
        from plumbline.cli.settings import actor, existing_home, load_settings
        from search_index.errors import WrongUsage

        if not reason.strip() or not change.strip():
            raise WrongUsage("A change is accepted by its id and with a reason.", "Give --change ID and --reason TEXT.")
        home = existing_home(load_settings())
        accepted = home.catalog.accept_change(source, change.strip(), actor(), reason.strip())
        return Result(accepted.model_dump(mode="json"), lambda: _accepted(accepted))


def _accepted(change: Change) -> None:
    from rich.text import Text

    console = out()
    console.print(Text(f"Accepted by {change.actor}: {change.source}, {change.description}."), soft_wrap=True)
    console.print(Text("It goes through with the next run: plumbline ingest", style="dim"))


def _show(sources: list[SourceFacts], waiting: list[Change]) -> None:
    from rich.text import Text

    from plumbline.cli.advice import accept_command

    console = out()
    if not sources:
        console.print("There are no sources yet. Try: [cyan]plumbline ingest PATH[/cyan]")
        return
    rows = [[s.name, s.state, f"{s.documents:,}", f"{s.quarantined:,}", s.freshness, s.location] for s in sources]
    console.print(table(("source", "state", "documents", "quarantined", "fresh", "location"), rows, numbers=("documents", "quarantined")))
    for source in sources:
        for reason in source.reasons:
            console.print(Text(f"{source.name}: {reason}", style="yellow"), soft_wrap=True)
    for change in waiting:
        console.print()
        console.print(Text(f"Waits since {when(change.seen_at)}: {change.source}, {change.description}.", style="yellow"), soft_wrap=True)
        console.print(Text(f"  {accept_command(change)}", style="cyan"), soft_wrap=True)
