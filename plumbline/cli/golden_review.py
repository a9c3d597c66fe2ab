"""``plumbline golden review``, ``accept`` and ``dismiss``: answers that people disliked, or nobody was sure of, become golden queries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from plumbline.cli.command import Result, command
from plumbline.cli.output import counted, out

if TYPE_CHECKING:
    from search_index.model.usage import ReviewItem

_Id = Annotated[str, typer.Argument(metavar="ID", help="Of the answer, as `plumbline golden review` shows it.")]


def register(app: typer.Typer) -> None:
    """Add ``review``, ``accept`` and ``dismiss``."""

    @command(app, "review", "plumbline golden review --limit 20")
    def review(limit: Annotated[int, typer.Option("--limit", min=1, max=500, help="How many answers.")] = 20) -> Result:
        """Answers that were disliked or corrected, and those that the service was not sure of: what to judge next."""
        from plumbline.cli.settings import existing_home, load_settings

        items = existing_home(load_settings()).catalog.review_queue(limit)
        return Result({"reviews": [item.model_dump(mode="json") for item in items]}, lambda: _show(items))

    @command(app, "accept", 'plumbline golden accept 5f0c3d7a9e1b42d8a6c4f001 --query "how is a release rolled back?"')
    def accept(
        id: _Id,
        query: Annotated[str | None, typer.Option("--query", help="The question, where it is not known.")] = None,
        relevant: Annotated[list[str] | None, typer.Option("--relevant", help="Passages (chunk ids) that answer it; repeatable.")] = None,
        grade: Annotated[int, typer.Option("--grade", min=1, max=3, help="How relevant those are: 1 somewhat to 3 fully.")] = 2,
        training: Annotated[bool, typer.Option("--training", help="To learn from, instead of to measure releases on.")] = False,
    ) -> Result:
        """Make a golden query of a reviewed answer, judged by what people said of it and by what you add.

        It is written to golden/feedback.jsonl beside the contracts (golden/feedback-training.jsonl with --training), where it can be
        mended by hand.
        """
        from plumbline.cli.settings import actor, existing_home, load_settings
        from quality_checks.golden_candidates import add_to_set, candidate_of, judged_passages
        from search_index.home import open_release
        from search_index.model.tenant import DEFAULT_TENANT

        settings = load_settings()
        home = existing_home(settings)
        item = home.catalog.review_item(id)
        loaded = open_release(home, home.catalog.resolve(None))
        try:
            passages = judged_passages(loaded.reader, loaded.manifest.revision, item, relevant or [])
            made = candidate_of(item, query, passages, grade)
        finally:
            loaded.close()
        of = "" if item.tenant == DEFAULT_TENANT else f"-{item.tenant}"
        name = f"feedback{of}-training" if training else f"feedback{of}"
        purpose: Literal["evaluation", "training"] = "training" if training else "evaluation"
        path = add_to_set(settings.contract_folders[0] / "golden" / f"{name}.jsonl", made, purpose, item.tenant)
        home.catalog.review(id, "accepted", actor())
        document = {"written": str(path), "query": made.model_dump(mode="json", exclude_none=True)}
        return Result(document, lambda: _accepted(str(path), len(made.relevant)))

    @command(app, "dismiss", "plumbline golden dismiss 5f0c3d7a9e1b42d8a6c4f001")
    def dismiss(id: _Id) -> Result:
        """Take an answer off the queue without making anything of it."""
        from plumbline.cli.settings import actor, existing_home, load_settings

        existing_home(load_settings()).catalog.review(id, "dismissed", actor())
        return Result({"dismissed": id}, lambda: out().print(f"{id} is off the queue.", markup=False))


def _show(items: list[ReviewItem]) -> None:
    from rich.table import Table

    console = out()
    if not items:
        console.print("Nothing waits to be looked at.")
        console.print("[dim]Answers come here when people say so (POST /v1/feedback), or when the service was not sure of them.[/dim]")
        return
    table = Table("id", "when (UTC)", "why", "sure", "question", box=None, pad_edge=False)
    for item in items:
        sure = "" if item.confidence is None else f"{item.confidence:.0%}"
        why = ", ".join(reason.replace("_", " ") for reason in item.reasons)
        table.add_row(item.id, f"{item.at:%Y-%m-%d %H:%M}", why, sure, item.text or "[dim]not kept[/dim]")
    console.print(table)
    console.print("[dim]Then:[/dim] [cyan]plumbline golden accept ID[/cyan] [dim]or[/dim] [cyan]plumbline golden dismiss ID[/cyan]")


def _accepted(path: str, judged: int) -> None:
    console = out()
    console.print(f"A golden query with {counted(judged, 'judgement')} was added to {path}", markup=False, soft_wrap=True)
    console.print("[dim]Then:[/dim] [cyan]plumbline golden check[/cyan]")
