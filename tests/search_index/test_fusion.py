"""Fusion of two arms' candidates."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from search_index.fusion import Feedback, Ranking, best_first, by_max, centred, convex, reciprocal_rank

scores = st.lists(st.floats(-10, 10, width=32), min_size=1, max_size=30).map(np.array)


@given(scores)
def test_normalised_by_the_largest_the_best_is_one_and_the_order_stays(values: np.ndarray) -> None:
    normalised = by_max(values)
    if values.max() > 0:
        assert normalised.max() == pytest.approx(1.0)
        assert (np.diff(normalised[np.argsort(values)]) >= 0).all()
    else:
        assert not normalised.any()


@given(scores, st.integers(0, 2**30 - 1))
def test_centred_scores_are_finite_and_at_most_one(values: np.ndarray, bits: int) -> None:
    among = np.array([bool(bits >> position & 1) for position in range(len(values))])
    normalised = centred(values, among)
    assert np.isfinite(normalised).all()
    assert normalised.max() <= 1.0 + 1e-9


def test_centred_scores_do_not_depend_on_where_the_mean_was() -> None:
    values, among = np.array([0.9, 0.8, 0.4, 0.1]), np.array([True, True, True, False])
    assert centred(values + 5, among) == pytest.approx(centred(values, among))
    assert centred(values, among)[:3].sum() == pytest.approx(0)


def test_nothing_to_fuse_is_no_error() -> None:
    nothing = np.empty(0)
    assert by_max(nothing).shape == centred(nothing, np.empty(0, bool)).shape == (0,)
    assert reciprocal_rank([[], []], [], 60).shape == (0,)


def test_a_convex_combination_weighs_the_arms() -> None:
    dense, sparse = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    assert convex(dense, sparse, 0.7).tolist() == pytest.approx([0.7, 0.3])


def test_reciprocal_ranks_add_up_over_the_arms_that_brought_a_candidate() -> None:
    fused = reciprocal_rank([["a", "b", "c"], ["c", "a"]], ["a", "b", "c"], 60)
    assert fused.tolist() == pytest.approx([1 / 61 + 1 / 62, 1 / 62, 1 / 63 + 1 / 61])


def test_ties_are_broken_by_id() -> None:
    assert best_first(["c", "a", "b"], np.array([1.0, 1.0, 2.0])) == [2, 1, 0]


@pytest.mark.parametrize("wrong", [{"dense_weight": 1.1}, {"rrf_k": 0}, {"method": "sum"}, {"depth": 0}])
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Ranking.model_validate(wrong)


def test_ranking_survives_a_manifest() -> None:
    for ranking in (Ranking(), Ranking(method="rrf", feedback=None), Ranking(feedback=Feedback(top=7, share=0.3))):
        assert Ranking.model_validate_json(ranking.model_dump_json()) == ranking
