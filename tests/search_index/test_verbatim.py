"""Long queries that quote find what they quote; questions are left as they were ranked."""

from __future__ import annotations

from search_index.verbatim import longest_run, quotedness, words

SENTENCE = "The counterparty may terminate the lease with ninety days notice in writing."
SIBLING = "The counterparty may terminate the licence with sixty days notice by letter."


def weights(text: str) -> dict[str, float]:
    return {word: float(len(word)) for word in words(text)}


def test_a_copied_sentence_is_a_quotation_and_its_sibling_less_of_one() -> None:
    asked = words("terminate the lease with ninety days notice in writing")
    exact, near = quotedness(asked, weights(" ".join(asked)), SENTENCE), quotedness(asked, weights(" ".join(asked)), SIBLING)
    assert exact == 2.0
    assert near == 0.0


def test_a_question_about_it_is_no_quotation() -> None:
    asked = words("how much notice does somebody have to give before they can end a rental")
    assert quotedness(asked, weights(" ".join(asked)), SENTENCE) == 0.0


def test_case_and_punctuation_do_not_break_a_run() -> None:
    assert longest_run(words("LEASE, with (ninety) days"), f" {' '.join(words(SENTENCE))} ") == 4


def test_a_run_is_of_whole_words() -> None:
    assert longest_run(["art", "of"], " start of ") == 1


def test_words_that_weigh_nothing_make_no_quotation() -> None:
    assert quotedness(["a", "b", "c", "d", "e", "f"], {}, "a x c y e z") == 0.0
