"""What changed between two releases, in figures."""

from __future__ import annotations

from plumbline.cli.release_diff import score_changes

BEFORE = {
    "queries": 4,
    "modes": {"hybrid": {"ndcg@10": {"value": 0.7, "ci95": [0.6, 0.8]}, "mrr@10": {"value": 0.5}}, "dense": {"ndcg@10": {"value": 0.4}}},
}
AFTER = {"queries": 4, "modes": {"hybrid": {"ndcg@10": {"value": 0.64, "ci95": [0.5, 0.7]}, "recall@100": {"value": 1.0}}}}


def test_measures_that_both_have_are_compared() -> None:
    assert score_changes(BEFORE, AFTER) == {"hybrid": {"ndcg@10": {"a": 0.7, "b": 0.64, "difference": -0.06}}}


def test_a_release_without_scores_compares_with_nothing() -> None:
    assert score_changes({}, AFTER) == score_changes(BEFORE, {"modes": {}}) == {}
