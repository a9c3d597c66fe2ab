"""Packing: never over the budget, nothing cut but the only one, nothing said twice, everything accounted for."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_index.answering.packing import Packed, packed, text_of
from search_index.answering.runs import Run, joined

LETTERS = "abcdefghijklmnopqrstuvwxyz"
DOCUMENTS = {  # what each document says, so that any stretch of it is a passage
    "one": " ".join(f"{a}{b}" for a in LETTERS for b in LETTERS[:8]),
    "two": "\n\n".join(f"Paragraph {n} tells of {LETTERS[n % 26] * 5} and of nothing else, in as many words." for n in range(30)),
    "three": "word" * 300,
}


def run(document: str, start: int, end: int, rank: float = 1) -> Run:
    text = DOCUMENTS[document]
    end = min(end, len(text))
    return Run(
        rank, document, "wiki", f"wiki:{document}.md", document.title(), (f"{document}-{start}-{end}",), text[start:end], start, end,
        None, None, ("Section",), 1 / rank, None,
    )  # fmt: skip


def words(text: str) -> int:
    return len(text.split())


def characters(text: str) -> int:
    return len(text)


def fickle(text: str) -> int:
    """Tokens of parts do not add up to those of the whole."""
    return len(re.findall(r"\w+|\W", text)) + len(text) ** 2 // 2000


def stretch(document: str, first: int, count: int, rank: int) -> Run:
    """So many whole words of a document, as a chunker cuts: what lies between two stretches that touch is white space."""
    spans = [found.span() for found in re.finditer(r"\S+", DOCUMENTS[document])]
    first %= len(spans)
    return run(document, spans[first][0], spans[min(first + count, len(spans)) - 1][1], rank)


@st.composite
def ranked(draw: st.DrawFn) -> list[Run]:
    places = draw(
        st.lists(
            st.tuples(st.sampled_from(sorted(DOCUMENTS)), st.integers(0, 300), st.integers(1, 130)),
            max_size=12,
            unique_by=lambda p: (p[0], p[1] % len(DOCUMENTS[p[0]].split())),
        )
    )
    return [stretch(*place, rank) for rank, place in enumerate(places, start=1)]


@given(ranked(), st.integers(1, 700), st.sampled_from(["relevance", "document"]), st.sampled_from([words, characters, fickle]))
def test_the_budget_is_never_exceeded_and_every_passage_is_accounted_for(
    candidates: list[Run], budget: int, order: str, count: Callable[[str], int]
) -> None:
    found = packed(candidates, budget, "relevance" if order == "relevance" else "document", count)
    assert found.tokens == count(found.text) <= budget
    assert found.text == text_of(found.runs)
    inside = [chunk for each in found.runs for chunk in each.chunk_ids]
    assert sorted([*inside, *(each.chunk_id for each in found.dropped)]) == sorted(each.chunk_ids[0] for each in candidates)
    for each in found.runs:
        assert each.text.strip() in DOCUMENTS[each.document_id]
        if each.whole:
            assert each.text == DOCUMENTS[each.document_id][each.start : each.end]
    assert len(found.runs) == 1 or all(each.whole for each in found.runs)


@given(ranked())
def test_stretches_that_are_joined_lie_apart_and_hold_all_that_was(candidates: list[Run]) -> None:
    found = joined(candidates)
    for before, after in pairwise(found):
        assert before.document_id < after.document_id or before.end + 2 < after.start
    for each in candidates:
        (holder,) = [other for other in found if each.chunk_ids[0] in other.chunk_ids]
        assert holder.start <= each.start
        assert each.end <= holder.end


def pack(candidates: list[Run], budget: int = 10_000, order: str = "relevance") -> Packed:
    return packed(candidates, budget, "relevance" if order == "relevance" else "document", words)


def test_passages_that_touch_become_one_in_reading_order() -> None:
    second, first = run("two", 40, 90, 1), run("two", 0, 40, 2)
    found = pack([second, first])
    (only,) = found.runs
    assert (only.start, only.end, only.text) == (0, 90, DOCUMENTS["two"][:90])
    assert only.chunk_ids == (*first.chunk_ids, *second.chunk_ids)
    assert only.rank == 1
    assert found.text.startswith("[1] Two (wiki:two.md, Section)\nParagraph 0")


def test_paragraphs_that_follow_each_other_touch() -> None:
    end = DOCUMENTS["two"].index("\n\n")
    found = pack([run("two", 0, end, 2), run("two", end + 2, end + 60, 1)])
    assert [each.text for each in found.runs] == [DOCUMENTS["two"][: end + 60]]


def test_what_nearly_repeats_is_dropped_and_says_of_what() -> None:
    said, again = run("two", 0, 400, 1), run("two", 5, 395, 2)
    elsewhere = Run(2.5, "copy", "wiki", "wiki:copy.md", "Copy", ("copied",), said.text[20:], 7, 387, None, None, (), 0.1, None)
    found = pack([said, again, elsewhere, run("one", 0, 90, 3)])
    assert [(each.chunk_id, each.reason, each.of) for each in found.dropped] == [
        (again.chunk_ids[0], "repeats", 1),
        ("copied", "repeats", 1),
    ]
    assert [each.document_id for each in found.runs] == ["two", "one"]


def test_a_smaller_passage_takes_the_room_that_a_larger_one_leaves() -> None:
    large = words(run("two", 0, 900).text)
    found = pack([run("one", 0, 90, 1), run("two", 0, 900, 2), run("one", 300, 340, 3)], budget=large)
    assert [each.document_id for each in found.runs] == ["one", "one"]
    assert [(each.chunk_id, each.reason) for each in found.dropped] == [("two-0-900", "budget")]


def test_only_the_only_one_is_cut_and_after_a_word() -> None:
    found = pack([run("two", 0, 900, 1)], budget=20)
    (only,) = found.runs
    assert not only.whole
    assert found.tokens == 20
    assert DOCUMENTS["two"].startswith(only.text)
    assert DOCUMENTS["two"][len(only.text)].isspace()
    assert (only.start, only.end) == (0, len(only.text))


def test_where_not_a_word_fits_there_is_nothing() -> None:
    found = pack([run("three", 0, 900, 1)], budget=3)
    assert (found.runs, found.text, found.tokens) == ([], "", 0)
    assert [each.reason for each in found.dropped] == ["budget"]


@pytest.mark.parametrize(("order", "expected"), [("relevance", ["one", "two", "one"]), ("document", ["one", "one", "two"])])
def test_by_relevance_or_document_by_document(order: str, expected: list[str]) -> None:
    found = pack([run("one", 300, 340, 1), run("two", 0, 90, 2), run("one", 0, 90, 3)], order=order)
    assert [each.document_id for each in found.runs] == expected
    if order == "document":
        assert [each.start for each in found.runs] == [0, 300, 0]
    assert [line[:3] for line in found.text.splitlines() if line.startswith("[")] == ["[1]", "[2]", "[3]"]
