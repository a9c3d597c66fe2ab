from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from quality_checks.breakdown import against_arms, by_group, worst_queries
from quality_checks.comparison import FEW_QUERIES, compare
from quality_checks.evaluation import Judged, ModeResult
from quality_checks.golden import GoldenQuery, GoldenSet, Judgement
from quality_checks.metrics import ALL_MEASURES, evaluate_run
from quality_checks.resolution import Resolver
from search_index.model.search import Mode

Run = Mapping[str, Sequence[str]]


def result(run: Run, qrels: Mapping[str, Mapping[str, int]], mode: Mode = "hybrid") -> ModeResult:
    scored = {query: [(unit, 1.0 / rank) for rank, unit in enumerate(units, start=1)] for query, units in run.items()}
    return ModeResult(mode, evaluate_run(scored, qrels, ALL_MEASURES), scored, qrels, [1.0] * len(run), 1.0)


def test_only_labels_that_both_have_count() -> None:
    before = result({"q": ["gone", "a"]}, {"q": {"gone": 1, "a": 1}})
    after = result({"q": ["new", "a"]}, {"q": {"new": 1, "a": 1}})
    found = compare(before, after)
    assert found.before == found.after == {"q": 1.0}, "what only one is judged by neither lifts nor lowers what comes after it"
    assert found.unshared == 2
    assert found.problem(0.03) is None


def test_a_query_without_a_shared_label_counts_for_neither() -> None:
    found = compare(result({"q": ["a"]}, {"q": {"a": 1}}), result({"q": ["b"]}, {"q": {"b": 1}}))
    assert found.before == found.after == {}
    assert found.evidence() == {"queries": 0, "unshared_labels": 2}
    assert found.problem(0.0) is None


def ranked(firsts: int, of: int) -> ModeResult:
    """So many queries answered at rank 1 and the rest at rank 2."""
    run = {f"q{n:03d}": ["a", "x"] if n < firsts else ["x", "a"] for n in range(of)}
    return result(run, {query: {"a": 1} for query in run})


def test_a_loss_that_is_sure_is_a_problem_however_small() -> None:
    found = compare(ranked(200, 200), ranked(188, 200))
    assert -0.03 < found.difference.mean < 0
    assert "changes by -0.022" in str(found.problem(0.03))


def test_a_large_loss_is_a_problem_however_unsure() -> None:
    found = compare(ranked(2, 2), ranked(1, 2))
    assert found.difference.hi == 0
    assert found.problem(0.03) is not None
    assert found.problem(0.2) is None


def test_a_gain_is_no_problem_and_few_queries_say_what_they_could_have_shown() -> None:
    found = compare(ranked(10, 40), ranked(11, 40))
    assert found.problem(0.03) is None
    assert found.evidence()["detectable_loss"] == pytest.approx(0.0258, abs=1e-3)
    assert "detectable_loss" not in compare(ranked(10, FEW_QUERIES), ranked(10, FEW_QUERIES)).evidence()


def test_the_losers_come_with_the_greatest_loss_first() -> None:
    before = result({q: ["a"] for q in "stu"}, {q: {"a": 1} for q in "stu"})
    after = result({"s": ["a"], "t": ["x", "a"], "u": []}, {q: {"a": 1} for q in "stu"})
    assert compare(before, after).losers() == [{"query": "u", "was": 1.0, "is": 0.0}, {"query": "t", "was": 1.0, "is": 0.6309}]


def test_scores_are_taken_apart_by_source_tag_and_arm() -> None:
    queries = (
        GoldenQuery(id="1", query="one", tags=("fact",), relevant=(Judgement(document="a:x"),)),
        GoldenQuery(id="2", query="two", tags=("fact", "hard"), relevant=(Judgement(document="a:x"), Judgement(document="b:y"))),
        GoldenQuery(id="3", query="three", relevant=(Judgement(document="b:gone"),)),
    )
    golden = GoldenSet(name="s", queries=queries)
    judged = [Judged(golden, Resolver({"a:x": "text", "b:y": "text"}).resolve(golden))]
    qrels = {f"s/{query}": grades for query, grades in judged[0].resolved.qrels.items()}
    results: dict[Mode, ModeResult] = {
        "hybrid": result({"s/1": ["a:x"], "s/2": ["z", "b:y"]}, qrels),
        "sparse": result({"s/1": ["z", "a:x"], "s/2": []}, qrels, "sparse"),
    }
    found = by_group(judged, results)
    assert found["source"]["a"]["queries"] == 2  # type: ignore[index,call-overload]
    assert found["source"]["b"]["modes"]["hybrid"]["mrr@10"]["value"] == 0.5  # type: ignore[index,call-overload]
    assert set(found["tag"]) == {"fact", "hard"}  # type: ignore[arg-type]
    assert found["tag"]["fact"]["modes"]["sparse"]["mrr@10"]["value"] == 0.25  # type: ignore[index,call-overload]
    assert against_arms(results)["sparse"]["queries"] == 2  # type: ignore[index,call-overload]
    assert against_arms(results)["sparse"]["difference"] > 0.2  # type: ignore[index,call-overload,operator]
    assert [row["query"] for row in worst_queries(results, 5)] == ["s/2", "s/1"]
    assert [row["first_relevant"] for row in worst_queries(results, 5)] == [2, 1]
