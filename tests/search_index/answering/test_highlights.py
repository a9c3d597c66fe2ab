"""Highlights lie in the text, apart from each other, and are words of the query in some form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_index.answering.highlights import asked_for, highlights
from search_index.bm25 import tokenize
from search_index.model.passage import Highlight
from search_index.searcher import Searcher
from tests.search_index.answering.corpus import ask

WORDS = st.lists(
    st.sampled_from(
        ["gates", "Gate", "max_depth", "v1.2.3", "the", "Straße", "ﬁne", "FINE", "東京都庁", "京都", "naïve", "𝔾ate", "\n", "—", "½ cup"]
    ),
    max_size=12,
).map(" ".join)


def marked(text: str, query: str) -> list[tuple[str, list[str]]]:
    found = highlights(text, asked_for(query, "english"), "english")
    return [(text[each.start : each.end], each.terms) for each in found]


@pytest.mark.parametrize(
    ("text", "query", "expected"),
    [
        ("The gates were gated.", "which gate?", [("gates", ["gate"]), ("gated", ["gate"])]),
        ("a GATE", "gates gate", [("GATE", ["gates", "gate"])]),
        ("the of a", "the of a", []),
        ("set max_depth here", "depth", [("max_depth", ["depth"])]),
        ("v1.2.3 and 1.2", "v1.2.3", [("v1.2.3", ["v1.2.3"])]),
        ("ﬁne weather", "fine", [("ﬁne", ["fine"])]),
        ("in 東京都庁 now", "京都", [("京都", ["京都"])]),
        ("in 東京都庁 now", "東京都", [("東京都", ["東京都"])]),
        ("crème brûlée 🍮 brulee", "brûlée", [("brûlée", ["brûlée"])]),
        ("", "x", []),
    ],
)
def test_words_are_found_in_any_of_their_forms(text: str, query: str, expected: list[tuple[str, list[str]]]) -> None:
    assert marked(text, query) == expected


@given(st.one_of(WORDS, st.text(max_size=60)), st.one_of(WORDS, st.text(max_size=20)))
def test_each_lies_in_the_text_and_folds_to_a_word_of_the_query(text: str, query: str) -> None:
    asked = asked_for(query, "english")
    found = highlights(text, asked, "english")
    end = 0
    for each in found:
        assert end <= each.start < each.end <= len(text)
        end = each.end
        assert each.terms
        terms = set(tokenize(text[each.start : each.end], "english"))
        assert all(terms & set(tokenize(word, "english")) for word in each.terms)
        assert set(each.terms) <= {word for words in asked.values() for word in words}


@given(WORDS, WORDS)
def test_a_passage_that_the_sparse_arm_finds_has_a_highlight(text: str, query: str) -> None:
    if set(tokenize(text)) & set(tokenize(query)):
        assert marked(text, query)


def test_hits_carry_them_when_asked(searcher: Searcher) -> None:
    for hit in ask(searcher, query="parts of gold", highlight=True).hits:
        assert hit.highlights is not None
        assert Highlight(start=7, end=11, terms=["parts"]) in hit.highlights
        assert hit.text[7:11] == "part"
