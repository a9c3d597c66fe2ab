"""``plumbline releases vacuum``: delete what no retained or pinned release can see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from plumbline.cli.command import Result, command
from plumbline.cli.output import counted, out, say, table

if TYPE_CHECKING:
    from pipelines.release.vacuum import Freed


def register(app: typer.Typer) -> None:
    """Add ``vacuum``."""

    @command(app, "vacuum", "plumbline releases vacuum --dry-run")
    def vacuum(
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be deleted, and delete nothing.")] = False,
        no_wait: Annotated[bool, typer.Option("--no-wait", help="Leave with 4 when another run is writing, instead of waiting.")] = False,
    ) -> Result:
        """Delete index directories and table versions that no retained or pinned release needs.

        It also runs by itself after a publish. How many releases are retained, PLUMBLINE_RETAIN_RELEASES says. Points that only older
        releases see leave the index with the next publish.
        """
        from pipelines.release.vacuum import plan_vacuum, points_unseen
        from pipelines.release.vacuum import vacuum as carry_out
        from pipelines.tables import Lake
        from plumbline.cli.settings import existing_home, load_settings
        from search_index.lease import Lease

        settings = load_settings()
        home, lake = existing_home(settings), Lake(settings.lake)
        if dry_run:
            planned, points = plan_vacuum(home, lake), points_unseen(home)
            return Result({**planned.document(), "points": points, "deleted": False}, lambda: _show(planned, points, "Would delete"))
        lease = Lease(settings.root, settings.catalog_url)
        lease.acquire(wait_s=0.0 if no_wait else -1.0, waiting=say)
        try:
            freed, points = carry_out(home, lake), points_unseen(home)
        finally:
            lease.release()
        return Result({**freed.document(), "points": points, "deleted": True}, lambda: _show(freed, points, "Deleted"))


def _show(freed: Freed, points: int, did: str) -> None:
    console = out()
    pinned = f", pinned: {', '.join(map(str, freed.pinned))}" if freed.pinned else ""
    console.print(f"Kept: releases {', '.join(map(str, freed.retained)) or 'none'}{pinned}.", markup=False, soft_wrap=True)
    rows = [[f"index {d.index} of release {d.revision}", d.why, f"{d.size / 1e6:,.1f} MB"] for d in freed.directories]
    rows += [[f"table {t.table}", f"{counted(t.files, 'file')} of older versions", f"{t.size / 1e6:,.1f} MB"] for t in freed.tables]
    rows += [[f"query adapter {name[:12]}", "no kept release has it", f"{size / 1e6:,.1f} MB"] for name, size in freed.adapters.items()]
    rows += [[f"reranker {name[:12]}", "no kept release has it", f"{size / 1e6:,.1f} MB"] for name, size in freed.rerankers.items()]
    if rows:
        console.print(table(("what", "why", "size"), rows, numbers=("size",)))
        console.print(f"{did}: {freed.size / 1e6:,.1f} MB.")
    else:
        console.print("There is nothing to delete.")
    if points:
        console.print(f"{counted(points, 'point')} that only older releases see will leave the index with the next publish.")
