"""Pages are stretches of one long ranking, however they are cut, and show nothing that a first page would not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from search_index.engine.interface import IndexReader
from search_index.fusion import Ranking
from search_index.model.search import DEEPEST, Principal, SearchRequest
from search_index.searcher import Searcher
from tests.search_index.answering.corpus import ALL, BOARD, CORPUS, EVERYONE, HIDDEN, Encoder, ask


def pages(searcher: Searcher, limit: int, principal: Principal = EVERYONE, **request: object) -> list[list[str]]:
    """The chunk ids of page after page, to the end."""
    found: list[list[str]] = []
    offset: int | None = 0
    while offset is not None:
        answer = ask(searcher, principal, limit=limit, offset=offset, **request)
        found.append([hit.chunk_id for hit in answer.hits])
        assert len(found) < 200
        offset = answer.next_offset
    return found


@settings(max_examples=25, deadline=None)
@given(
    limit=st.integers(1, 5),
    mode=st.sampled_from(["hybrid", "dense", "sparse"]),
    query=st.sampled_from(["golden part", "golden part 1 of 7 in wiki", "manual", "part of what"]),
    board=st.booleans(),
    diversity=st.sampled_from([0.0, 0.4, 1.0]),
    grouped=st.booleans(),
)
def test_pages_put_together_are_the_long_answer(
    searcher: Searcher, limit: int, mode: str, query: str, board: bool, diversity: float, grouped: bool
) -> None:
    asked: dict[str, object] = {"mode": mode, "query": query, "diversity": diversity}
    asked |= {"group_by": "document", "group_size": 2} if grouped else {}
    who = BOARD if board else EVERYONE
    longest = pages(searcher, 5, who, **asked)
    shortest = pages(searcher, limit, who, **asked)
    flat = [chunk for page in shortest for chunk in page]
    assert flat == [chunk for page in longest for chunk in page]
    assert len(flat) == len(set(flat))
    seen = {passage.chunk for passage in (ALL if board else CORPUS)}
    assert set(flat) <= seen
    if mode != "sparse" and not grouped:
        assert set(flat) == seen


def test_the_first_page_is_what_it_was_before_there_were_pages(reader: IndexReader) -> None:
    searcher = Searcher(reader, Encoder(), Ranking())
    measured = searcher.rank_passages("golden part", "hybrid", 1, EVERYONE, 10)
    answer = ask(searcher)
    assert [(hit.chunk_id, hit.score) for hit in answer.hits] == [(payload["chunk_id"], score) for payload, score in measured]
    assert [hit.rank for hit in ask(searcher, offset=10).hits] == list(range(11, 21))


def test_what_was_not_asked_for_is_not_in_the_answer(searcher: Searcher) -> None:
    answer = ask(searcher, limit=100).model_dump(mode="json")
    assert not {"groups", "facets", "next", "next_offset"} & set(answer)
    assert not {"highlights", "neighbours", "explanation"} & set(answer["hits"][0])


def test_the_end_is_the_end(searcher: Searcher) -> None:
    assert ask(searcher, limit=100).next_offset is None
    assert ask(searcher, limit=10, offset=len(CORPUS) - 3).next_offset is None
    assert len(ask(searcher, limit=10, offset=len(CORPUS) - 3).hits) == 3
    beyond = ask(searcher, limit=10, offset=500)
    assert (beyond.hits, beyond.hints, beyond.next_offset) == ([], [], None)


@pytest.mark.parametrize("asked", [{"offset": DEEPEST - 9}, {"offset": DEEPEST}, {"offset": -1}, {"offset": 5, "cursor": "x"}])
def test_what_lies_too_deep_is_refused(asked: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        SearchRequest.model_validate({"query": "x", **asked})


def test_documents_stand_where_their_best_passage_does(searcher: Searcher) -> None:
    plain = ask(searcher, limit=100, mode="dense")
    answer = ask(searcher, limit=100, mode="dense", group_by="document", group_size=3)
    assert answer.groups is not None
    first = list(dict.fromkeys(hit.uri for hit in plain.hits))
    assert [group.uri for group in answer.groups] == first
    by_rank = {hit.rank: hit for hit in answer.hits}
    for group in answer.groups:
        own = [hit for hit in plain.hits if hit.uri == group.uri]
        assert [by_rank[rank].chunk_id for rank in group.hits] == [hit.chunk_id for hit in own[:3]]
        assert group.score == own[0].score
    assert [rank for group in answer.groups for rank in group.hits] == [hit.rank for hit in answer.hits]


def test_a_document_of_which_one_passage_is_hidden_is_grouped_without_it(searcher: Searcher) -> None:
    def passages_of(principal: Principal) -> set[str]:
        answer = ask(searcher, principal, limit=100, group_by="document", group_size=10)
        return {hit.chunk_id for hit in answer.hits if hit.document_id == HIDDEN[1].document}

    assert passages_of(BOARD) - passages_of(EVERYONE) == {HIDDEN[1].chunk}
