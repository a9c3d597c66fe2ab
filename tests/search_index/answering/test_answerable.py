"""Whether the index holds anything on the matter: said where it was learned, and by no later page otherwise than by the first."""

from __future__ import annotations

import pytest

from search_index.confidence import SIGNALS, Confidence, Logistic
from search_index.engine.interface import IndexReader
from search_index.fusion import Ranking
from search_index.model.search import SearchRequest
from search_index.searcher import Searcher
from tests.search_index.answering.corpus import EVERYONE, After, Encoder, ask

ZEROS = (0.0,) * len(SIGNALS)
EVEN = Logistic(means=ZEROS, scales=(1.0,) * len(SIGNALS), weights=ZEROS, intercept=0.0)


def learned(reader: IndexReader, threshold: float) -> Searcher:
    return Searcher(reader, Encoder(), Ranking(confidence=Confidence(relevant=EVEN, answerable=EVEN, threshold=threshold)))


@pytest.mark.parametrize(("threshold", "answerable"), [(0.4, True), (0.6, False)])
def test_it_stands_beside_the_confidence(reader: IndexReader, threshold: float, answerable: bool) -> None:
    answer = ask(learned(reader, threshold))
    assert (answer.confidence, answer.answerable) == (0.5, answerable)
    assert ("no_good_answer" in [hint.code for hint in answer.hints]) is not answerable


@pytest.mark.parametrize("more", [{"offset": 10}, {"group_by": "document"}, {"diversity": 0.5}, {"limit": 1}])
def test_it_is_of_the_question_and_not_of_the_page(reader: IndexReader, more: dict[str, object]) -> None:
    answer = ask(learned(reader, 0.6), **more)
    assert (answer.confidence, answer.answerable) == (0.5, False)


def test_it_is_null_where_nothing_was_learned_or_an_arm_is_missing(reader: IndexReader, searcher: Searcher) -> None:
    assert (ask(searcher).confidence, ask(searcher).answerable) == (None, None)
    assert ask(learned(reader, 0.6), mode="dense").answerable is None
    release, request = ask(searcher).release, {"query": "golden part"}
    late = learned(reader, 0.6).search(SearchRequest.model_validate(request), release, EVERYONE, deadline=After(looks=2))
    assert late.answerable is None
