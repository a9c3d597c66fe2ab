"""``plumbline releases pin`` and ``unpin``: keep a release however old it grows."""

from __future__ import annotations

from typing import Annotated

import typer

from plumbline.cli.command import Result, command
from plumbline.cli.output import out


def register(app: typer.Typer) -> None:
    """Add ``pin`` and ``unpin``."""

    @command(app, "pin", 'plumbline releases pin 6 --reason "audit of March"')
    def pin(
        revision: Annotated[int, typer.Argument(help="A published release that is still held.")],
        reason: Annotated[str, typer.Option("--reason", help="Why; shown in the list of releases.")] = "no reason given",
    ) -> Result:
        """Keep a release for as-of, rollback and rebuild, however many come after it."""
        from plumbline.cli.rollback import check_servable
        from plumbline.cli.settings import actor, existing_home, load_settings

        home = existing_home(load_settings())
        check_servable(home, revision)  # what has been deleted already cannot be kept
        made = home.catalog.pin(revision, actor(), reason.strip())
        return Result(made.model_dump(mode="json"), lambda: out().print(f"Release {revision} is pinned: it stays until it is unpinned."))

    @command(app, "unpin", "plumbline releases unpin 6")
    def unpin(revision: Annotated[int, typer.Argument(help="A pinned release.")]) -> Result:
        """Leave a release to retention again."""
        from plumbline.cli.settings import existing_home, load_settings

        existing_home(load_settings()).catalog.unpin(revision)
        says = f"Release {revision} is no longer pinned. To delete what nobody needs: [cyan]plumbline releases vacuum[/cyan]"
        return Result({"revision": revision, "pinned": False}, lambda: out().print(says))
