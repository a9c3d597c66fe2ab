"""``plumbline releases canary`` and ``uncanary``: let another release answer a share of those who ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from plumbline.cli.command import Result, command
from plumbline.cli.output import out

if TYPE_CHECKING:
    from search_index.model.operating import Canary


def register(app: typer.Typer) -> None:
    """Add ``canary`` and ``uncanary``."""

    @command(app, "canary", "plumbline releases canary 7 --share 0.1")
    def canary(
        revision: Annotated[int, typer.Argument(help="A published release that is still held, and not the live one.")],
        share: Annotated[float, typer.Option("--share", help="Which share is answered by it, above 0 and below 1.")] = 0.1,
    ) -> Result:
        """Let a release answer a share of those who ask; each of them always, or never.

        A running service withdraws it by itself when more of its answers fail or are empty than of the live release's, or when they
        take longer. Where it fails, the live release answers. `releases resume` or `rollback` then makes a release live for all.
        """
        from plumbline.cli.rollback import check_servable
        from plumbline.cli.settings import actor, existing_home, load_settings
        from search_index.errors import WrongUsage

        if not 0 < share < 1:
            raise WrongUsage(f"A share of {share:g} is none.", "Give --share above 0 and below 1, 0.1 for a tenth.")
        home = existing_home(load_settings())
        if revision == home.catalog.pointer().live:
            raise WrongUsage(f"Release {revision} is the live one and answers everybody.", "Name another.")
        check_servable(home, revision)
        made = home.catalog.begin_canary(revision, share, actor())
        return Result(made.model_dump(mode="json"), lambda: _begun(made))

    @command(app, "uncanary", "plumbline releases uncanary")
    def uncanary(reason: Annotated[str, typer.Option("--reason", help="Why; kept with it.")] = "no reason given") -> Result:
        """Let the live release answer everybody again."""
        from plumbline.cli.settings import actor, existing_home, load_settings

        ended = existing_home(load_settings()).catalog.end_canary(actor(), reason.strip())
        says = f"Release {ended.revision} no longer answers anybody." if ended else "There is no canary; nothing to do."
        return Result({"ended": ended.revision if ended else None}, lambda: out().print(says))


def _begun(canary: Canary) -> None:
    console = out()
    console.print(f"Release {canary.revision} answers {canary.share:.0%} of those who ask.")
    console.print("How it does: [cyan]plumbline status[/cyan]. To end it: [cyan]plumbline releases uncanary[/cyan]")
