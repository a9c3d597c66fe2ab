"""What a reranker gains on judged questions, and what it costs: the same release asked without it and with it."""

from __future__ import annotations

import numpy as np
from pydantic import JsonValue as Json

from quality_checks.comparison import MEASURE, compare
from quality_checks.evaluation import ModeResult
from search_index.engine.interface import IndexReader
from search_index.fusion import Ranking
from search_index.home import Home, searcher_of
from search_index.model.release import Manifest
from search_index.reranking import Reranking
from search_index.searcher import Searcher

RERANKED = "hybrid_reranked"
"""How reports name hybrid search with the reranker that is tried."""


def reranking_searcher(home: Home, manifest: Manifest, reader: IndexReader, reranking: Reranking) -> Searcher:
    """The searcher of a release that pins no reranker, as it would be with one."""
    ranking = Ranking.model_validate(manifest.ranking).model_copy(update={"reranking": reranking})
    return searcher_of(home, manifest.model_copy(update={"ranking": ranking.model_dump(mode="json")}), reader)


def gain_and_cost(reranking: Reranking, without: ModeResult, reranked: ModeResult) -> dict[str, Json]:
    """The report: ``gain`` is the mean of the paired differences with its 95% bootstrap interval, ``cost`` milliseconds a query more.

    ``gain`` is None where no query was asked.
    """
    comparison = compare(without, reranked)
    gain: Json = None
    if comparison.before:
        found = comparison.difference
        gain = {MEASURE: {"value": round(found.mean, 5), "ci95": [round(found.lo, 5), round(found.hi, 5)]}}
    return {
        "model": reranking.model,
        "name": reranking.name,
        "top": reranking.top,
        "queries": len(comparison.before),
        "gain": gain,
        "cost": {
            "cpu_ms": round(reranked.cpu_ms - without.cpu_ms, 3),
            "p50_ms": round(_median(reranked.wall_ms) - _median(without.wall_ms), 3),
        },
    }


def _median(milliseconds: list[float]) -> float:
    return float(np.median(milliseconds or [0.0]))
