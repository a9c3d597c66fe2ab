"""How good rankings are by default, tuned and adapted: nDCG@10 through the search path on public collections with judgements.

Run ``python -m benchmarks.tuning --homes FOLDER``; collections are taken from ``../shared/data`` beside the checkout. Homes are kept, so a
second run does not ingest again.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import JsonValue as Json

from pipelines.evaluation.judged_sets import everyone_of, judge_golden
from pipelines.tables import Lake
from pipelines.workspace import LogProgress
from plumbline.evaluate_dataset import evaluate_dataset
from quality_checks.default_contract import source_name_for
from quality_checks.evaluation import ask
from quality_checks.golden import import_beir
from quality_checks.judged_queries import MEASURE, JudgedQuery, judged_queries
from quality_checks.metrics import mean_ci95
from quality_checks.passages_in_memory import passages_in_memory
from quality_checks.tuning import SEED, estimate_of, tune_fusion
from search_index.fusion import Ranking
from search_index.home import Home, open_release
from search_index.model.search import Mode
from search_index.searcher import Searcher
from search_index.settings import Settings

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
COLLECTIONS = ("nfcorpus", "cranfield", "cisi")
MODES: tuple[Mode, ...] = ("hybrid", "dense", "sparse")


def evaluated(dataset: Path, home: Path, tuning: str) -> dict[str, Json]:
    """``plumbline evaluate`` on a collection, in a home that is kept."""
    settings = Settings().model_copy(update={"tuning": tuning})
    quiet = LogProgress(lambda _: None)
    return evaluate_dataset(settings, dataset, modes=MODES, documents=None, limit_queries=None, home=home, progress=quiet)


def halves(dataset: Path, folder: Path) -> list[tuple[Ranking, np.ndarray, np.ndarray]]:
    """For either half of the queries: the ranking tuned on the other, and this half's nDCG@10 without and with it, by the searcher."""
    home = Home(Settings(home=folder))
    loaded = open_release(home, home.catalog.resolve(None))
    try:
        golden = import_beir(dataset / "queries.jsonl", dataset / "qrels.tsv", source_name_for(str(dataset)))
        judged = judge_golden(Lake(home.settings.lake), [golden], loaded.manifest)
        everyone = everyone_of(loaded.manifest)
        passages = passages_in_memory(loaded.reader, loaded.record.revision, everyone.groups)
        queries = sorted(judged_queries(passages, judged), key=lambda query: query.bucket)
        encoder = home.encoder(loaded.manifest.model)

        def values(ranking: Ranking, some: Sequence[JudgedQuery]) -> np.ndarray:
            found = ask(Searcher(loaded.reader, encoder, ranking), judged, "hybrid", loaded.record.revision, everyone).values[MEASURE]
            return np.array([found[query.name] for query in some])

        found = []
        for chosen_on, measured_on in ((queries[::2], queries[1::2]), (queries[1::2], queries[::2])):
            ranking, trial = tune_fusion(passages, chosen_on, encoder.encode_query, Ranking(), None)
            print(f"  {len(chosen_on)} queries: {trial.reason} {trial.estimate.model_dump() if trial.estimate else ''}", flush=True)
            found.append((ranking, values(Ranking(), measured_on), values(ranking, measured_on)))
        return found
    finally:
        loaded.close()
        home.catalog.close()


def show(name: str, values: np.ndarray) -> None:
    """A mean and its interval."""
    mean, low, high = mean_ci95(values.tolist(), SEED)
    print(f"  {name}: {mean:.4f} ({low:.4f}, {high:.4f})", flush=True)


def main() -> None:
    """Print all three tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--homes", type=Path, required=True, help="where homes are kept")
    parser.add_argument("--collections", nargs="*", default=COLLECTIONS)
    arguments = parser.parse_args()
    for name in arguments.collections:
        home = arguments.homes / name
        report = evaluated(DATA / name, home, "off")
        print(f"{name}, defaults: {report['modes']}\n  ingest: {report['ingest']}", flush=True)
        for ranking, before, after in halves(DATA / name, home):
            show(f"the other half by default ({len(before)} queries)", before)
            show(f"tuned: weight {ranking.dense_weight}, depth {ranking.depth}, feedback {ranking.feedback}", after)
            print(f"  difference: {estimate_of(before, after).model_dump()}", flush=True)
        if (DATA / name / "qrels_train.tsv").is_file():
            report = evaluated(DATA / name, home, "auto")
            print(f"{name}, adapter from its training queries: {report['modes']}\n  {report['ranking']}", flush=True)


if __name__ == "__main__":
    main()
