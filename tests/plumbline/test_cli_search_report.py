"""A hit as a person reads it: the right part of the passage, the words asked for marked, nothing that could drive a terminal."""

from __future__ import annotations

from rich.text import Text

from plumbline.cli.search_report import places_said, snippet, stems_of
from search_index.hints import why_missing
from search_index.model.release import Held
from search_index.model.search import Place


def _marked(shown: Text) -> list[str]:
    return [shown.plain[span.start : span.end] for span in shown.spans]


def test_words_are_marked_in_any_of_their_forms() -> None:
    shown = snippet("Inspectors inspected the bridges. A bridge is inspected yearly.", stems_of("the bridge inspection"), 200)
    assert _marked(shown) == ["inspected", "bridges", "bridge", "inspected"]


def test_a_long_passage_is_cut_where_the_words_are() -> None:
    text = "filler words go on " * 50 + "and the plumb bob hangs " + "more filler here " * 50
    shown = snippet(text, stems_of("plumb bob"), 120)
    assert shown.plain.startswith("... ")
    assert shown.plain.endswith(" ...")
    assert len(shown.plain) <= 128
    assert _marked(shown) == ["plumb", "bob"]


def test_a_passage_without_the_words_begins_at_its_beginning() -> None:
    shown = snippet("alpha beta " * 100, stems_of("gamma"), 50)
    assert shown.plain.startswith("alpha beta")
    assert not shown.spans


def test_escape_sequences_in_a_document_do_not_reach_the_terminal() -> None:
    assert "\x1b" not in snippet("plumb \x1b]0;owned\x07 bob\u202e", stems_of("bob")).plain


def test_a_passage_with_many_near_duplicates_names_a_few() -> None:
    places = [Place(document_id=str(n), uri=f"docs:{n}.md") for n in range(5)]
    assert places_said(places[:2]) == "nearly the same: docs:0.md, docs:1.md"
    assert places_said(places) == "nearly the same: docs:0.md, docs:1.md, docs:2.md and 2 more"


def test_what_is_held_or_unreadable_is_said_for_the_sources_asked() -> None:
    held = [Held(source="a", reasons=["too few rows"]), Held(source="b", reasons=["gone"])]
    assert [hint.code for hint in why_missing(held, {"a": 1, "c": 2}, set())] == ["held", "held", "quarantined", "quarantined"]
    only = why_missing(held, {"a": 1, "c": 2}, {"a"})
    assert [hint.code for hint in only] == ["held", "quarantined"]
    assert "too few rows" in only[0].message
    assert "1 file of source a" in only[1].message
