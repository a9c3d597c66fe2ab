"""The training judgements that a BEIR folder may hold beside those it is measured on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from quality_checks.golden import GoldenSet, import_beir


def training_files(dataset: Path) -> tuple[Path, Path] | None:
    """Queries and judgements to learn from: ``queries_train.jsonl`` with ``qrels_train.tsv``, or BEIR's own ``qrels/train.tsv``."""
    places = ((dataset / "queries_train.jsonl", dataset / "qrels_train.tsv"), (dataset / "queries.jsonl", dataset / "qrels" / "train.tsv"))
    return next(((queries, qrels) for queries, qrels in places if queries.is_file() and qrels.is_file()), None)


def training_set(queries: Path, qrels: Path, source: str, path_of: Callable[[str], str]) -> GoldenSet:
    """The judgements as a golden set that releases learn from and are not measured on.

    Raises:
        GoldenInvalid: a file is not what it should be.
    """
    return import_beir(queries, qrels, source, path_of).model_copy(update={"name": f"{source}_training", "purpose": "training"})


def write_golden(golden: GoldenSet, folder: Path) -> Path:
    """Write a golden set as JSON Lines where a project looks for it: a head, then a query a line."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{golden.name}.jsonl"
    head = golden.model_dump(mode="json", exclude={"queries"})
    queries = [query.model_dump(mode="json", exclude_defaults=True) for query in golden.queries]
    path.write_text("".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in (head, *queries)), encoding="utf-8")
    return path
