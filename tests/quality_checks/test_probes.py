"""Probes: which vectors are embedded again, and what is said of those that come out otherwise."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from quality_checks.probes import NEW, PRECISE_FROM, SAME_FROM, STANDING, made_again, of_one_model, probed

KEYS = [f"k{n:03}" for n in range(100)]


def vectors(count: int = 20) -> npt.NDArray[np.float32]:
    made = np.random.default_rng(3).normal(size=(count, 384)).astype(np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def test_new_vectors_are_probed_and_a_few_that_stand() -> None:
    chosen = probed(KEYS, KEYS[:60], "seed")
    assert len(chosen) == NEW + STANDING
    assert set(chosen[:NEW]) <= set(KEYS[60:])
    assert set(chosen[NEW:]) <= set(KEYS[:60])
    assert probed(KEYS, KEYS[:60], "seed") == chosen
    assert probed(KEYS, KEYS[:60], "another") != chosen
    assert len(probed(KEYS, KEYS, "seed")) == NEW
    assert len(probed(KEYS[:62], KEYS[:60], "seed")) == 2 + STANDING


def test_the_same_vectors_pass() -> None:
    made = vectors()
    assert made_again(KEYS[:20], list(made), made, PRECISE_FROM).problem is None
    assert made_again([], [], np.empty((0, 0), np.float32), SAME_FROM).problem is None


@pytest.mark.parametrize("wrong", [np.zeros(384, np.float32), np.ones(3, np.float32), np.full(384, np.nan, np.float32), -vectors()[4]])
def test_a_vector_that_is_another_is_named(wrong: npt.NDArray[np.float32]) -> None:
    made = vectors()
    stored = [wrong if n == 4 else vector for n, vector in enumerate(made)]
    found = made_again(KEYS[:20], stored, made, SAME_FROM)
    assert str(found.problem).startswith("1 of 20 passages, embedded again, have another vector")
    assert found.evidence["ids"] == ["k004"]


def test_rounding_to_eight_bits_is_seen_by_the_finer_bound_alone() -> None:
    made = vectors()
    rounded = (np.round(made * 127) / 127).astype(np.float32)
    assert made_again(KEYS[:20], list(rounded), made, SAME_FROM).problem is None
    assert made_again(KEYS[:20], list(rounded), made, PRECISE_FROM).problem


def test_vectors_of_another_encoder_or_dimension_are_named() -> None:
    found = of_one_model(["e", "other", "e"], [384, 384, 12], ["a", "b", "c"], "e", 384)
    assert found.problem == "2 of 3 vectors are of another model"
    assert found.evidence["ids"] == ["b", "c"]
    assert of_one_model(["e"], [384], ["a"], "e", 384).problem is None
