from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipelines.parsing.long_text import LONGEST_PARAGRAPH, by_length
from pipelines.parsing.partition import parse


@given(st.text(alphabet="ab \n\t\u2003", max_size=200), st.integers(1, 40))
def test_nothing_is_lost_but_blanks(text: str, longest: int) -> None:
    parts = list(by_length(text, longest))
    assert "".join("".join(part for _, part in parts).split()) == "".join(text.split())
    assert all(len(part) <= longest and part == part.strip() for overlong, part in parts if overlong)


def test_a_line_ends_at_its_end_or_between_words_and_inside_a_word_only_where_that_is_longer_than_a_piece() -> None:
    parts = by_length("aaaa bb\ncc dddddddd eeeeeeeeeee", longest=8)
    assert [part for _, part in parts] == ["aaaa bb", "cc", "dddddddd", "eeeeeeee", "eee"]


def test_short_paragraphs_around_an_overlong_one_keep_their_kinds() -> None:
    line = "entry of the log " * (LONGEST_PARAGRAPH // 10)
    document = parse(f"The Heading\n\n{line}\n\nWhat follows is a sentence that is read as prose.\n".encode(), "a.log")
    assert document.text.split() == ["The", "Heading", *line.split(), *"What follows is a sentence that is read as prose.".split()]
    assert [element.kind for element in document.elements] == ["Title", "NarrativeText", "NarrativeText", "NarrativeText"]
