"""Maximal marginal relevance: what repeats stands lower, and nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_index.answering.diversity import diversified
from search_index.engine.interface import IndexReader
from search_index.fusion import Ranking
from search_index.searcher import Searcher
from tests.search_index.answering.corpus import BOARD, EVERYONE, HIDDEN, SECRET, Encoder, ask


@st.composite
def candidates(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    count = draw(st.integers(1, 12))
    scores = np.sort(np.array(draw(st.lists(st.integers(-3, 9), min_size=count, max_size=count)), float) / 3)[::-1]
    vectors = np.random.default_rng(draw(st.integers(0, 99))).standard_normal((count, 4))
    return scores, (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@given(candidates())
def test_without_diversity_the_order_stays(given_: tuple[np.ndarray, np.ndarray]) -> None:
    assert diversified(*given_, 0.0).order.tolist() == list(range(len(given_[0])))


@given(candidates(), st.floats(0, 1))
def test_each_choice_is_the_best_of_what_is_left(given_: tuple[np.ndarray, np.ndarray], diversity: float) -> None:
    scores, vectors = given_
    order = diversified(scores, vectors, diversity).order.tolist()
    assert sorted(order) == list(range(len(scores)))
    assert order[0] == 0
    spread = scores.max() - scores.min()
    relevance = (scores - scores.min()) / spread if spread else np.ones(len(scores))
    for position in range(1, len(order)):
        before, left = order[:position], order[position:]
        values = [(1 - diversity) * relevance[i] - diversity * max(float(vectors[i] @ vectors[j]) for j in before) for i in left]
        assert values[0] == pytest.approx(max(values), abs=1e-6)


def test_the_same_said_twice_is_said_once_at_the_top(reader: IndexReader) -> None:
    searcher = Searcher(reader, Encoder(), Ranking())
    plain, diverse = ask(searcher, limit=20), ask(searcher, limit=20, diversity=0.7)
    assert plain.hits[0].chunk_id == diverse.hits[0].chunk_id
    assert [hit.chunk_id for hit in plain.hits] != [hit.chunk_id for hit in diverse.hits]
    assert {hit.chunk_id: hit.score for hit in diverse.hits}.items() & {hit.chunk_id: hit.score for hit in plain.hits}.items()

    def crowding(ids: list[str]) -> float:
        vectors = reader.vectors(_points(reader, ids))
        return float((vectors @ vectors.T)[~np.eye(len(ids), dtype=bool)].max())

    assert crowding([hit.chunk_id for hit in diverse.hits[:5]]) < crowding([hit.chunk_id for hit in plain.hits[:5]])


def _points(reader: IndexReader, chunks: list[str]) -> list[str]:
    points = dict(zip(reader.ledger()["chunk_id"].to_pylist(), reader.ledger()["point_id"].to_pylist(), strict=True))
    return [points[chunk] for chunk in chunks]


def test_a_hidden_passage_crowds_nothing_out(searcher: Searcher) -> None:
    assert SECRET in {hit.text for hit in ask(searcher, BOARD, query=SECRET, diversity=0.5, limit=5).hits}
    everyone = ask(searcher, EVERYONE, query=SECRET, diversity=0.5, limit=50)
    assert SECRET not in {hit.text for hit in everyone.hits}
    assert not {each.chunk for each in HIDDEN} & {hit.chunk_id for hit in everyone.hits}
