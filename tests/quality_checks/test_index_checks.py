"""The checks on a staged index, each shown an index with exactly the defect it is for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from quality_checks.index_checks import (
    ExpectedChunk,
    access_on_every_point,
    dense_finds_itself,
    reconciled,
    sparse_agrees_with_rank_bm25,
)
from search_index.engine.embedded import EmbeddedEngine
from search_index.engine.interface import Ids, IndexReader, Scored, Vector, Visibility
from search_index.model.search import EVERYONE
from tests.search_index.engine.points import INDEX, passages, published

SEEN = Visibility(1, frozenset({EVERYONE}))


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[IndexReader]:
    engine = EmbeddedEngine(tmp_path)
    published(engine, None, 1, passages(30))
    opened = engine.open(INDEX, 1)
    yield opened
    opened.close()


def expected(ledger: pa.Table) -> dict[str, ExpectedChunk]:
    return {row["chunk_id"]: ExpectedChunk(row["vector_key"], tuple(row["access"])) for row in ledger.to_pylist()}


class Lying:
    """A reader that answers as the real one does, but for what a test makes it say."""

    def __init__(self, reader: IndexReader, **lies: object) -> None:
        self._reader, self._lies = reader, lies

    def __getattr__(self, name: str) -> object:
        return self._lies.get(name) or getattr(self._reader, name)


def test_a_whole_index_passes_every_check(reader: IndexReader) -> None:
    ledger = reader.ledger()
    assert reconciled(ledger, expected(ledger), reader.count(SEEN)).problem is None
    assert access_on_every_point(ledger).problem is None
    assert sparse_agrees_with_rank_bm25(ledger, reader, SEEN).problem is None
    assert dense_finds_itself(ledger, reader, SEEN).problem is None


def test_missing_unexpected_and_different_chunks_are_told_apart(reader: IndexReader) -> None:
    ledger = reader.ledger()
    wanted = expected(ledger)
    first, second = sorted(wanted)[:2]
    wanted["00000000-0000-0000-0000-000000000000"] = wanted.pop(first)
    wanted[second] = ExpectedChunk("another vector", wanted[second].access)
    found = reconciled(ledger, wanted, ledger.num_rows)
    assert found.problem == "1 chunks are missing; 1 chunks are unexpected; 1 chunks are different"
    assert found.evidence["unexpected"] == [first]
    assert found.evidence["different"] == [second]


def test_narrowed_access_is_a_difference(reader: IndexReader) -> None:
    ledger = reader.ledger()
    wanted = {chunk: ExpectedChunk(e.vector_key, ("staff",)) for chunk, e in expected(ledger).items()}
    assert reconciled(ledger, wanted, ledger.num_rows).problem == f"{ledger.num_rows} chunks are different"


def test_points_that_cannot_be_searched_are_counted(reader: IndexReader) -> None:
    ledger = reader.ledger()
    assert "can be searched" in str(reconciled(ledger, expected(ledger), ledger.num_rows - 1).problem)


def test_a_chunk_that_stands_twice_is_found(reader: IndexReader) -> None:
    ledger = reader.ledger()
    twice = pa.concat_tables([ledger, ledger.slice(0, 1)])
    assert "1 chunks stand twice" in str(reconciled(twice, expected(ledger), ledger.num_rows).problem)


def test_points_without_groups_are_named(reader: IndexReader) -> None:
    ledger = reader.ledger()
    access = ledger["access"].to_pylist()
    access[3] = []
    at = ledger.schema.get_field_index("access")
    bare = ledger.set_column(at, ledger.schema.field(at), pa.array(access, ledger.schema.field(at).type))
    found = access_on_every_point(bare)
    assert found.problem == f"1 of {ledger.num_rows} points name no group"
    assert found.evidence["ids"] == [ledger["chunk_id"][3].as_py()]


def test_other_term_weights_do_not_agree_with_rank_bm25(reader: IndexReader) -> None:
    def halved(ids: Ids, weights: Vector, points: list[str]) -> Vector:
        return reader.sparse_scores(ids, weights, points) * np.float32(0.5)

    assert sparse_agrees_with_rank_bm25(reader.ledger(), Lying(reader, sparse_scores=halved), SEEN).problem  # type: ignore[arg-type]


def test_an_arm_that_misses_the_best_does_not_agree_either(reader: IndexReader) -> None:
    def without_the_first(ids: Ids, weights: Vector, visibility: Visibility, limit: int) -> Scored:
        found = reader.sparse(ids, weights, visibility, limit + 1)
        return Scored(found.ids[1:], found.scores[1:])

    assert sparse_agrees_with_rank_bm25(reader.ledger(), Lying(reader, sparse=without_the_first), SEEN).problem  # type: ignore[arg-type]


def test_vectors_that_find_something_else_are_lost(reader: IndexReader) -> None:
    def reversed_vectors(points: list[str]) -> Vector:
        return -np.asarray(reader.vectors(points))

    found = dense_finds_itself(reader.ledger(), Lying(reader, vectors=reversed_vectors), SEEN)  # type: ignore[arg-type]
    assert "not found by their own vector" in str(found.problem)
