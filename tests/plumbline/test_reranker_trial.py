"""``plumbline evaluate --reranker`` says what a reranker gains and what it costs, side by side."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pytest

from plumbline.cli.evaluate import _reranked
from plumbline.reranker_trial import gain_and_cost
from quality_checks.evaluation import ModeResult
from quality_checks.metrics import ALL_MEASURES, evaluate_run
from search_index.reranking import Reranking

TRIED = Reranking(model="c" * 64, name="tiny-reranker", top=20)
QRELS = {f"set/{at}": {"relevant": 1} for at in range(60)}


def result(ranks: Sequence[int], wall_ms: list[float], cpu_ms: float) -> ModeResult:
    """Answers that hold the relevant document at these ranks, from 1."""
    run = {
        query: [*((f"other-{n}", 1.0 / n) for n in range(1, rank)), ("relevant", 1.0 / rank)]
        for query, rank in zip(QRELS, ranks, strict=True)
    }
    return ModeResult("hybrid", evaluate_run(run, QRELS, ALL_MEASURES), run, QRELS, wall_ms, cpu_ms)


def test_gain_is_paired_and_cost_is_what_a_query_takes_more() -> None:
    without = result([2] * 60, [4.0, 5.0, 90.0], 6.5)
    better = result([1] * 50 + [3] * 10, [104.0, 125.0, 500.0], 206.75)
    report = json.loads(json.dumps(gain_and_cost(TRIED, without, better)))
    assert (report["model"], report["name"], report["top"], report["queries"]) == ("c" * 64, "tiny-reranker", 20, 60)
    of = 1 / np.log2(np.array([2, 3, 4]))
    gain = report["gain"]["ndcg@10"]
    assert gain["value"] == pytest.approx((50 * (of[0] - of[1]) + 10 * (of[2] - of[1])) / 60, abs=1e-5)
    assert gain["ci95"][0] < gain["value"] < gain["ci95"][1]
    assert gain["ci95"][0] > 0
    assert report["cost"] == {"cpu_ms": 200.25, "p50_ms": 120.0}
    (line,) = _reranked(report)
    assert "first 20 with tiny-reranker" in line
    assert f"nDCG@10 {gain['value']:+.3f}" in line
    assert "200.25 CPU ms a query more, 120.0 ms at the median" in line


def test_a_loss_is_said_as_plainly() -> None:
    report = gain_and_cost(TRIED, result([1] * 60, [1.0], 1.0), result([2] * 60, [2.0], 2.0))
    assert "nDCG@10 -0.369 (95% interval -0.369 to -0.369, 60 queries)" in _reranked(json.loads(json.dumps(report)))[0]


def test_without_a_reranker_nothing_is_said() -> None:
    assert _reranked({}) == []
