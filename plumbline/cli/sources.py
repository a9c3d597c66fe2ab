"""``plumbline sources``: where documents come from, and the changes that wait for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from plumbline.cli.command import Result, command
from plumbline.cli.output import out, when
from plumbline.cli.sources_contracts import show_contracts
from plumbline.cli.sources_table import show_sources

if TYPE_CHECKING:
    from plumbline.cli.facts import SourceFacts
    from search_index.model.state import Change


def register(app: typer.Typer) -> None:
    """Add ``list``, which is also what the bare command does, ``show`` and ``accept``."""

    @app.callback(invoke_without_command=True, no_args_is_help=False)
    def bare(
        context: typer.Context,
        as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout, everything else on stderr.")] = False,
        debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    ) -> Result | None:
        return None if context.invoked_subcommand else _listed()

    @command(app, "list", "plumbline sources list")
    def list_sources() -> Result:
        """Every source: its state, documents, passages, quarantine, last change, lag against its SLA, and what waits to be accepted."""
        return _listed()

    @command(app, "show", "plumbline sources show handbook")
    def show(source: Annotated[str, typer.Argument(help="The source's name.")]) -> Result:
        """The versions of one source's contract that runs have met: what each changed, and what of it had to be acknowledged."""
        from plumbline.cli.settings import existing_home, load_settings
        from search_index.errors import WrongUsage

        catalog = existing_home(load_settings()).catalog
        versions, changes = catalog.contract_versions(source), catalog.changes(source)
        if not versions:
            raise WrongUsage(f"No run has met a contract of a source {source!r}.", "`plumbline sources` lists those there are.")
        document = {
            "source": source,
            "contracts": [version.model_dump(mode="json", exclude={"terms"}) for version in versions],
            "changes": [change.model_dump(mode="json") for change in changes],
        }
        return Result(document, lambda: show_contracts(versions, changes))

    @command(app, "accept", 'plumbline sources accept handbook --change 1f0c2a9b --reason "the old manual is retired"')
    def accept(
        source: Annotated[str, typer.Argument(help="The source's name.")],
        change: Annotated[str, typer.Option("--change", help="The change's id, or how it begins.")],
        reason: Annotated[str, typer.Option("--reason", help="Why it is all right; kept with it.")],
    ) -> Result:
        """Let a waiting change through: a mass removal, a loosened contract, a source that is gone or unlike it was.

        It takes effect with the next ingest.
        """
        from plumbline.cli.settings import actor, existing_home, load_settings
        from search_index.errors import WrongUsage

        if not reason.strip() or not change.strip():
            raise WrongUsage("A change is accepted by its id and with a reason.", "Give --change ID and --reason TEXT.")
        home = existing_home(load_settings())
        accepted = home.catalog.accept_change(source, change.strip(), actor(), reason.strip())
        return Result(accepted.model_dump(mode="json"), lambda: _accepted(accepted))


def _listed() -> Result:
    from dataclasses import asdict

    from plumbline.cli.settings import load_settings
    from plumbline.cli.status_facts import gather

    facts = gather(load_settings())
    document = {
        "sources": [asdict(source) for source in facts.sources],
        "waiting": [change.model_dump(mode="json") for change in facts.waiting],
    }
    return Result(document, lambda: _show(facts.sources, facts.waiting))


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
    show_sources(sources)
    for source in sources:
        for reason in source.reasons:
            console.print(Text(f"{source.name}: {reason}", style="yellow"), soft_wrap=True)
    for change in waiting:
        console.print()
        console.print(Text(f"Waits since {when(change.seen_at)}: {change.source}, {change.description}.", style="yellow"), soft_wrap=True)
        console.print(Text(f"  {accept_command(change)}", style="cyan"), soft_wrap=True)
