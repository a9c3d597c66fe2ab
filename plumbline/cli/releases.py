"""``plumbline releases list`` and ``show``: what was published, what was refused and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from plumbline.cli.command import Result, command
from plumbline.cli.output import out, table, when

if TYPE_CHECKING:
    from search_index.model.release import Pointer, ReleaseRecord, Verdict


def register(app: typer.Typer) -> None:
    """Add ``list`` and ``show``."""

    @command(app, "list", "plumbline releases list")
    def list_releases(limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, help="How many.")] = 20) -> Result:
        """Releases, newest first: live, retired, rejected or still a candidate."""
        from plumbline.cli.banner import standing_orders
        from plumbline.cli.settings import existing_home, has_home, load_settings

        settings = load_settings()
        if not has_home(settings):
            return Result({"live": None, "head": None, "paused": None, "releases": []}, lambda: _show_list([], None, set()))
        home = existing_home(settings)
        catalog = home.catalog
        pointer, records, pins = catalog.pointer(), catalog.releases(limit), {pin.revision for pin in catalog.pins()}
        standing = standing_orders(home)
        document = {
            "live": pointer.live,
            "head": pointer.head,
            "paused": pointer.paused,
            **standing.document(),
            "releases": [{**_summary(record), "pinned": record.revision in pins} for record in records],
        }
        return Result(document, lambda: _show_list(records, pointer, pins))

    @command(app, "show", "plumbline releases show 7")
    def show_release(revision: Annotated[int, typer.Argument(help="The release's revision.")]) -> Result:
        """One release: what it is made of, its scores, and every verdict that let it go live or refused it."""
        from plumbline.cli.banner import standing_orders
        from plumbline.cli.settings import existing_home, load_settings

        home = existing_home(load_settings())
        catalog = home.catalog
        record, verdicts = catalog.release(revision), catalog.verdicts(revision)
        document = {
            **record.model_dump(mode="json"),
            **standing_orders(home).document(),
            "manifest_digest": record.manifest.digest if record.manifest else None,
            "verdicts": [verdict.model_dump(mode="json") for verdict in verdicts],
        }
        return Result(document, lambda: _show_one(record, verdicts))


def _summary(record: ReleaseRecord) -> dict[str, object]:
    from plumbline.cli.up_report import ndcg_of

    manifest = record.manifest
    return {
        "revision": record.revision,
        "status": record.status,
        "created_at": record.created_at,
        "published_at": record.published_at,
        "counts": manifest.counts.model_dump() if manifest else None,
        "held": [held.model_dump() for held in manifest.held] if manifest else [],
        "reasons": record.reasons,
        "overridden": record.overridden,
        "ndcg@10": ndcg_of(record.scores),
        "index": manifest.index if manifest else None,
        "run_id": record.run_id,
    }


_STYLES = {"live": "bold green", "retired": "", "rejected": "red", "candidate": "yellow"}


def _show_list(records: list[ReleaseRecord], pointer: Pointer | None, pins: set[int]) -> None:
    from rich.text import Text

    from plumbline.cli.up_report import ndcg_of

    console = out()
    if not records:
        console.print("There are no releases yet. Try: [cyan]plumbline ingest PATH[/cyan]")
        return
    shown = table(("release", "status", "published", "documents", "passages", "+", "-", "nDCG@10", "held", ""), ())
    for record in records:
        counts, held = (record.manifest.counts, record.manifest.held) if record.manifest else (None, [])
        sizes = [f"{n:,}" for n in (counts.documents, counts.chunks, counts.staged, counts.retired)] if counts else ["-"] * 4
        ndcg = ndcg_of(record.scores)
        held_names = ", ".join(h.source for h in held) or "-"
        marks = ", ".join(["pinned"] * (record.revision in pins) + ["overridden"] * bool(record.overridden))
        cells = [str(record.revision), record.status, when(record.published_at), *sizes, "-" if ndcg is None else f"{ndcg:.3f}"]
        shown.add_row(*(Text(cell, style=_STYLES[record.status]) for cell in (*cells, held_names, marks)))
    console.print(shown)
    if pointer is not None and pointer.paused:
        console.print(
            Text(f"Publishing is paused: {pointer.paused}. To lift it: plumbline releases resume", style="yellow"), soft_wrap=True
        )
    refused = next((r for r in records if r.status == "rejected"), None)
    if refused is not None:
        console.print(Text(f"Why {refused.revision} was refused: plumbline releases show {refused.revision}", style="dim"))


def _show_one(record: ReleaseRecord, verdicts: list[Verdict]) -> None:
    from rich.text import Text

    console = out()
    console.print(Text(f"Release {record.revision}, {record.status}", style=_STYLES[record.status]))
    console.print(f"created {when(record.created_at)}, published {when(record.published_at)}, run {record.run_id}", markup=False)
    for reason in record.reasons:
        console.print(Text(f"  {reason}", style="red"), soft_wrap=True)
    manifest = record.manifest
    if record.overridden and manifest is not None and manifest.override is not None:
        console.print(Text(f"It went live in spite of failed checks: {manifest.override.says}", style="bold yellow"), soft_wrap=True)
    for reason in record.overridden:
        console.print(Text(f"  {reason}", style="yellow"), soft_wrap=True)
    if manifest is not None:
        c = manifest.counts
        console.print(
            f"index {manifest.index}, {c.documents:,} documents, {c.chunks:,} passages, {c.staged:,} added, {c.retired:,} retired"
        )
        console.print(f"model {manifest.model.name}, weights {manifest.model.digest[:12]}, {manifest.model.runtime}", markup=False)
        for held in manifest.held:
            console.print(Text(f"held: {held.source}: {'; '.join(held.reasons)}", style="yellow"), soft_wrap=True)
        console.print()
        rows = [
            [name, pin.contract_version, ", ".join(pin.access), f"{pin.documents.rows:,}", f"{pin.chunks.rows:,}", str(pin.chunks.version)]
            for name, pin in sorted(manifest.sources.items())
        ]
        console.print(
            table(("source", "contract", "may read", "documents", "passages", "table version"), rows, numbers=("documents", "passages"))
        )
    if verdicts:
        console.print()
        console.print(table(("subject", "check", "outcome", "says"), [[v.subject, v.check, v.outcome, v.summary] for v in verdicts]))
