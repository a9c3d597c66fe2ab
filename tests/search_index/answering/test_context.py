"""Ground for a language model: what a search finds, and nothing that it would not show."""

from __future__ import annotations

import pytest

from search_index.answering.context import answer_context
from search_index.engine.interface import IndexReader
from search_index.errors import WrongUsage
from search_index.fusion import Ranking
from search_index.model.context import ContextAnswer, ContextRequest
from search_index.model.search import Principal, ReleaseRef
from search_index.searcher import Searcher
from tests.search_index.answering.corpus import BOARD, EVERYONE, HIDDEN, SECRET, ask
from tests.search_index.engine.points import vector_of


def context(
    searcher: Searcher, principal: Principal = EVERYONE, excluded: frozenset[str] = frozenset(), **request: object
) -> ContextAnswer:
    asked = ContextRequest.model_validate({"query": "golden part", **request})
    release = ReleaseRef(revision=1, index="i", run_id="r", published_at=None)
    return answer_context(searcher, asked, release, principal, excluded)


def test_the_text_holds_the_best_passages_with_citations_that_lead_back(searcher: Searcher) -> None:
    answer = context(searcher, budget=80)
    assert answer.tokens == len(answer.text.split()) <= 80
    assert answer.tokenizer == "by heart"
    assert [cited.citation for cited in answer.passages] == list(range(1, len(answer.passages) + 1))
    for cited in answer.passages:
        assert f"[{cited.citation}] {cited.title} ({cited.uri}" in answer.text
        assert cited.text in answer.text
        assert cited.provenance is not None
    best = ask(searcher, limit=30).hits[0]
    assert answer.passages[0].chunk_ids[0] == best.chunk_id
    assert {"budget"} == {each.reason for each in answer.dropped}


def test_a_hidden_passage_is_in_no_context(searcher: Searcher) -> None:
    for more in ({}, {"neighbours": 5}, {"order": "document"}, {"diversity": 1.0}):
        shown = context(searcher, query=SECRET, budget=5000, passages=100, **more)
        assert "secret" not in shown.text
        assert not {each.chunk for each in HIDDEN} & {chunk for cited in shown.passages for chunk in cited.chunk_ids}
        assert not {each.chunk for each in HIDDEN} & {each.chunk_id for each in shown.dropped}
        allowed = context(searcher, BOARD, query=SECRET, budget=5000, passages=100, **more)
        assert SECRET in allowed.text
    barred = context(searcher, BOARD, frozenset({HIDDEN[0].document}), query=SECRET, budget=5000, passages=100)
    assert SECRET not in barred.text


def test_neighbours_come_with_the_passage_they_stand_beside(searcher: Searcher) -> None:
    text = "golden part 1 of 19 in wiki"
    alone = context(searcher, query=text, passages=1, mode="dense")
    wider = context(searcher, query=text, passages=1, mode="dense", neighbours=1)
    assert [len(cited.chunk_ids) for cited in alone.passages] == [1]
    assert sorted(chunk for cited in wider.passages for chunk in cited.chunk_ids) != sorted(alone.passages[0].chunk_ids)
    assert {chunk for cited in alone.passages for chunk in cited.chunk_ids} < {
        chunk for cited in wider.passages for chunk in cited.chunk_ids
    }


def test_a_model_that_cannot_count_is_said_to_be_one(reader: IndexReader) -> None:
    class Mute:
        def encode_query(self, text: str) -> object:
            return vector_of(text)

    with pytest.raises(WrongUsage):
        context(Searcher(reader, Mute(), Ranking()))  # type: ignore[arg-type]
