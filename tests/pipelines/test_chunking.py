from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from pipelines.chunking.chunker import ChunkerSettings, chunk_document
from pipelines.chunking.token_counter import TokenCounter
from pipelines.parsing.assembly import Part
from pipelines.parsing.partition import parse
from pipelines.parsing.records import parse_record
from tests.chunk_invariants import check, default_counter, document, prose

DEFAULT = ChunkerSettings()


@pytest.fixture(scope="module")
def counter() -> TokenCounter:
    return default_counter()


def test_a_document_that_fits_is_one_passage_whatever_its_structure(counter: TokenCounter) -> None:
    parsed = document(
        Part("Title", "One", 1), Part("NarrativeText", "Short.", 1), Part("Title", "Two", 2), Part("ListItem", "Shorter.", 2), title="One"
    )
    [chunk] = chunk_document(parsed, DEFAULT, counter)
    assert chunk.text == parsed.text
    assert (chunk.header, chunk.page_first, chunk.page_last) == ("", 1, 2)


def test_a_record_of_title_and_abstract_is_one_passage_up_to_the_last_token(counter: TokenCounter) -> None:
    for words in range(60, 140, 7):
        parsed = parse_record({"_id": "1", "title": "A study of w1", "text": prose(words)}, "1")
        chunks = chunk_document(parsed, DEFAULT, counter)
        if counter.counts([parsed.text])[0] <= DEFAULT.max_tokens:
            assert [chunk.encoder_text for chunk in chunks] == [parsed.text]
        else:
            assert len(chunks) > 1
            assert all(chunk.header == "A study of w1" for chunk in chunks[1:])


def test_passages_begin_at_titles_and_say_their_section(counter: TokenCounter) -> None:
    sections = [part for n in range(4) for part in (Part("Title", f"Section {n}", depth=1), Part("NarrativeText", prose(70, n * 100)))]
    parsed = document(Part("Title", "Handbook", depth=0), Part("NarrativeText", prose(60, 900)), *sections)
    chunks = chunk_document(parsed, DEFAULT, counter)
    assert [chunk.text.split("\n")[0] for chunk in chunks[1:]] == [f"Section {n}" for n in range(4)]
    assert [chunk.section for chunk in chunks[1:]] == [("Handbook", f"Section {n}") for n in range(4)]
    assert [chunk.header for chunk in chunks] == ["", *["Handbook"] * 4]


def test_the_header_of_a_later_passage_names_title_and_sections(counter: TokenCounter) -> None:
    parsed = document(Part("Title", "Install", depth=0), Part("Title", "Linux", depth=1), Part("NarrativeText", prose(300)))
    chunks = chunk_document(parsed, DEFAULT, counter)
    assert chunks[0].header == "Handbook"
    assert {chunk.header for chunk in chunks[1:]} == {"Handbook > Install > Linux"}


def test_a_long_header_keeps_to_a_quarter_and_to_title_and_last_section(counter: TokenCounter) -> None:
    titles = [Part("Title", f"Level {depth} " + "words " * 12, depth=depth) for depth in range(5)]
    parsed = document(*titles, Part("NarrativeText", prose(400)), title="The handbook")
    last = chunk_document(parsed, DEFAULT, counter)[-1]
    assert len(counter.spans(last.header)) <= DEFAULT.max_tokens // 4
    assert last.header.startswith("The handbook > ")
    assert "Level 4" in last.header


def test_small_sections_are_put_together(counter: TokenCounter) -> None:
    sections = [part for n in range(40) for part in (Part("Title", f"Note {n}", depth=1), Part("NarrativeText", f"Only note {n} is here."))]
    chunks = chunk_document(document(*sections), DEFAULT, counter)
    assert min(chunk.tokens for chunk in chunks) > 64
    assert all(chunk.text.startswith("Note ") for chunk in chunks)


def test_a_title_stays_with_what_it_is_the_title_of(counter: TokenCounter) -> None:
    parts = [
        part
        for n in range(30)
        for part in (Part("NarrativeText", prose(20 + n * 3 % 60, n * 100)), Part("Title", f"Heading {n}", depth=n % 3))
    ]
    for chunk in chunk_document(document(*parts, Part("NarrativeText", prose(40))), DEFAULT, counter):
        assert not chunk.text.split("\n")[-1].startswith("Heading")


def test_a_long_paragraph_is_cut_between_sentences_and_overlaps(counter: TokenCounter) -> None:
    parsed = document(Part("NarrativeText", prose(600)))
    chunks = chunk_document(parsed, DEFAULT, counter)
    assert len(chunks) > 3
    for before, after in pairwise(chunks):
        assert before.text.endswith(".")
        assert after.text.startswith("W")
        shared = parsed.text[after.start : before.end]
        assert 0 < len(counter.spans(shared)) <= DEFAULT.overlap_tokens


def test_a_long_table_is_cut_between_rows_that_keep_its_column_names(counter: TokenCounter) -> None:
    rows = ["Component | Purpose", *(f"Component{row} | turns input {row} into output {row}" for row in range(60))]
    chunks = chunk_document(document(Part("Table", "\n".join(rows))), DEFAULT, counter)
    assert [line for chunk in chunks for line in chunk.text.split("\n")] == rows
    assert chunks[0].header == "Handbook"
    assert {chunk.header for chunk in chunks[1:]} == {"Handbook > Component | Purpose"}


def test_passages_keep_to_their_page(counter: TokenCounter) -> None:
    parsed = document(*(Part("NarrativeText", prose(45, page * 1000 + n * 50), page) for page in range(1, 5) for n in range(3)))
    chunks = chunk_document(parsed, DEFAULT, counter)
    assert all(chunk.page_first == chunk.page_last for chunk in chunks)
    assert {chunk.page_first for chunk in chunks} == {1, 2, 3, 4}


def test_a_few_words_left_on_a_page_join_the_next(counter: TokenCounter) -> None:
    parsed = document(
        Part("NarrativeText", prose(60), 1), Part("NarrativeText", prose(6, 700), 2), Part("NarrativeText", prose(60, 800), 3)
    )
    chunks = chunk_document(parsed, DEFAULT, counter)
    assert min(chunk.tokens for chunk in chunks) > 60


def test_an_edit_at_the_end_leaves_earlier_passages_alone(counter: TokenCounter) -> None:
    parts = [part for n in range(12) for part in (Part("Title", f"Section {n}", depth=1), Part("NarrativeText", prose(50, n * 100)))]
    before = chunk_document(document(*parts), DEFAULT, counter)
    after = chunk_document(document(*parts[:-1], Part("NarrativeText", prose(90, 5000))), DEFAULT, counter)
    assert before[: len(before) - 2] == after[: len(before) - 2]


def test_settings_decide_the_fingerprint() -> None:
    assert ChunkerSettings().fingerprint == DEFAULT.fingerprint
    assert len({DEFAULT.fingerprint, ChunkerSettings(128).fingerprint, ChunkerSettings(overlap_tokens=0).fingerprint}) == 3


def test_a_document_without_text_has_no_passages(counter: TokenCounter) -> None:
    assert chunk_document(document(), DEFAULT, counter) == []


@pytest.mark.slow
def test_real_documentation_keeps_the_promises(counter: TokenCounter, shared_data: Callable[[str], Path]) -> None:
    files = sorted(shared_data("docs-versions/2.18").rglob("*.mdx"))[::12]
    for file in files:
        parsed = parse(file.read_bytes(), file.name)
        chunks = chunk_document(parsed, DEFAULT, counter)
        check(chunks, parsed, DEFAULT, counter)
        if len(chunks) > 1:
            assert sum(chunk.tokens < 48 for chunk in chunks) <= len(chunks) / 5
