"""``plumbline golden``: check golden sets against the documents, bring some in, or get a first one to mend by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plumbline.cli.command import EXIT_FAILED, EXIT_OK, Result, command
from plumbline.cli.output import counted, out

if TYPE_CHECKING:
    from quality_checks.evaluation import Judged
    from quality_checks.golden import GoldenSet

_Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="The file to write; default: golden/<name>.jsonl beside the contracts.")
]


def register(app: typer.Typer) -> None:
    """Add ``check``, ``import`` and ``suggest``."""

    @command(app, "check", "plumbline golden check")
    def check() -> Result:
        """Whether every golden set is valid and every quote still stands in its document. Leaves with 1 when a judgement is stale."""
        from pipelines.evaluation.judged_sets import judge_golden
        from pipelines.tables import Lake
        from plumbline.cli.settings import existing_home, load_settings
        from quality_checks.golden import load_golden_folder
        from search_index.home import trusted_manifest

        settings = load_settings()
        folders = [folder / "golden" for folder in settings.contract_folders]
        sets = load_golden_folder(folders)
        judged = []
        if sets:
            home = existing_home(settings)
            manifest = trusted_manifest(home, home.catalog.resolve(None))
            judged = judge_golden(Lake(settings.lake), sets, manifest)
        document = {"sets": [_checked(one) for one in judged], "folders": [str(folder) for folder in folders]}
        stale = sum(len(one.resolved.stale) for one in judged)
        return Result(document, lambda: _show(judged, folders), EXIT_FAILED if stale else EXIT_OK)

    @command(app, "import", "plumbline golden import ./scifact --source scifact")
    def import_set(
        dataset: Annotated[Path, typer.Argument(help="A BEIR folder with queries.jsonl and qrels.tsv (or qrels/test.tsv).")],
        source: Annotated[str, typer.Option("--source", help="The source whose documents are judged.")],
        suffix: Annotated[str, typer.Option("--suffix", help="What follows the corpus id in a document's path, e.g. .txt")] = "",
        output: _Output = None,
    ) -> Result:
        """Make a golden set of a BEIR collection's queries and judgements."""
        from quality_checks.golden import import_beir
        from search_index.errors import WrongUsage

        qrels = next((path for path in (dataset / "qrels.tsv", dataset / "qrels" / "test.tsv") if path.is_file()), None)
        if qrels is None or not (dataset / "queries.jsonl").is_file():
            raise WrongUsage(f"{dataset} has no queries.jsonl with qrels.tsv.", "Give a BEIR folder.")
        return _written(import_beir(dataset / "queries.jsonl", qrels, source, lambda name: f"{name}{suffix}"), output, source)

    @command(app, "suggest", "plumbline golden suggest --source handbook --most 50")
    def suggest(
        source: Annotated[str, typer.Option("--source", help="The source to make questions for.")],
        most: Annotated[int, typer.Option("--most", min=1, max=10_000, help="How many questions.")] = 50,
        output: _Output = None,
    ) -> Result:
        """A first golden set of known-item questions, made from headings and sentences of indexed documents: silver, to be mended by hand.

        Such questions borrow the documents' own words and so flatter the search. They tell when something broke, not how good it is.
        """
        from plumbline.cli.settings import existing_home, load_settings
        from quality_checks.silver import silver_set
        from search_index.errors import WrongUsage
        from search_index.home import open_release

        home = existing_home(load_settings())
        loaded = open_release(home, home.catalog.resolve(None))
        try:
            if source not in loaded.manifest.sources:
                held = ", ".join(sorted(loaded.manifest.sources)) or "none"
                raise WrongUsage(f"The live release has no source {source!r}.", f"It has: {held}.")
            made = silver_set(loaded.reader, loaded.manifest.revision, source, most)
        finally:
            loaded.close()
        if made is None:
            raise WrongUsage(
                f"Nothing in {source} has a heading or a sentence to ask for.",
                "Write the first questions by hand; see docs/golden-sets.md.",
            )
        return _written(made, output, made.name)


def _written(golden: GoldenSet, output: Path | None, name: str) -> Result:
    """Write a set as JSON Lines: its head, then a query a line. What stands there is not written over."""
    from plumbline.cli.settings import load_settings
    from search_index.errors import WrongUsage

    path = output or load_settings().contract_folders[0] / "golden" / f"{name}.jsonl"
    head = {**golden.model_dump(mode="json", exclude={"queries"}), "name": name}
    lines = [head, *(query.model_dump(mode="json", exclude_none=True) for query in golden.queries)]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    except FileExistsError as error:
        raise WrongUsage(f"{path} is there already.", "Give another file with --output, or move it away.") from error
    except OSError as error:
        raise WrongUsage(f"{path} cannot be written: {error.strerror}.", "Give another file with --output.") from error
    document = {"written": str(path), "name": name, "author": golden.author, "queries": len(golden.queries)}
    return Result(document, lambda: _say_written(path, golden))


def _say_written(path: Path, golden: GoldenSet) -> None:
    console = out()
    console.print(f"{counted(len(golden.queries), 'question')} written to {path}", markup=False, soft_wrap=True)
    if golden.author:
        console.print(f"Author: {golden.author}", markup=False, soft_wrap=True)
    console.print("[dim]Then:[/dim] [cyan]plumbline golden check[/cyan]")


def _checked(one: Judged) -> dict[str, object]:
    return {
        "name": one.golden.name,
        "version": one.golden.version,
        "queries": len(one.golden.queries),
        "judged": len(one.resolved.qrels),
        "stale": [{"query": s.query, "document": s.document, "reason": s.reason} for s in one.resolved.stale],
    }


def _show(judged: list[Judged], folders: list[Path]) -> None:
    from rich.text import Text

    console = out()
    if not judged:
        console.print(f"There are no golden sets in {' or '.join(str(f) for f in folders)}.", markup=False, soft_wrap=True)
        console.print("[dim]To begin with one:[/dim] [cyan]plumbline golden suggest --source SOURCE[/cyan]")
    for one in judged:
        stale = one.resolved.stale
        said = f"{one.golden.name}: {counted(len(one.golden.queries), 'question')}, "
        console.print(
            Text(said + (f"{len(stale)} stale judgements" if stale else "every judgement stands"), style="yellow" if stale else "green")
        )
        for each in stale:
            console.print(Text(f"  {each.query}: {each.document}: {each.reason}"), soft_wrap=True)
    if any(one.resolved.stale for one in judged):
        console.print(Text("Correct the quotes, or take the judgements out: nothing can meet them.", style="dim"))
