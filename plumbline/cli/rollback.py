"""``plumbline releases rollback`` and ``resume``: move the live pointer back, and forward again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from plumbline.cli.command import Result, command
from plumbline.cli.output import out

if TYPE_CHECKING:
    from search_index.home import Home


def register(app: typer.Typer) -> None:
    """Add ``rollback`` and ``resume``."""

    @command(app, "rollback", 'plumbline releases rollback 6 --reason "prices in 7 are wrong"')
    def rollback(
        revision: Annotated[int, typer.Argument(help="The release to go back to.")],
        reason: Annotated[str, typer.Option("--reason", help="Why; kept and shown while publishing is paused.")] = "no reason given",
    ) -> Result:
        """Make an older release the live one, within a second and for all documents at once. Publishing pauses until `releases resume`."""
        from plumbline.cli.settings import actor, existing_home, load_settings

        home = existing_home(load_settings())
        pointer = home.catalog.pointer()
        if pointer.live == revision and (pointer.paused or pointer.head == revision):
            document = {"live": revision, "head": pointer.head, "paused": pointer.paused, "moved": False}
            return Result(document, lambda: out().print(f"Release {revision} is live already; nothing to do."))
        _check(home, revision)
        paused = f"rolled back to release {revision} by {actor()}: {reason.strip()}"
        home.catalog.move_live(revision, "rollback", actor(), reason.strip(), paused)
        document = {"live": revision, "head": pointer.head, "paused": paused, "moved": True}
        return Result(document, lambda: _rolled_back(pointer.live, revision))

    @command(app, "resume", "plumbline releases resume")
    def resume(
        reason: Annotated[str, typer.Option("--reason", help="Why it may go on; kept with it.")] = "resumed",
    ) -> Result:
        """Let publishing go on after a rollback. The release published last becomes the live one again; the next ingest builds on it."""
        from plumbline.cli.settings import actor, existing_home, load_settings
        from search_index.errors import NothingPublished

        home = existing_home(load_settings())
        pointer = home.catalog.pointer()
        if pointer.head is None:
            raise NothingPublished("Nothing is published yet, so nothing is paused.", "Run `plumbline ingest PATH` first.")
        head = pointer.head
        if pointer.paused is None and pointer.live == head:
            document = {"live": head, "head": head, "paused": None, "moved": False}
            return Result(document, lambda: out().print(f"Publishing is not paused, and release {head} is live; nothing to do."))
        _check(home, head)
        home.catalog.move_live(head, "resume", actor(), reason, None)
        return Result({"live": head, "head": head, "paused": None, "moved": pointer.live != head}, lambda: _resumed(pointer.live, head))


def _check(home: Home, revision: int) -> None:
    """Only what can be opened and is what was signed goes live.

    Errors:
        RevisionUnknown: it was never published, or is no longer held.
        ReleaseUntrusted, HomeDamaged, ModelMismatch: it cannot be served.
    """
    from search_index.home import open_release

    loaded = open_release(home, home.catalog.resolve(revision))
    try:
        loaded.reader.check(revision)
    finally:
        loaded.close()


def _rolled_back(before: int | None, revision: int) -> None:
    console = out()
    console.print(f"Release {revision} is live again (was {before}). A running service serves it within a second.")
    console.print("Publishing is paused. When the cause is mended: [cyan]plumbline releases resume[/cyan]")


def _resumed(before: int | None, head: int) -> None:
    console = out()
    if before != head:
        console.print(f"Release {head}, the one published last, is live again (was {before}).")
    console.print("Publishing goes on. To bring the sources up to date: [cyan]plumbline ingest[/cyan]")
