"""A deadline: what cannot begin in time is left out by name, and without any arm there is no answer."""

from __future__ import annotations

from itertools import pairwise

import pytest

from search_index.deadline import NEVER, Deadline
from search_index.engine.interface import IndexReader
from search_index.errors import DeadlineExceeded
from search_index.fusion import Ranking
from search_index.model.search import ReleaseRef, SearchAnswer, SearchRequest
from search_index.reranking import Reranking
from search_index.searcher import Searcher
from tests.search_index.answering.corpus import EVERYONE, After, Encoder
from tests.search_index.answering.test_explaining import Backwards

EVERYTHING = {"explain": True, "highlight": True, "neighbours": 1, "facets": ["source"], "diversity": 0.5, "limit": 5}


def ask_within(searcher: Searcher, looks: int, **request: object) -> SearchAnswer:
    asked = SearchRequest.model_validate({"query": "golden part 1 of 7 in wiki", **request})
    return searcher.search(asked, ReleaseRef(revision=1, index="i", run_id="r", published_at=None), EVERYONE, deadline=After(looks=looks))


def left_out(answer: SearchAnswer) -> list[str]:
    assert all(each.reason == "deadline" for each in answer.degraded)
    return [each.arm for each in answer.degraded]


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        (1, ["dense"]),
        (2, ["dense"]),
        (3, ["feedback", "verbatim", "rerank"]),
        (4, ["verbatim", "rerank"]),
        (5, ["rerank"]),
        (6, []),
    ],
)
def test_what_comes_too_late_is_left_out_by_name(reader: IndexReader, looks: int, expected: list[str]) -> None:
    ranking = Ranking(reranking=Reranking(model="ab" * 32, name="backwards", top=5))
    searcher = Searcher(reader, Encoder(), ranking, reranker=Backwards())
    answer = ask_within(searcher, looks)
    assert left_out(answer)[: len(expected)] == expected
    assert answer.hits
    if looks == 6:
        assert answer.degraded == []


def test_an_arm_alone_answers_as_if_it_had_been_asked_alone(searcher: Searcher) -> None:
    late, alone = ask_within(searcher, 2), ask_within(searcher, 99, mode="sparse")
    assert [(hit.chunk_id, hit.score, hit.scores) for hit in late.hits] == [(hit.chunk_id, hit.score, hit.scores) for hit in alone.hits]


@pytest.mark.parametrize("mode", ["hybrid", "dense", "sparse"])
def test_without_any_arm_there_is_no_answer(searcher: Searcher, mode: str) -> None:
    with pytest.raises(DeadlineExceeded) as late:
        ask_within(searcher, 0, mode=mode)
    assert late.value.status == 504


def test_each_thing_asked_for_looks_before_it_starts(searcher: Searcher) -> None:
    found = [left_out(ask_within(searcher, looks, **EVERYTHING)) for looks in range(5, 11)]
    assert found[0] == ["diversity", "highlights", "neighbours", "explanation", "facets"]
    assert found[-1] == []
    for more, fewer in pairwise(found):
        assert set(fewer) <= set(more)


def test_what_there_was_no_time_for_is_absent(searcher: Searcher) -> None:
    answer = ask_within(searcher, 5, **EVERYTHING)
    assert answer.facets is None
    assert all(hit.explanation is None and hit.neighbours is None and hit.highlights is None for hit in answer.hits)


def test_the_sooner_of_two_deadlines_holds() -> None:
    assert not NEVER.passed
    assert Deadline(0.0).passed
    assert Deadline(0.0).sooner(60_000) == Deadline(0.0)
    assert Deadline.after(1e9).sooner(1).at < Deadline.after(1e6).at
    assert NEVER.sooner(None) is NEVER
