"""``plumbline evaluate`` learns from a collection's training judgements and from nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import cast

import pytest

from pipelines.workspace import LogProgress
from plumbline.cli.evaluate import _learned
from plumbline.evaluate_dataset import evaluate_dataset
from plumbline.training_set import training_files, training_set, write_golden
from quality_checks.golden import load_golden
from search_index.fusion import Ranking
from search_index.model.search import Mode
from search_index.settings import Settings
from tests.pipelines.test_tuning import CODED, document

Report = dict[str, dict[str, dict[str, dict[str, float]]]]


def lines(path: Path, rows: Iterable[dict[str, str]]) -> None:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))


def judgements(path: Path, pairs: Iterable[tuple[int, str]]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text("query-id\tcorpus-id\tscore\n" + "".join(f"{at}\t{name}\t1\n" for at, name in pairs))


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Things under their coded names: every tenth name is asked about, the others are for training."""
    folder = tmp_path / "coded"
    folder.mkdir()
    named = [(at, query, path.removesuffix(".md")) for at, (query, path) in enumerate(CODED)]
    texts = {name: document(*name.split("-")) for _, _, name in named}
    lines(folder / "corpus.jsonl", ({"_id": name, "title": "", "text": text} for name, text in texts.items()))
    lines(folder / "queries.jsonl", ({"_id": str(at), "text": query} for at, query, _ in named if at % 10 == 0))
    lines(folder / "queries_train.jsonl", ({"_id": str(at), "text": query} for at, query, _ in named if at % 10))
    judgements(folder / "qrels.tsv", ((at, name) for at, _, name in named if at % 10 == 0))
    judgements(folder / "qrels_train.tsv", ((at, name) for at, _, name in named if at % 10))
    return folder


def evaluated(dataset: Path, home: Path, settings: Settings, modes: Sequence[Mode] = ("hybrid",)) -> Report:
    quiet = LogProgress(lambda _: None)
    found = evaluate_dataset(settings, dataset, modes=modes, documents=None, limit_queries=None, home=home, progress=quiet)
    return cast("Report", json.loads(json.dumps(found)))


@pytest.mark.slow
def test_training_judgements_make_search_better_and_the_report_says_how(dataset: Path, tmp_path: Path) -> None:
    untaught = evaluated(dataset, tmp_path / "home", Settings(tuning="off"), ["hybrid", "sparse", "lexical"])
    by_words = [untaught["modes"][mode]["ndcg@10"] for mode in ("sparse", "lexical")]
    assert by_words[0] == by_words[1], "the passages in memory are ranked as the sparse arm ranks them"
    assert untaught["ranking"] == {
        "pinned": Ranking().model_dump(mode="json", exclude={"tuned"}),
        "tuned": None,
        "training": None,
    }
    taught = evaluated(dataset, tmp_path / "home", Settings())
    ranking = cast("dict[str, dict[str, object]]", taught["ranking"])
    assert ranking["training"]["queries"] == len(CODED) - len(CODED[::10])
    assert ranking["pinned"]["adapter"]
    assert cast("dict[str, object]", ranking["tuned"]["adapter"])["adopted"] is True
    assert taught["modes"]["hybrid"]["ndcg@10"]["value"] > untaught["modes"]["hybrid"]["ndcg@10"]["value"] + 0.05
    assert "adopted. Better beyond noise" in _learned(ranking)[0]
    # The judgements that are measured on are in no golden set of the home.
    assert [path.name for path in (tmp_path / "home" / "contracts" / "golden").iterdir()] == ["coded_training.jsonl"]


def test_training_judgements_are_found_in_either_layout(dataset: Path, tmp_path: Path) -> None:
    assert training_files(dataset) == (dataset / "queries_train.jsonl", dataset / "qrels_train.tsv")
    (dataset / "queries_train.jsonl").unlink()
    assert training_files(dataset) is None
    judgements(dataset / "qrels" / "train.tsv", [(0, "red-pump")])
    files = training_files(dataset)
    assert files == (dataset / "queries.jsonl", dataset / "qrels" / "train.tsv")
    assert files is not None
    golden = training_set(*files, "coded", str)
    assert (golden.name, golden.purpose, [query.id for query in golden.queries]) == ("coded_training", "training", ["0"])
    assert load_golden(write_golden(golden, tmp_path / "golden")) == golden
