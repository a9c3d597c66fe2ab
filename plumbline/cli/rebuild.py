"""``plumbline releases rebuild``: make a release's index again from the tables it pins, and hold it against what is there."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Annotated

import typer

from plumbline.cli.command import EXIT_FAILED, EXIT_OK, Result, command
from plumbline.cli.output import out, say

if TYPE_CHECKING:
    from plumbline.cli.replay import Comparison


def register(app: typer.Typer) -> None:
    """Add ``rebuild``."""

    @command(app, "rebuild", "plumbline releases rebuild 7")
    def rebuild(
        revision: Annotated[int, typer.Argument(help="A published release.")],
        no_wait: Annotated[bool, typer.Option("--no-wait", help="Leave with 4 when another run is writing, instead of waiting.")] = False,
    ) -> Result:
        """Build a release again from the exact table versions it pins, and compare passages, payloads and vectors with its index.

        Where the index that serves it is damaged, and the one built anew is what was signed, it takes the damaged one's place. Leaves with
        1 when the two differ.
        """
        from plumbline.cli.replay import compare, content_signed, put_in_place, replay
        from plumbline.cli.settings import existing_home, load_settings
        from search_index.home import newest_with_index
        from search_index.lease import Lease

        settings = load_settings()
        home = existing_home(settings)
        record = home.catalog.resolve(revision)
        lease = Lease(settings.root, settings.catalog_url)
        lease.acquire(wait_s=0.0 if no_wait else -1.0, waiting=say)
        scratch = settings.root / "rebuilding"
        try:
            shutil.rmtree(scratch, ignore_errors=True)
            built = replay(home, record, scratch, say)
            found = compare(home, record, built)
            signed = content_signed(home, record, built)
            serving = newest_with_index(home, built.index).revision
            replaced = found.damaged is not None and signed and serving == revision and put_in_place(home, record, built)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
            lease.release()
        document = found.document() | {"revision": revision, "as_signed": signed, "replaced": replaced}
        whole = replaced or (found.damaged is None and found.identical)
        return Result(document, lambda: _show(revision, serving, found, replaced), EXIT_OK if whole else EXIT_FAILED)


def _show(revision: int, serving: int, found: Comparison, replaced: bool) -> None:
    from rich.text import Text

    console = out()
    if found.damaged is not None:
        console.print(Text(f"The index of release {revision} is damaged: {found.damaged}", style="red"), soft_wrap=True)
        if replaced:
            console.print(Text("The one built anew is what was signed and has taken its place.", style="green"))
        elif serving != revision:
            console.print(Text(f"The directory of release {serving} serves it: plumbline releases rebuild {serving}", style="cyan"))
        else:
            console.print(Text("The one built anew is not what was signed, so it was not put in place.", style="red"))
            console.print(Text("Roll back to another release, or remove its source's tables and run `plumbline ingest`.", style="cyan"))
        return
    if found.identical:
        console.print(Text(f"Release {revision} built again from its tables: {found.chunks:,} passages, all identical.", style="green"))
        return
    console.print(Text(f"Release {revision} built again differs from its index:", style="red"))
    for what, ids in found.differences.items():
        if ids:
            console.print(Text(f"  {len(ids):,} passages {what}, {ids[0]} for one"), soft_wrap=True)
