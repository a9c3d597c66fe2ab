"""``plumbline evaluate``: how good and how dear the search is on a public or private collection with judgements."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from plumbline.cli.command import Result, command
from plumbline.cli.output import out, table

if TYPE_CHECKING:
    from search_index.model.search import Mode

_MODES = ("hybrid", "dense", "sparse")
_ALL_MODES = (*_MODES, "lexical")
_MEASURES = ("ndcg@10", "recall@100", "mrr@10")


def register(app: typer.Typer) -> None:
    """Add ``evaluate``."""

    @command(app, "evaluate", "plumbline evaluate --dataset ./scifact --modes hybrid,sparse")
    def evaluate(
        dataset: Annotated[Path, typer.Option("--dataset", help="A BEIR folder: corpus.jsonl, queries.jsonl, qrels.")],
        modes: Annotated[str, typer.Option("--modes", help="Which, with commas: hybrid,dense,sparse,lexical.")] = ",".join(_MODES),
        documents: Annotated[
            Path | None, typer.Option("--documents", help="Files whose stem is the corpus id, instead of corpus.jsonl.")
        ] = None,
        limit_queries: Annotated[int | None, typer.Option("--limit-queries", min=1, help="Only the first N judged queries.")] = None,
        reranker: Annotated[
            Path | None, typer.Option("--reranker", help="A cross-encoder's folder: measure hybrid search without it and with it.")
        ] = None,
        home: Annotated[Path | None, typer.Option("--home", help="Keep what is built here; thrown away unless given.")] = None,
        changed: Annotated[
            list[str] | None, typer.Option("--settings", help="KEY=VALUE, e.g. ranking.dense_weight=0.4; may be repeated.")
        ] = None,
    ) -> Result:
        """Ingest a collection through the same pipeline and measure each mode with the searcher that is served.

        Prints nDCG@10, recall@100 and MRR@10 with 95% intervals, and what ingest and a query cost. Where the folder has training judgements
        (queries_train.jsonl and qrels_train.tsv, or qrels/train.tsv), a ranking is learned from them first, unless --settings tuning=off.
        """
        from plumbline.cli.progress import terminal_progress
        from plumbline.cli.settings import load_settings
        from search_index.errors import WrongUsage

        for folder in (dataset, documents):
            if folder is not None and not folder.is_dir():
                raise WrongUsage(f"{folder} is not a folder.", "Give the folder of the collection.")
        asked, settings = _modes(modes), load_settings(overrides(changed or []))
        with terminal_progress() as progress:
            from plumbline.evaluate_dataset import evaluate_dataset

            found = evaluate_dataset(
                settings,
                dataset,
                modes=asked,
                documents=documents,
                limit_queries=limit_queries,
                home=home,
                progress=progress,
                reranker=reranker,
            )
        return Result(found, lambda: _show(found))


def overrides(pairs: list[str]) -> dict[str, object]:
    """``ranking.method=rrf`` as ``{"ranking": {"method": "rrf"}}``; values are JSON where they can be, text otherwise.

    Errors:
        WrongUsage: a pair has no ``=``, or names no setting.
    """
    from search_index.errors import WrongUsage
    from search_index.settings import Settings

    made: dict[str, object] = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        steps = key.strip().lower().removeprefix("plumbline_").replace("__", ".").split(".")
        if not separator or steps[0] not in Settings.model_fields:
            known = ", ".join(sorted(Settings.model_fields))
            raise WrongUsage(f"{pair!r} is no setting.", f"Give KEY=VALUE, the key one of: {known}.")
        inside = made
        for step in steps[:-1]:
            below = inside.setdefault(step, {})
            if not isinstance(below, dict):
                raise WrongUsage(f"{pair!r} contradicts another --settings.", "Give each setting once.")
            inside = cast("dict[str, object]", below)
        try:
            inside[steps[-1]] = json.loads(value)
        except ValueError:
            inside[steps[-1]] = value
    return made


def _modes(text: str) -> list[Mode]:
    from search_index.errors import WrongUsage

    asked = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not asked or set(asked) - set(_ALL_MODES):
        raise WrongUsage(f"{text!r} names no modes.", f"Give some of {', '.join(_ALL_MODES)}, with commas.")
    return cast("list[Mode]", asked)


def _show(found: Mapping[str, object]) -> None:
    console = out()
    model, ingest, modes = (_part(found, key) for key in ("model", "ingest", "modes"))
    console.print(f"[bold]{found['dataset']}[/bold]  {model.get('name')} on {model.get('runtime')}")
    held = f"{ingest.get('documents')} documents, {ingest.get('chunks')} passages, {ingest.get('quarantined')} in quarantine"
    cpu = f"{ingest.get('cpu_s')} CPU-s ({ingest.get('embed_cpu_s')} embedding)"
    console.print(f"{held}; ingest took {ingest.get('wall_s')} s, {cpu}, {ingest.get('peak_rss_mb')} MB at most")
    for line in _learned(_part(found, "ranking")):
        console.print(line)
    console.print()
    rows = []
    for mode in modes:
        measured = _part(modes, mode)
        query = _part(measured, "query")
        times = [str(query.get(key)) for key in ("p50_ms", "p95_ms", "p99_ms")]
        rows.append([mode, *(_interval(_part(measured, measure)) for measure in _MEASURES), *times])
    console.print(table(("mode", *_MEASURES, "p50 ms", "p95 ms", "p99 ms"), rows, numbers=("p50 ms", "p95 ms", "p99 ms")))
    for line in _reranked(_part(found, "reranking")):
        console.print(line, markup=False, soft_wrap=True)


def _learned(ranking: Mapping[str, object]) -> list[str]:
    """What was tried of the ranking, and what came of it."""
    tuned, lines = _part(ranking, "tuned"), []
    for name, title in (("adapter", "query adapter"), ("fusion", "fusion")):
        trial = _part(tuned, name)
        if not trial:
            continue
        estimate = _part(trial, "estimate")
        gain, ci95 = estimate.get("difference"), estimate.get("ci95")
        by = f" nDCG@10 {gain:+.3f} ({ci95[0]:+.3f}, {ci95[1]:+.3f})." if isinstance(gain, float) and isinstance(ci95, list) else ""
        lines.append(f"{title}: {'adopted' if trial.get('adopted') else 'not adopted'}. {trial.get('reason')}{by}")
    return lines


def _reranked(tried: Mapping[str, object]) -> list[str]:
    """What a reranker gained, and what it cost."""
    gain, cost = _part(_part(tried, "gain"), "ndcg@10"), _part(tried, "cost")
    value, ci95 = gain.get("value"), gain.get("ci95")
    if not isinstance(value, float) or not isinstance(ci95, list):
        return []
    by = f"nDCG@10 {value:+.3f} (95% interval {ci95[0]:+.3f} to {ci95[1]:+.3f}, {tried.get('queries')} queries)"
    more = f"{cost.get('cpu_ms')} CPU ms a query more, {cost.get('p50_ms')} ms at the median"
    return [f"reranking the first {tried.get('top')} with {tried.get('name')}: {by}, for {more}"]


def _interval(measure: Mapping[str, object]) -> str:
    value, ci95 = measure.get("value"), measure.get("ci95")
    if not isinstance(value, int | float) or not isinstance(ci95, list):
        return "-"
    return f"{value:.3f} [{ci95[0]:.3f}, {ci95[1]:.3f}]".replace("[", "(").replace("]", ")")


def _part(whole: Mapping[str, object], key: str) -> dict[str, object]:
    part = whole.get(key)
    return part if isinstance(part, dict) else {}
