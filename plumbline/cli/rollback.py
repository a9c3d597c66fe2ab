"""``plumbline releases rollback`` and ``resume``: move the live pointer back, and forward again, and lift a freeze."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from plumbline.cli.command import Result, command
from plumbline.cli.output import out, say

if TYPE_CHECKING:
    from search_index.home import Home
    from search_index.model.operating import Freeze


def register(app: typer.Typer) -> None:
    """Add ``rollback`` and ``resume``."""

    @command(app, "rollback", 'plumbline releases rollback 6 --reason "prices in 7 are wrong"')
    def rollback(
        revision: Annotated[int, typer.Argument(help="The release to go back to.")],
        reason: Annotated[str, typer.Option("--reason", help="Why; kept and shown while publishing is paused.")] = "no reason given",
    ) -> Result:
        """Make an older release the live one, within a second and for all documents at once. Publishing pauses until `releases resume`."""
        from pipelines.alerts.orders import alert_rollback
        from plumbline.cli.settings import actor, existing_home, load_settings

        settings = load_settings()
        home = existing_home(settings)
        pointer = home.catalog.pointer()
        if pointer.live == revision and (pointer.paused or pointer.head == revision):
            document = {"live": revision, "head": pointer.head, "paused": pointer.paused, "moved": False}
            return Result(document, lambda: out().print(f"Release {revision} is live already; nothing to do."))
        check_servable(home, revision)
        paused = f"rolled back to release {revision} by {actor()}: {reason.strip()}"
        home.catalog.move_live(revision, "rollback", actor(), reason.strip(), paused)
        alert_rollback(settings, pointer.live, revision, actor(), reason.strip(), say)
        document = {"live": revision, "head": pointer.head, "paused": paused, "moved": True}
        return Result(document, lambda: _rolled_back(pointer.live, revision))

    @command(app, "resume", "plumbline releases resume")
    def resume(
        reason: Annotated[str, typer.Option("--reason", help="Why it may go on; kept with it.")] = "resumed",
    ) -> Result:
        """Let publishing go on after a freeze or a rollback.

        The release published last becomes the live one again, and the next ingest builds on it.
        """
        from pipelines.alerts.orders import alert_resumed
        from plumbline.cli.settings import actor, existing_home, load_settings

        settings = load_settings()
        home = existing_home(settings)
        pointer, frozen = home.catalog.pointer(), home.catalog.frozen()
        head = pointer.head
        moved = head is not None and (pointer.paused is not None or pointer.live != head)
        document = {"live": head, "head": head, "paused": None, "thawed": frozen is not None, "moved": pointer.live != head}
        if frozen is None and not moved:
            says = f"Publishing is not paused, and release {head} is live; nothing to do." if head else "Nothing is published or paused."
            return Result(document, lambda: out().print(says))
        if moved and head is not None:
            check_servable(home, head)
            home.catalog.move_live(head, "resume", actor(), reason, None)
        home.catalog.thaw(actor(), reason)
        alert_resumed(settings, head, actor(), reason, say)
        return Result(document, lambda: _resumed(pointer.live, head, frozen))


def check_servable(home: Home, revision: int) -> None:
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


def _resumed(before: int | None, head: int | None, frozen: Freeze | None) -> None:
    console = out()
    if before != head:
        console.print(f"Release {head}, the one published last, is live now (was {before}).")
    if frozen is not None:
        console.print(f"Lifted: {frozen.says}.", markup=False, soft_wrap=True)
    console.print("Publishing goes on. To bring the sources up to date: [cyan]plumbline ingest[/cyan]")
