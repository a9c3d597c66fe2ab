"""Each comparison is quiet on samples of one population, finds a shift that matters, and tells the truth about what it would have found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from quality_checks.drift import ALPHA, GREW, MIXED, MOVED, Sample, Shift, access_shift, count_shift, distribution_shift, share_shift
from quality_checks.drift_resampling import (
    DOCUMENTS,
    RELABELLED,
    VECTORS,
    VECTORS_MOVED,
    WORDS_MOVED,
    QueryWindow,
    Terms,
    Vectors,
    drawn,
    query_shifts,
    terms_of,
    vector_shift,
    vocabulary_shift,
)
from tests.conftest import ROOT

SEEDS = 400
FALSE_ALARMS = 3
"""Of ``SEEDS`` looks at nothing, at a chance of one in a thousand each: more than so many happen once in a thousand."""


def random(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def lengths(seed: int, count: int = 300, mean: float = 120.0) -> Sample:
    return np.minimum(random(seed).gamma(6, mean / 6, count).round(), 256)


def languages(seed: int, count: int = 200, german: float = 0.2) -> Counter[str]:
    return Counter(random(seed).choice(["en", "de", "fr"], count, p=[0.75 - german, german, 0.25]).tolist())


def documents(seed: int, count: int = 40, strange: float = 0.0) -> Terms:
    """Documents of thirty words each, of two subjects that share half their words; ``strange`` is the share of the second."""
    drawing, made = random(seed), []
    for number in range(count):
        own = 100 if number < strange * count else 50
        words = np.where(drawing.random(30) < 0.5, drawing.zipf(1.5, 30) % 50, own + drawing.zipf(1.5, 30) % 50)
        made.append(dict(Counter(words.tolist())))
    return terms_of(made)


def unit(vectors: np.typing.NDArray[np.float64]) -> Vectors:
    made: Vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return made


def passages(seed: int, count: int = 40, moved: float = 0.0) -> Vectors:
    """Around one of three centres, or of those and a fourth, to which ``moved`` of them belong."""
    centres = random(99).standard_normal((4, 24))
    drawing = random(seed)
    of = np.where(drawing.random(count) < moved, 3, drawing.integers(0, 3, count))
    return unit(centres[of] + drawing.standard_normal((count, 24)))


class TestQuietOnOnePopulation:
    @pytest.mark.parametrize(
        "look",
        [
            lambda a, b: count_shift("documents", int(random(a).poisson(300)), int(random(b).poisson(300))),
            lambda a, b: distribution_shift("tokens", lengths(a), lengths(b)),
            lambda a, b: share_shift("languages", languages(a), languages(b)),
        ],
        ids=["volume", "lengths", "languages"],
    )
    def test_false_alarms_are_as_rare_as_said_by_chance_alone_and_absent_by_effect(self, look: Callable[[int, int], Shift]) -> None:
        shifts = [look(2 * seed, 2 * seed + 1) for seed in range(SEEDS)]
        assert sum(shift.p_value <= ALPHA for shift in shifts) <= FALSE_ALARMS
        assert not [shift for shift in shifts if shift.drifted]

    @pytest.mark.slow
    def test_of_vectors_and_vocabularies_as_well(self) -> None:
        looks = [vector_shift("vectors", passages(2 * seed), passages(2 * seed + 1)) for seed in range(60)]
        looks += [vocabulary_shift("words", documents(2 * seed), documents(2 * seed + 1)) for seed in range(60)]
        assert sum(shift.p_value <= ALPHA for shift in looks) <= 2
        assert sum(shift.p_value <= 0.1 for shift in looks) <= 25, "of 120, 12 are to be expected: the p-values are honest, not shy"
        assert not [shift for shift in looks if shift.drifted]

    def test_a_huge_sample_does_not_cry_wolf_over_nothing(self) -> None:
        shift = distribution_shift("tokens", lengths(1, 100_000), lengths(2, 100_000, mean=123))
        assert shift.p_value < 1e-6
        assert not shift.drifted

    def test_the_same_rows_are_the_same(self) -> None:
        shifts = [
            distribution_shift("tokens", lengths(1), lengths(1)),
            share_shift("languages", languages(1), languages(1)),
            vocabulary_shift("words", documents(1), documents(1)),
            vector_shift("vectors", passages(1), passages(1)),
        ]
        assert [shift.effect for shift in shifts] == [0, 0, 0, 0]


class TestFindsWhatMatters:
    @pytest.mark.parametrize(
        ("shift", "family"),
        [
            (lambda: count_shift("documents", 200, 100), "half of the documents are gone"),
            (lambda: count_shift("documents", 200, 420), "they doubled"),
            (lambda: distribution_shift("tokens", lengths(1), lengths(2, mean=60)), "passages became half as long"),
            (lambda: share_shift("languages", languages(1), languages(2, german=0.6)), "two fifths changed language"),
            (lambda: share_shift("languages", {"en": 12}, {"de": 12}), "all of a small source did"),
            (lambda: vocabulary_shift("words", documents(1, 120), documents(2, 120, strange=0.8)), "another subject"),
            (lambda: vector_shift("vectors", passages(1, 120), passages(2, 120, moved=0.8)), "another place"),
        ],
    )
    def test_drift(self, shift: Callable[[], Shift], family: str) -> None:
        found = shift()
        assert found.drifted, f"{family}: {found.says}"
        assert found.effect >= (found.detectable or 2.0)

    def test_vectors_of_another_model_of_the_same_dimension(self) -> None:
        turned = np.linalg.qr(random(7).standard_normal((24, 24)))[0].astype(np.float32)
        assert vector_shift("vectors", passages(1), passages(2) @ turned).drifted

    def test_vectors_of_another_dimension(self) -> None:
        assert vector_shift("vectors", passages(1), passages(2)[:, :12]).drifted


class TestTooFew:
    @pytest.mark.parametrize(
        "shift",
        [
            count_shift("documents", 0, 0),
            distribution_shift("tokens", lengths(1, 4), lengths(2, 4, mean=20)),
            distribution_shift("tokens", np.empty(0), lengths(2)),
            share_shift("languages", {"en": 2}, {"de": 2}),
            share_shift("languages", {}, {"de": 90}),
            vocabulary_shift("words", documents(1, 1), documents(2, 20)),
            vector_shift("vectors", passages(1, 1), passages(2, 20)),
            vector_shift("vectors", passages(1, 3), passages(2, 3, moved=1.0)),
        ],
    )
    def test_nothing_is_claimed_and_that_is_said(self, shift: Shift) -> None:
        assert not shift.drifted
        assert shift.detectable is None
        assert shift.blind
        assert "would find nothing, at these sizes" in shift.says

    def test_one_language_only_is_no_drift_and_says_what_it_would_have_found(self) -> None:
        shift = share_shift("languages", {"en": 100}, {"en": 100})
        assert (shift.effect, shift.blind, shift.drifted) == (0, True, False)
        assert shift.detectable is not None
        assert shift.detectable < 0.3
        assert not share_shift("languages", {"en": 400}, {"en": 400}).blind


def power(look: Callable[[int], Shift], seeds: int) -> float:
    """In how many of these looks a difference is told from chance."""
    return sum(look(seed).p_value <= ALPHA for seed in range(seeds)) / seeds


class TestPower:
    """What a comparison says it would have found in 8 of 10 cases, it finds about so often when it is there."""

    def test_of_counts(self) -> None:
        said = count_shift("documents", 200, 200).detectable
        assert said is not None
        assert (
            0.65
            <= power(lambda seed: count_shift("d", int(random(seed).poisson(200)), int(random(seed + 9999).poisson(200 * 2**said))), 300)
            <= 0.9
        )

    def test_of_lengths_at_least(self) -> None:
        said = distribution_shift("tokens", lengths(1), lengths(2)).detectable
        assert said is not None
        assert said < MOVED

        def shifted(seed: int) -> Shift:  # two uniform distributions a distance D apart
            return distribution_shift("tokens", random(seed).random(300), random(seed + 9999).random(300) + said)

        assert power(shifted, 300) >= 0.75

    def test_of_languages(self) -> None:
        said = share_shift("languages", {"en": 100, "de": 100}, {"en": 100, "de": 100}).detectable
        assert said is not None

        def shifted(seed: int) -> Shift:  # the shares of two languages, Cramér's V apart
            tallies = [
                Counter(random(seed + at).choice(["en", "de"], 200, p=[0.5 + by, 0.5 - by]).tolist())
                for at, by in ((0, said / 2), (9999, -said / 2))
            ]
            return share_shift("languages", *tallies)

        assert 0.65 <= power(shifted, 300) <= 0.9

    @pytest.mark.slow
    @pytest.mark.parametrize(
        "look",
        [
            lambda seed, by, count: vector_shift("vectors", passages(seed, count), passages(seed + 9999, count, moved=by)),
            lambda seed, by, count: vocabulary_shift("words", documents(seed, count), documents(seed + 9999, count, strange=by)),
        ],
        ids=["vectors", "vocabulary"],
    )
    def test_of_what_is_resampled_in_the_right_region(self, look: Callable[[int, float, int], Shift]) -> None:
        """Its alternative is another than this one, so the figure is coarse: well above it a shift is found, well below it is not."""
        judged = {"above": 0, "below": 0}
        for moved in (0.1, 0.2, 0.4, 0.8):
            there = look(1, moved, 300).effect  # nearly free of chance
            shifts = [look(seed, moved, 40) for seed in range(12)]
            said = float(np.mean([shift.detectable or np.inf for shift in shifts]))
            found = sum(shift.p_value <= ALPHA for shift in shifts)
            if there >= 1.3 * said:
                judged["above"] += 1
                assert found >= 9, f"{moved} moved: {there} is found {found} times of 12, and {said} was to be found in 8 of 10"
            if there <= said / 2:
                judged["below"] += 1
                assert found <= 6, f"{moved} moved: {there} is found {found} times of 12, and only {said} was to be found"
        assert min(judged.values()) >= 1, judged


class TestAccess:
    def test_the_same_shares_of_more_passages_are_no_drift(self) -> None:
        shift = access_shift({"staff": 10, "law": 5}, {"staff": 20, "law": 10}, 10, 20)
        assert (shift.drifted, shift.effect, shift.moved) == (False, 0, {})

    def test_a_group_that_is_new_and_one_that_is_gone_are(self) -> None:
        shift = access_shift({"staff": 10}, {"everyone": 10}, 10, 10)
        assert (shift.gained, shift.lost, shift.drifted) == (["everyone"], ["staff"], True)

    def test_a_group_that_reads_much_less_is(self) -> None:
        assert access_shift({"staff": 100, "law": 80}, {"staff": 100, "law": 60}, 100, 100).drifted
        assert not access_shift({"staff": 100, "law": 80}, {"staff": 100, "law": 75}, 100, 100).drifted

    def test_an_empty_source_has_no_groups(self) -> None:
        assert access_shift({"staff": 3}, {}, 3, 0).lost == ["staff"]


def test_queries_are_compared_by_number_words_and_vectors() -> None:
    calm = query_shifts(QueryWindow(passages(1), documents(1)), QueryWindow(passages(2), documents(2)))
    assert [shift.measure for shift in calm] == ["queries", "words of queries", "vectors of queries"]
    assert not [shift for shift in calm if shift.drifted]
    other = QueryWindow(passages(2, 120, moved=0.9), documents(2, 120, strange=0.9))
    assert all(shift.drifted for shift in query_shifts(QueryWindow(passages(1), documents(1)), other))


def test_a_sample_is_the_same_each_time_and_the_figures_too() -> None:
    many = passages(1, 2000)
    assert np.array_equal(drawn(many), drawn(many))
    assert len(drawn(many)) < len(many)
    assert vector_shift("vectors", many, passages(2)) == vector_shift("vectors", many, passages(2))


def test_rare_terms_count_together_and_the_evidence_is_plain() -> None:
    words = [{int(term): 1 for term in random(seed).choice(10_000_000, 80, replace=False)} for seed in range(120)]
    shift = vocabulary_shift("words", terms_of(words[:60]), terms_of(words[60:]))
    assert not shift.drifted
    assert shift.p_value >= 1 / (1 + RELABELLED)
    assert shift.evidence().keys() == {
        "measure",
        "test",
        "before",
        "now",
        "effect",
        "p_value",
        "threshold",
        "detectable",
        "drifted",
        "blind",
    }


def test_the_page_names_the_thresholds_that_hold() -> None:
    page = (ROOT / "docs" / "drift.md").read_text()
    assert f"| {GREW}: " in page
    assert all(f"| {threshold} |" in page for threshold in (MOVED, MIXED, WORDS_MOVED, VECTORS_MOVED))
    assert f"p is at most {ALPHA}" in page
    assert all(f"of {most} documents" in page for most in (DOCUMENTS, VECTORS))
