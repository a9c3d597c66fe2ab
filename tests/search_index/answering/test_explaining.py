"""An explanation's numbers add up to the score that the hit has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from search_index.engine.interface import IndexReader
from search_index.fusion import Feedback, Ranking
from search_index.model.search import Hit
from search_index.reranking import Reranking
from search_index.searcher import Searcher
from tests.search_index.answering.corpus import Encoder, ask

QUOTED = "golden part 1 of 7 in wiki"
RANKINGS = [
    Ranking(),
    Ranking(feedback=None),
    Ranking(dense_weight=0.3, feedback=Feedback(top=2, share=0.9), depth=7),
    Ranking(method="rrf"),
    Ranking(method="rrf", feedback=None, depth=4, rrf_k=3),
    Ranking(verbatim=0),
]


def recomputed(hit: Hit) -> float:
    """The score by nothing but the explanation."""
    explanation = hit.explanation
    assert explanation is not None
    fused = sum(share.weight * share.normalised for share in explanation.arms.values()) + explanation.verbatim
    assert explanation.fused == pytest.approx(fused, abs=1e-12)
    if explanation.rerank is None:
        return fused
    return explanation.rerank.score if explanation.rerank.score is not None else fused + explanation.rerank.shift


def check(hits: Sequence[Hit]) -> None:
    assert hits
    for hit in hits:
        assert hit.explanation is not None
        assert recomputed(hit) == pytest.approx(hit.score, abs=1e-9)
        assert hit.explanation.score == hit.score
        for arm, share in hit.explanation.arms.items():
            assert share.raw == hit.scores[arm]


@pytest.mark.parametrize("ranking", RANKINGS)
@pytest.mark.parametrize("mode", ["hybrid", "dense", "sparse"])
@pytest.mark.parametrize("more", [{}, {"offset": 6}, {"group_by": "document", "group_size": 2}, {"diversity": 0.5}])
def test_the_parts_add_up_to_the_score(reader: IndexReader, ranking: Ranking, mode: str, more: dict[str, object]) -> None:
    answer = ask(Searcher(reader, Encoder(), ranking), query=QUOTED, mode=mode, limit=6, explain=True, **more)
    check(answer.hits)
    plain = ask(Searcher(reader, Encoder(), ranking), query=QUOTED, mode=mode, limit=6, **more)
    assert [(hit.chunk_id, hit.score) for hit in plain.hits] == [(hit.chunk_id, hit.score) for hit in answer.hits]


def test_a_passage_that_is_quoted_says_what_it_gained(reader: IndexReader) -> None:
    first = ask(Searcher(reader, Encoder(), Ranking()), query=QUOTED, explain=True).hits[0]
    assert first.text == QUOTED
    assert first.explanation is not None
    assert first.explanation.verbatim > 0
    assert first.explanation.arms["sparse"].rank == 1
    assert first.explanation.feedback is not None


class Backwards:
    """Likes short passages."""

    digest = "ab" * 32

    def scores(self, query: str, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.array([1 / len(text) for text in texts], np.float32)


def test_what_a_reranker_did_is_told(reader: IndexReader) -> None:
    ranking = Ranking(reranking=Reranking(model="ab" * 32, name="backwards", top=5))
    answer = ask(Searcher(reader, Encoder(), ranking, reranker=Backwards()), explain=True, limit=12)
    check(answer.hits)
    scores = [hit.explanation.rerank.score for hit in answer.hits if hit.explanation and hit.explanation.rerank]
    assert [score is not None for score in scores] == [True] * 5 + [False] * 7


def test_diversity_tells_by_what_it_chose(searcher: Searcher) -> None:
    answer = ask(searcher, limit=5, diversity=0.5, explain=True)
    for hit in answer.hits:
        part = hit.explanation.diversity if hit.explanation else None
        assert part is not None
        assert part.value == pytest.approx(0.5 * part.relevance - 0.5 * part.nearest)
