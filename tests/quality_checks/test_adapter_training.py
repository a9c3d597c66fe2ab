"""What a training set teaches: its positives come nearer, by weight and by grade, and what is judged is never pushed away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import islice

import numpy as np
import pytest

from quality_checks import adapter_training
from quality_checks.adapter_training import Examples, examples_of, trained
from quality_checks.judged_queries import JudgedQuery
from quality_checks.passages_in_memory import PassagesInMemory, Vectors, passages_in_memory
from search_index.adapter import adapter_of
from search_index.engine.embedded import EmbeddedEngine
from tests.search_index.engine.points import INDEX, Passage, passages, published, vector_of

PARTS = [Passage("long.md", f"part {number} of a long document", ordinal=number) for number in range(4)]
CORPUS = [*passages(80), *PARTS]


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PassagesInMemory]:
    engine = EmbeddedEngine(tmp_path_factory.mktemp("index"))
    published(engine, None, 1, CORPUS)
    with closing(engine.open(INDEX, 1)) as reader:
        yield passages_in_memory(reader, 1, "default", frozenset({"everyone"}))


def position(held: PassagesInMemory, passage: Passage) -> int:
    return held.ids.index(passage.point(1))


def judged(held: PassagesInMemory, text: str, graded: list[tuple[Passage, int]], weight: float = 1.0) -> JudgedQuery:
    qrels = {passage.uri: grade for passage, grade in graded}
    units = {at: (passage.uri,) for passage, _ in graded for at in held.by_document[passage.document]}
    return JudgedQuery(f"set/{text}", text, weight, qrels, False, units)


def learned(examples: Examples, rounds: int = 4) -> Vectors:
    *_, matrix = islice(trained(examples, 1), rounds)
    return adapter_of(matrix).apply(examples.queries)


def test_of_a_long_document_the_nearest_passage_is_to_come_first_and_no_other_is_pushed_away(held: PassagesInMemory) -> None:
    examples = examples_of(held, [judged(held, PARTS[2].text, [(PARTS[0], 2), (CORPUS[0], 1)])], vector_of, seed=1)
    assert sorted(examples.positives[0].tolist()) == sorted([position(held, PARTS[2]), position(held, CORPUS[0])])
    assert sorted(examples.judged[0].tolist()) == sorted([*(position(held, part) for part in PARTS), position(held, CORPUS[0])])
    graded = dict(zip(examples.positives[0].tolist(), examples.grades[0].tolist(), strict=True))
    assert graded == {position(held, PARTS[2]): 2.0, position(held, CORPUS[0]): 1.0}


def test_positives_come_nearer_and_the_higher_grade_nearest(held: PassagesInMemory) -> None:
    queries = [judged(held, f"question {at}", [(CORPUS[at], 3), (CORPUS[at + 40], 1)]) for at in range(30)]
    examples = examples_of(held, queries, vector_of, seed=1)
    high, low = (np.stack([vector_of(CORPUS[at + shift].text) for at in range(30)]) for shift in (0, 40))
    moved = learned(examples)
    assert (moved * high).sum(axis=1).mean() > (examples.queries * high).sum(axis=1).mean() + 0.1
    assert (moved * high).sum(axis=1).mean() > (moved * low).sum(axis=1).mean()


def test_where_two_sets_disagree_the_one_of_higher_weight_is_followed(held: PassagesInMemory) -> None:
    heavy = [judged(held, f"question {at}", [(CORPUS[at], 1)]) for at in range(30)]
    light = [judged(held, f"question {at}", [(CORPUS[at + 40], 1)], weight=0.05) for at in range(30)]
    moved = learned(examples_of(held, [*heavy, *light], vector_of, seed=1))[:30]
    wanted, other = (np.stack([vector_of(CORPUS[at + shift].text) for at in range(30)]) for shift in (0, 40))
    assert (moved * wanted).sum(axis=1).mean() > (moved * other).sum(axis=1).mean() + 0.1


def test_of_too_many_passages_a_sample_stands_for_the_negatives_and_every_judged_one_is_in_it(
    held: PassagesInMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter_training, "MOST_NEGATIVES", 10)
    queries = [judged(held, f"question {at}", [(CORPUS[at], 1)]) for at in range(15)]
    examples = examples_of(held, queries, vector_of, seed=1)
    assert 15 <= len(examples.passages) <= 25
    for at, positives in enumerate(examples.positives):
        assert np.allclose(examples.passages[positives[0]], vector_of(CORPUS[at].text), atol=1e-6)
    same = examples_of(held, queries, vector_of, seed=1)
    assert np.array_equal(examples.passages, same.passages)


def test_the_same_seed_gives_the_same_bytes_however_many_threads_there_are(held: PassagesInMemory) -> None:
    import torch

    examples = examples_of(held, [judged(held, f"question {at}", [(CORPUS[at], 1)]) for at in range(30)], vector_of, seed=1)
    before = torch.get_num_threads()
    first = next(trained(examples, 1))
    torch.set_num_threads(before + 1)
    try:
        second = next(trained(examples, 1))
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)
    assert first.tobytes() == second.tobytes()
    assert first.tobytes() != next(trained(examples, 2)).tobytes()
