"""Conditions on metadata: what they find, and what is said of those that cannot hold."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from search_index.errors import FilterInvalid
from search_index.model.search import Filters, Principal
from search_index.searcher import Searcher
from tests.search_index.answering.corpus import BOARD, CORPUS, EVERYONE, ask


def found(searcher: Searcher, metadata: dict[str, object], principal: Principal = EVERYONE) -> set[int]:
    """Numbers of the open documents that are found."""
    hits = ask(searcher, principal, mode="dense", limit=100, filters={"metadata": metadata}).hits
    return {int(hit.title.removesuffix(".md")) for hit in hits}


ON = {number: f"20{10 + number}-0{1 + number % 9}-11" for number in range(20)}


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"pages": {"gte": 17}}, {17, 18, 19}),
        ({"pages": {"gt": 17, "lt": 19}}, {18}),
        ({"pages": {"any": [3, 4, 99]}}, {3, 4}),
        ({"on": {"gte": "2025-01-01"}}, set(range(15, 20))),
        ({"on": {"gt": "2028-01-01T00:00:00Z", "lte": "2029-02-11"}}, {18, 19}),
        ({"on": {"gt": "2028-01-01", "lt": "2029-02-11"}}, {18}),
        ({"on": {"lt": "1999-01-01"}}, set()),
        ({"on": {"gte": "2012-01-01", "lt": "2020-01-01", "none": [ON[3]]}}, {2, 4, 5, 6, 7, 8, 9}),
        ({"on": {"gte": "2012-01-01", "any": [ON[1], ON[4]]}}, {4}),
        ({"lang": {"none": ["en"]}}, {0, 4, 8, 12, 16}),
        ({"draft": True, "pages": {"lt": 4}}, {0, 2}),
        ({"tags": {"any": ["z"]}}, {0, 5, 10, 15}),
    ],
)
def test_conditions_find_what_meets_them(searcher: Searcher, metadata: dict[str, object], expected: set[int]) -> None:
    assert found(searcher, metadata) == expected


def test_a_range_of_dates_lets_nobody_see_more(searcher: Searcher) -> None:
    assert found(searcher, {"on": {"gte": "2029-01-01"}}) == {19}
    hits = ask(searcher, EVERYONE, limit=100, filters={"metadata": {"on": {"gte": "2029-01-01"}}}).hits
    assert {hit.chunk_id for hit in hits} == {passage.chunk for passage in CORPUS if passage.path == "19.md"}


@pytest.mark.parametrize("field", ["absent", "verdict", "fresh"])
def test_a_field_that_there_is_not_is_refused_with_those_there_are(searcher: Searcher, field: str) -> None:
    with pytest.raises(FilterInvalid) as refused:
        found(searcher, {field: "x"})
    assert refused.value.status == 422
    assert field in refused.value.what
    assert refused.value.remedy == "There are: draft, lang, on, pages, tags."


def test_who_may_read_the_document_may_filter_by_its_field(searcher: Searcher) -> None:
    hits = ask(searcher, BOARD, limit=100, filters={"metadata": {"verdict": "guilty"}}).hits
    assert {hit.source for hit in hits} == {"boardroom"}


def test_what_was_excluded_has_no_fields_any_more(searcher: Searcher) -> None:
    hidden = ask(searcher, BOARD, filters={"sources": ["boardroom"]}).hits[0].document_id
    with pytest.raises(FilterInvalid):
        ask(searcher, BOARD, excluded=[hidden], filters={"metadata": {"verdict": "guilty"}})


@pytest.mark.parametrize(
    "metadata",
    [
        {"pages": "many"},
        {"pages": {"gte": "2024-01-01"}},
        {"lang": 5},
        {"lang": {"lt": 5}},
        {"draft": 1},
        {"draft": {"any": ["yes"]}},
        {"lang": ["en", True]},
        {"tags": {"none": [3]}},
    ],
)
def test_a_value_of_another_kind_is_refused(searcher: Searcher, metadata: dict[str, object]) -> None:
    with pytest.raises(FilterInvalid) as refused:
        found(searcher, metadata)
    assert "holds" in refused.value.what


def test_the_kinds_of_a_field_are_those_that_its_reader_sees(searcher: Searcher) -> None:
    """The hidden document has a text where the others have numbers."""
    assert {hit.source for hit in ask(searcher, BOARD, limit=100, filters={"metadata": {"pages": "many"}}).hits} == {"boardroom"}
    with pytest.raises(FilterInvalid):
        ask(searcher, EVERYONE, filters={"metadata": {"pages": "many"}})


@pytest.mark.parametrize(
    "condition",
    [
        {},
        {"gte": None},
        {"gte": "soon"},
        {"gte": 1, "lt": "2024-01-01"},
        {"gte": float("inf")},
        {"near": 3},
        {"any": ["x"] * 10_001},
        10**400,
        [1, -(10**400)],
    ],
)
def test_a_condition_that_makes_no_sense_does_not_validate(condition: object) -> None:
    with pytest.raises(ValidationError):
        Filters.model_validate({"metadata": {"pages": condition}})
