"""Evaluation: the golden queries asked of the searcher that is served, and what came of them, mode by mode."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import JsonValue as Json

from quality_checks.golden import GoldenSet
from quality_checks.metrics import ALL_MEASURES, MEASURES, evaluate_run, mean_ci95, units_run
from quality_checks.resolution import Resolved
from search_index.engine.interface import Payload
from search_index.model.search import Mode, Principal, Span
from search_index.searcher import Searcher

DEPTH = 100
"""How many distinct documents, or passages, a query is judged on."""
SEED = 20_240_229


@dataclass(frozen=True)
class Judged:
    """A golden set with its judgements found in the documents as a release holds them."""

    golden: GoldenSet
    resolved: Resolved


@dataclass(frozen=True)
class ModeResult:
    """One mode's answers to every judged query.

    ``values`` is each measure's value by query (``set/query``); a query that found nothing has zero. ``run`` is each query's ranking
    of units and passages with their scores, ``qrels`` the grades it is judged by. ``wall_ms`` is one a query, ``cpu_ms`` the mean
    a query.
    """

    mode: Mode
    values: dict[str, dict[str, float]]
    run: Mapping[str, Sequence[tuple[str, float]]]
    qrels: Mapping[str, Mapping[str, int]]
    wall_ms: list[float]
    cpu_ms: float

    def summary(self, measures: Sequence[str] = MEASURES) -> dict[str, Json]:
        """Means with 95% bootstrap intervals over queries, and what a query cost."""
        means = {measure: mean_of(self.values[measure].values()) for measure in measures}
        p50, p95, p99 = (round(float(p), 3) for p in np.percentile(self.wall_ms or [0.0], [50, 95, 99]))
        return {**means, "query": {"p50_ms": p50, "p95_ms": p95, "p99_ms": p99, "cpu_ms": round(self.cpu_ms, 3)}}


def mean_of(values: Iterable[float]) -> Json:
    """A mean with its 95% bootstrap interval, as reports have it."""
    mean, low, high = mean_ci95(list(values), SEED)
    return {"value": round(mean, 5), "ci95": [round(low, 5), round(high, 5)]}


def ask(
    searcher: Searcher,
    judged: Sequence[Judged],
    mode: Mode,
    revision: int,
    principal: Principal,
    progress: Callable[[int], None] = lambda _: None,
) -> ModeResult:
    """Ask every query that has a judgement left, in one mode: each set as ``principal`` of the set's own tenant.

    Queries judged by whole documents are measured on the ranking of documents, those judged by passage on that of passages,
    where only the first passage to meet a judgement counts.
    """
    run: dict[str, list[tuple[str, float]]] = {}
    qrels: dict[str, Mapping[str, int]] = {}
    wall_ms: list[float] = []
    cpu_before = time.process_time()
    for one in judged:
        asking = principal.model_copy(update={"tenant": one.golden.tenant})
        for query in one.golden.queries:
            if query.id not in one.resolved.qrels:
                continue
            name = f"{one.golden.name}/{query.id}"
            began = time.perf_counter()
            if any(unit.places for unit in one.resolved.units[query.id]):
                ranked = searcher.rank_passages(query.query, mode, revision, asking, DEPTH)
                wall_ms.append((time.perf_counter() - began) * 1e3)
                run[name] = units_run([_passage(payload, score) for payload, score in ranked], one.resolved, query.id)
            else:
                run[name] = searcher.rank_documents(query.query, mode, revision, asking, DEPTH)
                wall_ms.append((time.perf_counter() - began) * 1e3)
            qrels[name] = one.resolved.qrels[query.id]
            progress(1)
    cpu_ms = (time.process_time() - cpu_before) * 1e3 / max(1, len(wall_ms))
    return ModeResult(mode, evaluate_run(run, qrels, ALL_MEASURES), run, qrels, wall_ms, cpu_ms)


@dataclass(frozen=True)
class _Passage:
    chunk_id: str
    uri: str
    span: Span
    score: float


def _passage(payload: Payload, score: float) -> _Passage:
    span = Span.model_validate({"start": payload["start"], "end": payload["end"]})
    return _Passage(str(payload["chunk_id"]), str(payload["uri"]), span, score)
