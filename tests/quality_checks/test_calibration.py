from __future__ import annotations

import numpy as np
import pytest

from quality_checks.calibration import MOST_REFUSED, auroc, enough_to_learn, learn, measure, reliability
from search_index.bm25 import TermStatistics, count_terms
from search_index.confidence import SIGNALS, Logistic, signals_of

COSINE = SIGNALS.index("best_cosine")


def drawn(count: int, telling: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Signals of judged queries, the first of which tells as much of relevance as ``telling`` says."""
    random = np.random.default_rng(seed)
    signals = random.standard_normal((count, len(SIGNALS)))
    signals[:, COSINE] += 5
    chance = 1 / (1 + np.exp(-telling * (signals[:, COSINE] - 5)))
    return signals, random.random(count) < chance


ELSEWHERE = np.random.default_rng(9).standard_normal((100, len(SIGNALS)))


def test_confidence_that_is_learned_from_what_tells_is_calibrated_and_skilled() -> None:
    signals, relevant = drawn(2000, 1.5, 1)
    found = measure(signals, relevant, ELSEWHERE, seed=1)
    assert found.ece < 0.04
    assert found.skill > 0.2
    assert found.auroc > 0.75
    assert found.refused < 0.05
    assert found.seen_through > 0.85
    assert sum(count for _, _, count in found.bins) == 2000


def test_signals_that_tell_nothing_give_no_skill_and_no_false_certainty() -> None:
    signals, relevant = drawn(600, 0.0, 2)
    found = measure(signals, relevant, ELSEWHERE, seed=2)
    assert found.skill < 0.03
    assert 0.4 < found.auroc < 0.6
    assert found.ece < 0.1


def test_the_same_queries_teach_the_same() -> None:
    signals, relevant = drawn(120, 1.0, 3)
    assert learn(signals, relevant, ELSEWHERE) == learn(signals.copy(), relevant.copy(), ELSEWHERE.copy())


def test_too_few_queries_of_either_kind_teach_nothing() -> None:
    assert not enough_to_learn(np.array([True] * 30 + [False] * 20))
    assert not enough_to_learn(np.array([True] * 100 + [False] * 9))
    assert enough_to_learn(np.array([True] * 50 + [False] * 10))


def test_overconfidence_shows_in_the_bins() -> None:
    stated, relevant = np.full(1000, 0.9), np.arange(1000) % 2 == 0
    assert [(round(said, 2), round(true, 1)) for said, true, _ in reliability(stated, relevant)] == [(0.9, 0.5)] * 10


def test_auroc_is_the_chance_of_the_right_order() -> None:
    assert auroc(np.array([0.9, 0.8, 0.2, 0.2]), np.array([True, False, True, False])) == pytest.approx(0.625)
    assert auroc(np.array([0.1]), np.array([True])) == 0.5


def test_a_logistic_model_refuses_what_does_not_fit_the_signals() -> None:
    with pytest.raises(ValueError, match="signals"):
        Logistic(means=(0.0,), scales=(1.0,), weights=(1.0,), intercept=0.0)


def test_a_threshold_that_no_question_reaches_from_elsewhere_still_refuses_few_judged_ones() -> None:
    signals, relevant = drawn(400, 1.0, 4)
    close = np.random.default_rng(5).standard_normal((100, len(SIGNALS)))
    close[:, COSINE] += 3.5
    found = measure(signals, relevant, close, seed=4)
    assert found.refused == pytest.approx(MOST_REFUSED, abs=0.02)
    assert 0.2 < found.seen_through < 0.9


def signals_for(query: str) -> dict[str, float]:
    texts = ["the otter sleeps in a holt", "the badger digs a sett", "the otter hunts eels"]
    statistics = TermStatistics.empty().updated(map(count_terms, texts))
    arms = ({"a": 0.8, "b": 0.2, "c": 0.4}, {"a": 3.0, "c": 1.0})
    return dict(zip(SIGNALS, signals_of(query, texts[0], [0.9, 0.5], arms, "a", statistics, "english"), strict=True))


def test_signals_are_read_off_the_ranking() -> None:
    signals = signals_for("otter holt")
    assert signals["best_cosine"] == signals["top_cosine"] == 0.8
    assert signals["coverage"] == 1.0
    assert signals["unknown"] == 0.0
    assert signals["agreement"] == 0.2
    assert signals["dense_lead"] == pytest.approx(0.5)
    assert signals["fused_lead"] == pytest.approx(0.4)
    assert signals["sparse_lead"] == pytest.approx(2 / 3)
    assert signals["firsts"] == 2.0


def test_a_term_that_no_passage_has_weighs_more_than_any_that_one_has() -> None:
    signals = signals_for("otter holt zebra")
    assert signals["unknown"] == pytest.approx(1 / 3)
    assert signals["coverage"] < 0.5
