"""``plumbline releases freeze``: nothing goes live until a person says so again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from plumbline.cli.command import Result, command
from plumbline.cli.output import out, say

if TYPE_CHECKING:
    from search_index.model.operating import Freeze


def register(app: typer.Typer) -> None:
    """Add ``freeze``."""

    @command(app, "freeze", 'plumbline releases freeze --reason "the search page is being moved"')
    def freeze(reason: Annotated[str, typer.Option("--reason", help="Why; shown until publishing goes on.")]) -> Result:
        """Stop publishing. What is live stays; runs go on, and each candidate is staged, judged and then discarded.

        An ingest leaves with 3 and says who froze it, when and why. `plumbline releases resume` lifts it.
        """
        from pipelines.alerts.orders import alert_freeze
        from plumbline.cli.settings import actor, existing_home, load_settings
        from search_index.errors import WrongUsage

        if not reason.strip():
            raise WrongUsage("A freeze needs a reason.", "Give --reason TEXT; it is shown until publishing goes on.")
        settings = load_settings()
        catalog = existing_home(settings).catalog
        known = catalog.frozen()
        standing = known or catalog.freeze(actor(), reason.strip())
        if known is None:
            alert_freeze(settings, standing, say)
        document = {"frozen": standing.model_dump(mode="json"), "live": catalog.pointer().live, "changed": known is None}
        return Result(document, lambda: _show("Frozen" if known is None else "It is frozen already", standing))


def _show(begin: str, freeze: Freeze) -> None:
    console = out()
    console.print(f"{begin}: {freeze.says}.", markup=False, soft_wrap=True)
    console.print("What is live goes on answering. To let publishing go on: [cyan]plumbline releases resume[/cyan]")
