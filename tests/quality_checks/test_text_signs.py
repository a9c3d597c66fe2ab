"""Signs of text that is not what its documents say."""

from __future__ import annotations

import numpy as np

from quality_checks.text_signs import boilerplate_shares, repeated, thin

BLOCK = "Home, about us, contact, terms of use, privacy policy, cookie settings and newsletter."


def test_a_long_block_in_many_texts_is_boilerplate() -> None:
    own = [f"{n} " + f"{n:02}" * len(BLOCK) for n in range(20)]
    shares = boilerplate_shares([f"{text}\n{BLOCK}" for text in own])
    assert np.allclose(shares, len(BLOCK) / len(f"{own[0]}\n{BLOCK}"), atol=0.01)
    assert not boilerplate_shares(own).any()


def test_a_block_in_few_texts_short_lines_and_copies_are_none() -> None:
    own = [f"{n:02}" * 60 for n in range(30)]
    few = [f"{text}\n{BLOCK}" if n < 7 else text for n, text in enumerate(own)]
    assert not boilerplate_shares(few).any()
    assert not boilerplate_shares([f"{text}\nIntroduction" for text in own]).any()
    assert not boilerplate_shares([f"{BLOCK}\n{BLOCK}"] * 30).any()
    assert boilerplate_shares([]).shape == (0,)


def test_a_text_repeats_one_before_it_but_for_white_space() -> None:
    assert repeated(["a b", "c", "a\n b ", "", ""]).tolist() == [False, False, True, False, False]


def test_thin_depends_on_the_format() -> None:
    paths = ["a.md", "a.md", "a.html", "a.pdf", "a.md", "a"]
    sizes = [100_000, 1000, 100_000, 10_000_000, None, 10_000]
    assert thin(paths, sizes, [900, 0, 900, 900, 0, 0]) == [True, False, False, False, False, True]
