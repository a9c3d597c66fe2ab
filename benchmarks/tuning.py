"""How good rankings are by default, tuned and adapted: nDCG@10 through the search path on public collections with judgements.

Run ``python -m benchmarks.tuning``; collections are taken from ``../shared/data`` beside the checkout. With ``--homes FOLDER`` homes
are kept, so that a second run does not ingest again.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import cast

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
from quality_checks.tuning import SEED, tune_fusion
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
    home = Home(Settings(home=folder, models=Settings().models_dir))
    loaded = open_release(home, home.catalog.resolve(None))
    try:
        golden = import_beir(dataset / "queries.jsonl", dataset / "qrels.tsv", source_name_for(str(dataset)))
        judged = judge_golden(Lake(home.settings.lake), [golden], loaded.manifest)
        everyone = everyone_of(loaded.manifest)
        passages = passages_in_memory(loaded.reader, loaded.record.revision, everyone.tenant, everyone.groups)
        queries = sorted(judged_queries(passages, judged), key=lambda query: query.bucket)
        encoder = home.encoder(loaded.manifest.model)

        def values(ranking: Ranking, some: Sequence[JudgedQuery]) -> np.ndarray:
            found = ask(Searcher(loaded.reader, encoder, ranking), judged, "hybrid", loaded.record.revision, everyone).values[MEASURE]
            return np.array([found[query.name] for query in some])

        found = []
        for chosen_on, measured_on in ((queries[::2], queries[1::2]), (queries[1::2], queries[::2])):
            ranking, trial = tune_fusion(passages, chosen_on, encoder.encode_query, Ranking(), None)
            sys.stderr.write(f"{dataset.name}, {len(chosen_on)} queries: {trial.reason}\n")
            found.append((ranking, values(Ranking(), measured_on), values(ranking, measured_on)))
        return found
    finally:
        loaded.close()
        home.catalog.close()


def told(values: np.ndarray) -> str:
    """A mean and its 95 % interval."""
    mean, low, high = mean_ci95(values.tolist(), SEED)
    return f"{mean:.3f} ({low:.3f} to {high:.3f})"


def measured(report: dict[str, Json], mode: Mode) -> str:
    """nDCG@10 of a mode in a report of ``plumbline evaluate``, with its interval."""
    modes = cast(dict[str, dict[str, dict[str, Json]]], report["modes"])
    found = modes[mode]["ndcg@10"]
    low, high = cast(list[float], found["ci95"])
    return f"{found['value']:.3f} ({low:.3f} to {high:.3f})"


def row(*cells: str) -> None:
    """One line of the table, as soon as it is known."""
    sys.stdout.write(f"| {' | '.join(cells)} |\n")
    sys.stdout.flush()


def main() -> None:
    """Measure and print, a collection at a time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--homes", type=Path, help="where homes are kept; without it they are thrown away")
    parser.add_argument("--collections", nargs="*", default=COLLECTIONS)
    arguments = parser.parse_args()
    row("collection", "ranking", "queries", "hybrid", "dense", "sparse")
    row(*["---"] * 6)
    with tempfile.TemporaryDirectory() as scratch:
        for name in arguments.collections:
            home = (arguments.homes or Path(scratch)) / name
            report = evaluated(DATA / name, home, "off")
            found = halves(DATA / name, home)
            asked = str(sum(len(before) for _, before, _ in found))
            row(name, "defaults", asked, *(measured(report, mode) for mode in MODES))
            for ranking, before, after in found:
                chosen = "the defaults" if ranking == Ranking() else f"weight {ranking.dense_weight}, depth {ranking.depth}"
                row(name, "defaults, on one half", str(len(before)), told(before), "", "")
                row(name, f"tuned on the other half: {chosen}", str(len(after)), told(after), "", "")
            both = [np.concatenate([each[at] for each in found]) for at in (1, 2)]
            row(name, "tuned on the other half, both together", asked, told(both[1]), f"gain {(both[1] - both[0]).mean():+.4f}", "")
            if (DATA / name / "qrels_train.tsv").is_file():
                report = evaluated(DATA / name, home, "auto")
                row(name, "adapter from its training queries", asked, *(measured(report, mode) for mode in MODES))


if __name__ == "__main__":
    main()
