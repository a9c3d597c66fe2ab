"""Facets count the documents that somebody may see and the filters let through: each once, and no other."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_index.errors import FilterInvalid
from search_index.model.passage import Facet
from search_index.model.search import Principal
from search_index.searcher import Searcher
from tests.search_index.answering.corpus import ALL, BOARD, CORPUS, EVERYONE, HIDDEN, ask
from tests.search_index.engine.points import Passage

NAMES = ["source", "modified_at.year", "modified_at.month", "metadata.lang", "metadata.pages", "metadata.draft", "metadata.tags"]


def facet(searcher: Searcher, name: str, principal: Principal = EVERYONE, **more: object) -> Facet:
    facets = ask(searcher, principal, facets=[name], **({"facet_limit": 100} | more)).facets
    assert facets is not None
    return facets[name]


def by_hand(name: str, passages: list[Passage]) -> Counter[object]:
    """Values of each document, by looking at every passage."""
    documents = {passage.document: passage for passage in passages}
    counts: Counter[object] = Counter()
    for passage in documents.values():
        if name == "source":
            values: list[object] = [passage.source]
        elif name.startswith("modified_at"):
            assert passage.modified_ts is not None
            values = [datetime.fromtimestamp(passage.modified_ts, UTC).strftime("%Y" if name.endswith("year") else "%Y-%m")]
        else:
            value = passage.metadata.get(name.removeprefix("metadata."))
            values = list(value) if isinstance(value, list) else [] if value is None else [value]
        counts.update(values)
    return counts


@settings(max_examples=25, deadline=None)
@given(
    name=st.sampled_from(NAMES),
    sources=st.sets(st.sampled_from(["wiki", "manual", "boardroom"])),
    least=st.none() | st.integers(0, 20),
    lang=st.sampled_from([None, "en", "de"]),
    board=st.booleans(),
    excluded=st.sets(st.sampled_from([passage.document for passage in ALL]), max_size=3),
)
def test_counts_are_those_of_looking_at_every_document(
    searcher: Searcher, name: str, sources: set[str], least: int | None, lang: str | None, board: bool, excluded: set[str]
) -> None:
    metadata = ({"pages": {"gte": least}} if least is not None else {}) | ({"lang": lang} if lang else {})
    found = facet(
        searcher, name, BOARD if board else EVERYONE, excluded=sorted(excluded), filters={"sources": sorted(sources), "metadata": metadata}
    )

    def passes(passage: Passage) -> bool:
        pages = passage.metadata.get("pages")
        return (
            (not sources or passage.source in sources)
            and (least is None or (isinstance(pages, int) and pages >= least))
            and (lang is None or passage.metadata.get("lang") == lang)
            and passage.document not in excluded
        )

    seen = [passage for passage in (ALL if board else CORPUS) if passes(passage)]
    expected = by_hand(name, seen)
    assert Counter({value.value: value.documents for value in found.values}) == expected
    assert found.documents + found.missing == len({passage.document for passage in seen})
    if name != "metadata.tags":
        assert sum(value.documents for value in found.values) == found.documents


def test_most_documents_come_first_and_the_rest_is_counted(searcher: Searcher) -> None:
    found = facet(searcher, "metadata.pages", facet_limit=3)
    assert [value.value for value in found.values] == [0, 1, 10]
    assert (found.more_values, found.documents, found.missing) == (17, 20, 0)
    languages = facet(searcher, "metadata.lang")
    assert [(value.value, value.documents) for value in languages.values] == [("en", 15), ("de", 5)]
    years = [value.value for value in facet(searcher, "modified_at.year").values]
    assert years == sorted(years, reverse=True)


def test_true_is_not_one(searcher: Searcher) -> None:
    assert {(type(value.value), value.documents) for value in facet(searcher, "metadata.draft").values} == {(bool, 10)}


def test_a_hidden_document_is_in_no_count(searcher: Searcher) -> None:
    for name in NAMES:
        assert facet(searcher, name).documents + facet(searcher, name).missing == 20
        assert facet(searcher, name, BOARD).documents + facet(searcher, name, BOARD).missing == 21
    assert "boardroom" not in {value.value for value in facet(searcher, "source").values}
    assert "boardroom" not in {value.value for value in facet(searcher, "source", BOARD, excluded=[HIDDEN[0].document]).values}
    assert facet(searcher, "source", Principal(groups=frozenset())).values == []


def test_a_facet_is_of_the_revision_asked(searcher: Searcher) -> None:
    assert facet(searcher, "source", revision=1).documents == 20
    assert facet(searcher, "metadata.fresh", revision=2).documents == 1
    with pytest.raises(FilterInvalid):
        facet(searcher, "metadata.fresh", revision=1)


@pytest.mark.parametrize("name", ["title", "metadata.", "metadata.absent", "metadata.verdict", "text", "access"])
def test_a_facet_that_there_is_not_is_refused_like_one_that_is_hidden(searcher: Searcher, name: str) -> None:
    with pytest.raises(FilterInvalid) as refused:
        facet(searcher, name)
    assert "guilty" not in str(refused.value)
    assert "verdict" not in refused.value.remedy
