"""Every strategy keeps the same promises, whatever the document; and each does what it is chosen for."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pipelines.chunking.chunker import ChunkerSettings, Strategy, chunk_document
from pipelines.chunking.token_counter import TokenCounter
from pipelines.parsing.assembly import Part
from search_index.model.document import Element, ParsedDocument
from tests.chunk_invariants import check, common, default_counter, document, prose, sections

STRATEGIES: tuple[Strategy, ...] = ("by_title", "by_page", "fixed")
PAGES = ChunkerSettings(64, 16, "by_page")
any_strategy = pytest.mark.parametrize("strategy", STRATEGIES)

WORDS = st.one_of(
    st.text(max_size=30),
    st.text(alphabet="ab\u0301\u0308e \n", max_size=60),
    st.text(alphabet="検索は、速い。한국어의 문장이다！", min_size=1, max_size=400),
    st.text(alphabet="😀𝒳👩\u200d🔬 x", max_size=80),
    st.text(alphabet="שלום עולם. مرحبا بالعالم؟ \u200f", max_size=80),
    st.integers(1, 700).map(lambda length: "x1-" * length),
    st.integers(1, 9000).map(lambda length: "y" * length),
    st.integers(1, 120).map(prose),
    st.integers(1, 40).map(lambda rows: "\n".join(f"row {row} | {row * 7} | name" for row in range(rows))),
    st.integers(1, 30).map(lambda items: "\n".join(f"{item}. Item {item} does this:" for item in range(items))),
)
PARTS = st.builds(
    Part,
    st.sampled_from(["Title", "NarrativeText", "ListItem", "Table", "CodeSnippet", "Footer"]),
    st.lists(WORDS, max_size=4).map(" ".join),
    st.none() | st.integers(1, 4),
    st.none() | st.integers(0, 8),
)
SETTINGS = st.builds(ChunkerSettings, st.just(64), st.sampled_from([0, 12, 32]), st.sampled_from(STRATEGIES)) | st.sampled_from(
    [ChunkerSettings(16, 8, strategy) for strategy in STRATEGIES] + [ChunkerSettings(256, 32, strategy) for strategy in STRATEGIES]
)


@pytest.fixture(scope="module")
def counter() -> TokenCounter:
    return default_counter()


@pytest.mark.slow
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(PARTS, max_size=12), st.text(max_size=80) | st.integers(0, 80).map(prose), SETTINGS)
@example([Part("NarrativeText", "\U0001d573" * 500)], "t", ChunkerSettings(32, 8))
@example([Part("Title", prose(60)), Part("Title", prose(60)), Part("Table", "")], "", ChunkerSettings(32, 8))
def test_any_document_is_covered_by_passages_the_encoder_can_hold(
    counter: TokenCounter, parts: list[Part], title: str, wanted: ChunkerSettings
) -> None:
    parsed = document(*parts, title=title)
    chunks = chunk_document(parsed, wanted, counter)
    check(chunks, parsed, wanted, counter)
    assert chunk_document(parsed, wanted, counter) == chunks


SECTIONED = st.lists(
    st.builds(Part, st.just("Title"), st.integers(0, 10**6).map("T{}".format), st.none(), st.integers(0, 4))
    | st.integers(1, 60).map(lambda words: Part("NarrativeText", prose(words)))
    | st.integers(1, 9).map(lambda words: Part("ListItem", prose(words))),
    min_size=1,
    max_size=30,
)


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(SECTIONED, st.sampled_from([ChunkerSettings(64, overlap, strategy) for overlap in (0, 16) for strategy in STRATEGIES]))
def test_a_passage_says_the_path_of_titles_above_what_is_new_in_it(
    counter: TokenCounter, parts: list[Part], wanted: ChunkerSettings
) -> None:
    parsed = document(*parts)
    paths = sections(parsed)
    before = 0
    for chunk in chunk_document(parsed, wanted, counter):
        new_from = max(before, chunk.start)
        touched = [path for path, e in zip(paths, parsed.elements, strict=True) if e.start < chunk.end and e.end > new_from]
        assert chunk.section == (common(touched) or touched[0])
        before = chunk.end


HOSTILE = {
    "CJK without blanks": [Part("NarrativeText", "検索は速いが索引は遅い" * 300)],
    "one word of 100,000 letters": [Part("NarrativeText", "z" * 100_000)],
    "a word of many tokens": [Part("NarrativeText", "0x" + "9f-" * 3000)],
    "emoji and combining marks": [Part("NarrativeText", "👩\u200d🔬e\u0301\u0327\u0323" * 400)],
    "right to left": [Part("NarrativeText", "שלום עולם. مرحبا بالعالم؟ " * 200)],
    "only titles": [Part("Title", f"Heading {n} of many", 1 + n // 50, n % 7) for n in range(200)],
    "one endless title": [Part("Title", prose(900), 1, 0)],
    "only tables": [Part("Table", "\n".join(f"name {n} | {n} | {n * n}" for n in range(120)), page) for page in (1, 2, 3)],
    "a table of one endless row": [Part("Table", "name | value\n" + " | ".join(f"cell{n}" for n in range(900)))],
    "no line breaks in code": [Part("CodeSnippet", "f(x);" * 1500)],
    "the same words again": [Part("NarrativeText", "again and again. " * 400, 1), Part("NarrativeText", "again and again. " * 400, 2)],
}


@any_strategy
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_keeps_the_promises_too(counter: TokenCounter, name: str, strategy: Strategy) -> None:
    parsed = document(*HOSTILE[name])
    for most, overlap in ((256, 32), (48, 24)):
        wanted = ChunkerSettings(most, overlap, strategy)
        check(chunk_document(parsed, wanted, counter), parsed, wanted, counter)


@any_strategy
def test_elements_without_text_and_text_without_elements_are_no_trouble(counter: TokenCounter, strategy: Strategy) -> None:
    text = f"{prose(80)}\n\n \n\n{prose(80, 100)}"
    empty = len(prose(80)) + 2
    parsed = ParsedDocument("", text, (Element("Title", empty, empty, 1, 0), Element("Text", empty, empty + 1, 2)), "test", "text/plain")
    wanted = ChunkerSettings(64, 8, strategy)
    chunks = chunk_document(parsed, wanted, counter)
    assert "".join(chunk.text for chunk in chunk_document(parsed, ChunkerSettings(64, 0, strategy), counter)).count("w") == 140
    assert all(parsed.text[chunk.start : chunk.end] == chunk.text for chunk in chunks)
    assert all(chunk.page_first is None and chunk.section == () for chunk in chunks)


@any_strategy
def test_a_document_that_fits_is_one_passage_unless_it_has_pages_to_keep(counter: TokenCounter, strategy: Strategy) -> None:
    parsed = document(Part("Title", "One", 1), Part("NarrativeText", "Short.", 1), Part("Title", "Two", 2), Part("ListItem", "Shorter.", 2))
    chunks = chunk_document(parsed, ChunkerSettings(strategy=strategy), counter)
    assert [chunk.text for chunk in chunks] == (["One\n\nShort.", "Two\n\nShorter."] if strategy == "by_page" else [parsed.text])


def test_by_page_a_page_that_fits_is_one_passage_and_no_passage_turns_the_page(counter: TokenCounter) -> None:
    short = [Part("Title", "Summary", 1), Part("NarrativeText", prose(9), 1), Part("Title", "More", 1), Part("ListItem", prose(5, 40), 1)]
    long = [Part("NarrativeText", prose(60, 100), 2), Part("NarrativeText", prose(60, 200), 3), Part("Footer", "5", 3)]
    parsed = document(*short, *long)
    chunks = chunk_document(parsed, PAGES, counter)
    assert chunks[0].text == parsed.text[: chunks[0].end] and chunks[0].text.startswith("Summary\n\n") and "More\n\n" in chunks[0].text
    assert [(chunk.page_first, chunk.page_last) for chunk in chunks if chunk.page_first != chunk.page_last] == []
    assert {chunk.page_first for chunk in chunks} == {1, 2, 3}


def test_by_page_a_document_without_pages_is_cut_as_by_title(counter: TokenCounter) -> None:
    parts = [part for n in range(9) for part in (Part("Title", f"Section {n}", depth=1), Part("NarrativeText", prose(40, n * 100)))]
    by_page, by_title = (chunk_document(document(*parts), ChunkerSettings(64, 16, s), counter) for s in ("by_page", "by_title"))
    assert by_page == by_title


def test_fixed_passages_are_full_begin_at_sentences_and_overlap_across_titles(counter: TokenCounter) -> None:
    parts = [part for n in range(9) for part in (Part("Title", f"Section {n}", depth=1), Part("NarrativeText", prose(16, n * 100)))]
    parsed = document(*parts)
    wanted = ChunkerSettings(96, 32, "fixed")
    chunks = chunk_document(parsed, wanted, counter)
    assert len(chunks) > 3
    starts = {e.start for e in parsed.elements} | {at + 2 for at in range(len(parsed.text)) if parsed.text.startswith(". ", at)}
    for before, after in pairwise(chunks):
        assert after.start < before.end
        assert after.start in starts
        assert before.tokens > wanted.max_tokens * 0.6
    assert any("\n\nSection" in chunk.text for chunk in chunks)


def test_without_overlap_fixed_passages_follow_one_another(counter: TokenCounter) -> None:
    chunks = chunk_document(document(Part("NarrativeText", prose(300))), ChunkerSettings(64, 0, "fixed"), counter)
    assert all(before.end < after.start for before, after in pairwise(chunks))


@any_strategy
def test_a_bullet_or_number_stays_with_its_item(counter: TokenCounter, strategy: Strategy) -> None:
    items = "\n".join(f"{n}. " + f"Turn the valve W{n} until the gauge moves. " * 2 for n in range(1, 30))
    for text in (items, items.replace(". Turn", ".\nTurn"), "\n".join("• " + line.split(" ", 1)[1] for line in items.split("\n"))):
        for chunk in chunk_document(document(Part("NarrativeText", text)), ChunkerSettings(48, 0, strategy), counter):
            assert not chunk.text.rsplit(None, 1)[-1].rstrip(".").isdigit()
            assert not chunk.text.endswith("•")


def test_the_words_that_introduce_a_list_stay_with_its_first_item(counter: TokenCounter) -> None:
    for words in range(20, 60, 4):
        items = [Part("ListItem", prose(12, 300 + n * 20)) for n in range(6)]
        parsed = document(Part("NarrativeText", prose(words)), Part("NarrativeText", "The pump is started in six steps:"), *items)
        for chunk in chunk_document(parsed, ChunkerSettings(96, 0), counter):
            assert not chunk.text.endswith(":")


@any_strategy
def test_a_table_that_goes_on_repeats_its_column_names_in_the_header_only(counter: TokenCounter, strategy: Strategy) -> None:
    rows = ["Component | Purpose", *(f"Component{row} | turns input {row} into output {row}" for row in range(60))]
    chunks = chunk_document(document(Part("Table", "\n".join(rows))), ChunkerSettings(128, 0, strategy), counter)
    assert [line for chunk in chunks for line in chunk.text.split("\n")] == rows
    assert {chunk.header for chunk in chunks[1:]} == {"Handbook > Component | Purpose"}


def test_each_strategy_has_its_own_fingerprint_and_settings_are_checked() -> None:
    assert len({ChunkerSettings(strategy=strategy).fingerprint for strategy in STRATEGIES}) == 3
    with pytest.raises(ValueError, match="at most half"):
        ChunkerSettings(64, 33)
    with pytest.raises(ValueError, match="at least 16"):
        ChunkerSettings(8, 0)
