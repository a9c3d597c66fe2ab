"""Measures of a ranking: right values, nothing dropped, nothing inflated."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quality_checks.golden import GoldenQuery, GoldenSet, Judgement
from quality_checks.metrics import evaluate_run, mean_ci95, paired_difference, units_run
from quality_checks.resolution import Resolved, resolve
from search_index.model.search import Span

TEXT = "Alpha beta gamma delta. " * 2 + "The engine is lubricated with oil. Rivets hold the wing."


@dataclass(frozen=True)
class Hit:
    chunk_id: str
    uri: str
    span: Span
    score: float


def hit(chunk: str, start: int, end: int, uri: str = "docs:a.md") -> Hit:
    return Hit(chunk, uri, Span(start=start, end=end), 1.0)


def resolved(*relevant: Judgement) -> Resolved:
    return resolve(
        GoldenSet(name="g", queries=(GoldenQuery(id="q", query="?", relevant=relevant),)), {"docs:a.md": TEXT, "docs:b.md": TEXT}
    )


def place(quote: str) -> tuple[int, int]:
    return TEXT.index(quote), TEXT.index(quote) + len(quote)


def test_values_are_those_worked_out_by_hand() -> None:
    run = {"q": [("x", 9.0), ("a", 8.0), ("b", 7.0)]}
    found = evaluate_run(run, {"q": {"a": 1, "b": 3, "c": 2}})
    ideal = 3 + 2 / math.log2(3) + 1 / math.log2(4)
    assert found["ndcg@10"]["q"] == pytest.approx((1 / math.log2(3) + 3 / math.log2(4)) / ideal)
    assert found["recall@100"]["q"] == pytest.approx(2 / 3)
    assert found["mrr@10"]["q"] == pytest.approx(1 / 2)


def test_queries_without_an_answer_count_as_nought_and_unjudged_ones_not_at_all() -> None:
    found = evaluate_run({"q1": [("a", 1.0)], "q2": [], "unjudged": [("a", 1.0)]}, {"q1": {"a": 1}, "q2": {"a": 1}, "q3": {"a": 1}})
    assert found["ndcg@10"] == {"q1": 1.0, "q2": 0.0, "q3": 0.0}
    assert evaluate_run({}, {}) == {"ndcg@10": {}, "recall@100": {}, "mrr@10": {}}


@pytest.mark.parametrize("score", [0.5, 1e-9, -3.0])
def test_the_order_given_is_the_ranking_even_when_scores_tie(score: float) -> None:
    names = [f"d{n:03}" for n in range(200)]
    for order in (names, names[::-1]):
        found = evaluate_run({"q": [(name, score) for name in order]}, {"q": {"d007": 1}}, ("mrr@200", "recall@100"))
        assert found["mrr@200"]["q"] == pytest.approx(1 / (order.index("d007") + 1))
        assert found["recall@100"]["q"] == float(order.index("d007") < 100)


def test_an_id_counts_once() -> None:
    once = evaluate_run({"q": [("a", 3.0), ("b", 1.0)]}, {"q": {"a": 1, "b": 1, "c": 1}})
    assert evaluate_run({"q": [("a", 3.0), ("a", 2.0), ("b", 1.0)]}, {"q": {"a": 1, "b": 1, "c": 1}}) == once


def test_an_unknown_measure_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown measure 'ngcd@10'"):
        evaluate_run({}, {}, ("ngcd@10",))


def test_passages_that_repeat_a_unit_are_dropped_and_others_keep_their_chunk_id() -> None:
    oil = Judgement(document="docs:a.md", quote="The engine is lubricated with oil.", grade=3)
    found = resolved(oil)
    start, end = place("The engine is lubricated with oil.")
    unit = next(iter(found.qrels["q"]))
    half = (start + end) // 2
    ranked = units_run([hit("c1", 0, 10), hit("c2", start, half + 1), hit("c3", half - 1, end), hit("c4", 10, 20)], found, "q")
    assert [name for name, _ in ranked] == ["c1", unit, "c4"]


def test_a_passage_with_two_units_stands_for_both_the_better_one_first() -> None:
    rivets, oil = Judgement(document="docs:a.md", quote="rivets hold", grade=1), Judgement(document="docs:a.md", quote="with oil", grade=2)
    found = resolved(rivets, oil)
    ranked = units_run([hit("c1", 0, len(TEXT))], found, "q")
    assert [found.qrels["q"][name] for name, _ in ranked] == [2, 1]
    assert evaluate_run({"q": ranked}, found.qrels)["ndcg@10"]["q"] == pytest.approx(1.0)


@given(
    st.lists(st.tuples(st.integers(0, len(TEXT) - 1), st.integers(1, 60), st.sampled_from("ab")), max_size=30),
    st.randoms(use_true_random=False),
)
def test_no_ranking_of_passages_scores_above_the_ideal(cuts: list[tuple[int, int, str]], chance: random.Random) -> None:
    found = resolved(
        Judgement(document="docs:a.md", quote="alpha beta", grade=2),
        Judgement(document="docs:a.md", span=(10, 30), grade=1),
        Judgement(document="docs:b.md", grade=3),
    )
    chance.shuffle(cuts)
    hits = [hit(f"c{n}", start, start + length, f"docs:{name}.md") for n, (start, length, name) in enumerate(cuts)]
    ranked = units_run(hits, found, "q")
    assert len({name for name, _ in ranked}) == len(ranked)
    values = evaluate_run({"q": ranked}, found.qrels)
    assert all(0 <= values[measure]["q"] <= 1 for measure in values)


def test_the_interval_holds_the_mean_narrows_with_more_values_and_is_repeatable() -> None:
    few, many = [0.0, 1.0] * 10, [0.0, 1.0] * 500
    mean, lo, hi = mean_ci95(few, seed=1)
    assert mean == 0.5
    assert lo < 0.5 < hi
    assert (hi - lo) == pytest.approx(2 * 1.96 * 0.5 / math.sqrt(20), rel=0.2)
    assert mean_ci95(few, seed=1) == (mean, lo, hi)
    _, lo_many, hi_many = mean_ci95(many, seed=1)
    assert hi_many - lo_many < (hi - lo) / 5
    assert mean_ci95([0.25], seed=0) == (0.25, 0.25, 0.25)
    with pytest.raises(ValueError, match="no values"):
        mean_ci95([], seed=0)


def test_a_paired_difference_sees_a_small_steady_loss_that_intervals_of_the_means_would_not() -> None:
    chance = random.Random(3)
    a = {f"q{n}": chance.random() for n in range(200)}
    b = {query: value - 0.02 + chance.gauss(0, 0.03) for query, value in a.items()}
    found = paired_difference(a, b, seed=1)
    assert found.n == 200
    assert found.lo < found.mean < found.hi < 0
    assert found.detectable_loss == pytest.approx(2.8016 * 0.03 / math.sqrt(200), rel=0.2)
    assert paired_difference(a, a, seed=1).mean == 0.0


def test_a_loss_of_the_detectable_size_is_detected_four_times_in_five() -> None:
    chance = random.Random(5)
    a = {f"q{n}": 0.5 for n in range(60)}
    size = 2.8016 * 0.1 / math.sqrt(60)
    seen = sum(paired_difference(a, {query: 0.5 - size + chance.gauss(0, 0.1) for query in a}, seed=n).hi < 0 for n in range(150))
    assert 0.68 < seen / 150 < 0.92


def test_only_the_same_queries_can_be_paired() -> None:
    with pytest.raises(ValueError, match="2 queries are in one"):
        paired_difference({"q1": 1.0}, {"q2": 1.0}, seed=0)
    assert paired_difference({"q1": 1.0}, {"q1": 0.5}, seed=0).detectable_loss == math.inf
