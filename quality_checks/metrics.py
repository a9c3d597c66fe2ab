"""Measures of a ranking, and how sure one can be of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Protocol

import numpy as np

from quality_checks.resolution import Resolved
from search_index.model.search import Span

MEASURES = ("ndcg@10", "recall@100", "mrr@10")
"""What every report has."""
ALL_MEASURES = (*MEASURES, "map@100", "success@10")
"""What a release records: those, mean average precision, and the share of queries with anything relevant among the first ten."""
RESAMPLES = 2000
_BATCH = 200
_NAMES = {"ndcg": "nDCG", "recall": "R", "mrr": "RR", "p": "P", "map": "AP", "success": "Success"}


class Passage(Protocol):
    """What a ranked passage has to say of itself; a ``Hit`` does."""

    @property
    def chunk_id(self) -> str: ...
    @property
    def uri(self) -> str: ...
    @property
    def span(self) -> Span: ...
    @property
    def score(self) -> float: ...


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """Mean of ``b - a`` over the same queries with its 95% interval.

    ``detectable_loss`` is the smallest true loss that ``n`` such queries would show 80% of the time (two-sided, 5%).
    """

    mean: float
    lo: float
    hi: float
    n: int
    detectable_loss: float


def evaluate_run(
    run: Mapping[str, Sequence[tuple[str, float]]], qrels: Mapping[str, Mapping[str, int]], measures: Sequence[str] = MEASURES
) -> dict[str, dict[str, float]]:
    """Each measure's value for each judged query: ``{"ndcg@10": {"q1": 0.63, ...}, ...}``.

    The order given is the ranking; scores are not looked at, so ties cannot be broken some other way. Every query of the
    qrels has a value, 0 when the run does not answer it; queries that nobody judged have none.

    Args:
        run: ranked ids with scores, best first, by query. An id's second appearance is passed over.
        qrels: grade of each relevant id, by query.
        measures: ``ndcg``, ``recall``, ``mrr``, ``p``, ``map`` or ``success``, ``@`` and a depth. nDCG's gain is the grade itself, as in
            trec_eval.

    Raises:
        ValueError: a measure is unknown.
    """
    import ir_measures

    wanted = {ir_measures.parse_measure(_measure(name)): name for name in measures}
    values = {name: dict.fromkeys(qrels, 0.0) for name in measures}
    if not qrels:
        return values
    ranked = {query: list(dict.fromkeys(name for name, _ in run.get(query, ()))) for query in qrels}
    falling = {query: {name: float(len(ids) - at) for at, name in enumerate(ids)} for query, ids in ranked.items()}
    for found in ir_measures.iter_calc(list(wanted), {query: dict(grades) for query, grades in qrels.items()}, falling):
        values[wanted[found.measure]][found.query_id] = float(found.value)
    return values


def units_run(hits: Sequence[Passage], resolved: Resolved, query: str) -> list[tuple[str, float]]:
    """One query's ranked passages as a ranking of judgement units, for ``evaluate_run`` against ``resolved.qrels``.

    A unit counts where its first passage stands. Later passages that only repeat units already found are dropped, so that a
    passage cut in two cannot lift DCG over the ideal. A passage that meets several units stands for each of them; one that meets
    none keeps its chunk id.
    """
    ranked: list[tuple[str, float]] = []
    seen: set[str] = set()
    for hit in hits:
        units = resolved.relevant_units(query, hit.uri, (hit.span.start, hit.span.end))
        ranked += [(unit, hit.score) for unit in units or [hit.chunk_id] if unit not in seen]
        seen.update(units)
    return ranked


def mean_ci95(values: Sequence[float], seed: int) -> tuple[float, float, float]:
    """Mean and 95% interval by the percentile bootstrap (Efron 1979), the same for the same seed.

    Raises:
        ValueError: there are no values.
    """
    if not values:
        raise ValueError("the mean of no values is not defined")
    sample = np.asarray(values, dtype=np.float64)
    random = np.random.default_rng(seed)
    batches = (sample[random.integers(0, len(sample), (_BATCH, len(sample)))].mean(axis=1) for _ in range(RESAMPLES // _BATCH))
    lo, hi = np.quantile(np.concatenate(list(batches)), (0.025, 0.975))
    return float(sample.mean()), float(lo), float(hi)


def paired_difference(a: Mapping[str, float], b: Mapping[str, float], seed: int) -> PairedDifference:
    """How much better ``b`` is than ``a``, query by query.

    The detectable loss is ``(z(0.975) + z(0.8)) * s / sqrt(n)`` with ``s`` the standard deviation of the differences; it is infinite
    for a single query.

    Raises:
        ValueError: the two are not about the same queries, or about none.
    """
    if a.keys() != b.keys():
        raise ValueError(f"{len(a.keys() ^ b.keys())} queries are in one of the two only")
    differences = [b[query] - a[query] for query in sorted(a)]
    mean, lo, hi = mean_ci95(differences, seed)
    normal = NormalDist()
    spread = float(np.std(differences, ddof=1)) if len(differences) > 1 else math.inf
    detectable = (normal.inv_cdf(0.975) + normal.inv_cdf(0.8)) * spread / math.sqrt(len(differences))
    return PairedDifference(mean, lo, hi, len(differences), detectable)


def _measure(name: str) -> str:
    kind, _, depth = name.partition("@")
    if kind not in _NAMES or not depth.isdigit():
        raise ValueError(f"unknown measure {name!r}: it wants one of {', '.join(_NAMES)}, an @ and a depth")
    return f"{_NAMES[kind]}@{depth}"
