"""Fusion is tuned where that is better beyond noise, and left alone where it is not."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from quality_checks.evaluation import Judged
from quality_checks.golden import GoldenSet
from quality_checks.judged_queries import JudgedQuery, judged_queries, measured
from quality_checks.passages_in_memory import Vectors, passages_in_memory
from quality_checks.resolution import resolve
from quality_checks.tuning import FOLDS, LEAST_QUERIES, MOST_CHANCE, cross_validated, settings_to_try, tune_fusion
from search_index.engine.embedded import EmbeddedEngine
from search_index.fusion import Feedback, Ranking
from tests.search_index.engine.points import INDEX, passages, published, vector_of


def queries(count: int) -> list[JudgedQuery]:
    return [JudgedQuery(f"set/{at}", f"query {at}", 1.0, {}, False, {}) for at in range(count)]


def test_a_setting_that_is_better_for_most_queries_is_chosen() -> None:
    drawn = np.random.default_rng(0)
    before = drawn.uniform(0, 1, 80)
    values = np.stack([before, before - 0.1, before + drawn.normal(0.05, 0.1, 80)])
    choice = cross_validated(values, queries(80))
    assert choice.best == 2
    assert choice.estimate.gains
    assert choice.chance <= MOST_CHANCE
    assert choice.estimate.difference == pytest.approx(float((values[2] - before).mean()), abs=0.02)
    assert choice.estimate.before == pytest.approx(before.mean(), abs=1e-5)


def test_the_best_of_many_that_only_differ_by_chance_is_rarely_taken_for_better() -> None:
    """Choosing among thirty settings always finds one that looks better; looked at on other queries it does not."""
    adopted = 0
    for seed in range(60):
        drawn = np.random.default_rng(seed)
        before = drawn.uniform(0, 1, 100)
        values = np.concatenate([before[None], before + drawn.normal(0, 0.1, (30, 100))])
        choice = cross_validated(values, queries(100))
        adopted += choice.best != 0 and choice.estimate.gains and choice.chance <= MOST_CHANCE
    assert adopted <= 4  # 2.5 in 100 would be one or two of sixty


def test_a_query_is_never_on_both_sides_whatever_set_it_stands_in() -> None:
    """The same words are in the same fold, so a repeated query cannot choose the setting it is then measured with."""
    twice = [
        JudgedQuery(f"{name}/{at}", f"{space}Query  {at} ", 1.0, {}, False, {})
        for name, space in (("a", " "), ("b", ""))
        for at in range(40)
    ]
    assert [query.bucket for query in twice[:40]] == [query.bucket for query in twice[40:]]
    assert len({int(query.bucket * FOLDS) for query in twice}) == FOLDS
    assert JudgedQuery("a/1", "QUERY 1", 1.0, {}, False, {}).bucket == twice[1].bucket


def test_every_combination_is_tried_once_and_the_ranking_in_force_first() -> None:
    current = Ranking(dense_weight=0.45, verbatim=2.0, adapter="a" * 64)
    tried = settings_to_try(current)
    assert tried[0] == current
    assert len({ranking.model_dump_json() for ranking in tried}) == len(tried)
    assert {ranking.verbatim for ranking in tried} == {2.0}
    assert {ranking.adapter for ranking in tried} == {"a" * 64}
    assert None in {ranking.feedback for ranking in tried}


@pytest.fixture(scope="module")
def misleading(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, GoldenSet, dict[str, Vectors]]:
    """An index, and queries whose words are those of one passage while they mean another, nearly."""
    root, corpus = tmp_path_factory.mktemp("index"), passages(200)
    published(EmbeddedEngine(root), None, 1, corpus)
    drawn = np.random.default_rng(5)
    asked, vectors = [], {}
    for at in range(120):
        meant, worded = corpus[at], corpus[at + 60]
        text = f"{worded.text} {at}"
        noisy = vector_of(meant.text) + drawn.normal(0, 0.12, 16)
        vectors[text] = (noisy / np.linalg.norm(noisy)).astype(np.float32)
        asked.append({"id": str(at), "query": text, "relevant": [{"document": meant.uri}]})
    return root, GoldenSet.model_validate({"name": "meant", "queries": asked}), vectors


def test_where_words_mislead_the_dense_arm_gets_more_weight(misleading: tuple[Path, GoldenSet, dict[str, Vectors]]) -> None:
    root, golden, vectors = misleading
    current = Ranking(feedback=Feedback(top=3, share=0.5), verbatim=0)
    with closing(EmbeddedEngine(root).open(INDEX, 1)) as reader:
        held = passages_in_memory(reader, 1, "default", frozenset({"everyone"}))
        judged = judged_queries(held, [Judged(golden, resolve(golden, {q.relevant[0].document: "" for q in golden.queries}))])
        ranking, trial = tune_fusion(held, judged, vectors.__getitem__, current, None)
        assert trial.adopted
        assert trial.estimate is not None and trial.estimate.gains and trial.estimate.queries == 120
        assert ranking.dense_weight == 0.7
        before, after = measured(held, judged, vectors.__getitem__, [current, ranking]).mean(axis=1)
        assert after > before + 0.02
        again, same = tune_fusion(held, judged, vectors.__getitem__, ranking, None)
        assert (again, same.adopted) == (ranking, False)

        few, refused = tune_fusion(held, judged[: LEAST_QUERIES - 1], vectors.__getitem__, current, None)
        assert few == current
        assert str(LEAST_QUERIES) in refused.reason
