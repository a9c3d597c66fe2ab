"""``plumbline ingest``: bring sources up to date and publish what passes its gates."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from plumbline.cli.command import Result, command
from plumbline.cli.output import say

if TYPE_CHECKING:
    from pipelines.run import Outcome
    from search_index.settings import Settings


def register(app: typer.Typer) -> None:
    """Add ``ingest``."""

    @command(app, "ingest", "plumbline ingest ./documents --name handbook")
    def ingest(
        path: Annotated[
            str | None,
            typer.Argument(metavar="PATH", help="A folder, file, archive, sitemap or fsspec URL; without it every source with a contract."),
        ] = None,
        name: Annotated[str | None, typer.Option("--name", help="What to call the source; made from PATH unless given.")] = None,
        beside: Annotated[
            bool, typer.Option("--beside", help="Publish what passes its gates beside the live release, which stays live until `resume`.")
        ] = False,
        no_wait: Annotated[bool, typer.Option("--no-wait", help="Leave with 4 when another run is writing, instead of waiting.")] = False,
    ) -> Result:
        """Bring sources up to date, and publish what passes its gates.

        Only what changed since the last run is read, parsed and embedded. What cannot be read is put in quarantine and named. A
        source that fails its checks is held at its published state, while the others go on.

        Leaves with 0 when all is published or nothing changed, 3 when a source is held or the release was refused, 4 when another
        run is writing (--no-wait).
        """
        from plumbline.cli.registering import register_source
        from plumbline.cli.settings import load_settings
        from search_index.errors import WrongUsage

        settings = load_settings({"publish": "beside"} if beside else {})
        if path is None:
            if name is not None:
                raise WrongUsage("--name goes with a PATH.", "Give the folder or file it names, or leave --name out.")
            _require_contracts(settings)
            return run_ingest(settings, None, wait_s=0.0 if no_wait else -1.0)
        registered = register_source(settings, path, name)
        if registered.written is not None:
            say(f"Source {registered.source}: {registered.location}. Access: everyone. Contract: {registered.written}")
        return run_ingest(settings, [registered.source], wait_s=0.0 if no_wait else -1.0)


def run_ingest(settings: Settings, sources: list[str] | None, *, wait_s: float) -> Result:
    """Run the lanes of ``sources`` (None: of all) through Dagster, and say what came of it."""
    from plumbline.cli.ingest_report import documented, exit_code, show, summarise
    from plumbline.cli.progress import terminal_progress

    with terminal_progress() as progress:
        from pipelines.run import ingest

        outcome = _interruptible(lambda: ingest(settings, sources, progress, wait_s=wait_s, say=progress.say))
    summary = summarise(settings, outcome)
    return Result(documented(summary), lambda: show(summary), exit_code(summary))


def _interruptible(run: Callable[[], Outcome]) -> Outcome:
    """Dagster has its own name for Ctrl-C and SIGTERM: it raises it between steps and records it as the failure of one."""
    from dagster import DagsterExecutionInterruptedError

    try:
        outcome = run()
    except DagsterExecutionInterruptedError as error:
        raise KeyboardInterrupt from error
    if any(DagsterExecutionInterruptedError.__name__ in failure for failure in outcome.failures):
        raise KeyboardInterrupt
    return outcome


def _require_contracts(settings: Settings) -> None:
    from search_index.errors import WrongUsage

    if not any(file.suffix in (".yaml", ".yml") for folder in settings.contract_folders for file in folder.glob("*.y*ml")):
        folders = " and ".join(str(folder) for folder in settings.contract_folders)
        raise WrongUsage(
            f"There is nothing to ingest: no contract in {folders}.", "Run `plumbline ingest PATH` with the folder of your documents."
        )
