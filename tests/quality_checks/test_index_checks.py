"""The checks on a staged index, each shown an index with exactly the defect it is for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from quality_checks.arm_checks import (
    Staged,
    dense_arm_complete,
    dense_finds_itself,
    dense_recall,
    sparse_agrees_with_rank_bm25,
    sparse_arm_complete,
    terms_are_the_texts,
)
from quality_checks.finding import Finding
from quality_checks.index_checks import ExpectedChunk, access_on_every_point, payloads_exact, reconciled
from search_index.engine.embedded import EmbeddedEngine
from search_index.engine.interface import Ids, IndexReader, Payload, Scored, Vector, Visibility
from search_index.errors import NotFound
from search_index.model.document import sha256
from search_index.model.search import EVERYONE
from search_index.model.tenant import DEFAULT_TENANT
from tests.search_index.engine.points import INDEX, passages, published, vector_of

SEEN = Visibility(1, DEFAULT_TENANT, frozenset({EVERYONE}))
PASSAGES = passages(30)


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[IndexReader]:
    engine = EmbeddedEngine(tmp_path)
    published(engine, None, 1, PASSAGES)
    opened = engine.open(INDEX, 1)
    yield opened
    opened.close()


def staged(reader: IndexReader) -> Staged:
    return Staged(reader, 1, SEEN.groups, reader.ledger(), reader.ledger())


def expected() -> dict[str, ExpectedChunk]:
    return {
        p.chunk: ExpectedChunk(sha256(p.text), p.access, p.source, p.tenant, p.document, p.ordinal, p.ordinal + len(p.text), sha256(p.text))
        for p in PASSAGES
    }


def of_tables(keys: Sequence[str]) -> Mapping[str, memoryview]:
    return {sha256(p.text): memoryview(vector_of(p.text).tobytes()) for p in PASSAGES if sha256(p.text) in keys}


class Lying:
    """A reader that answers as the real one does, but for what a test makes it say."""

    def __init__(self, reader: IndexReader, **lies: object) -> None:
        self._reader, self._lies = reader, lies

    def __getattr__(self, name: str) -> object:
        return self._lies.get(name) or getattr(self._reader, name)


def lying(reader: IndexReader, **lies: object) -> Staged:
    return replace(staged(reader), reader=Lying(reader, **lies))  # type: ignore[arg-type]


CHECKS: dict[str, Callable[[Staged], Finding]] = {
    "reconciled": lambda s: reconciled(s.current, expected(), s.reader.count(SEEN)),
    "access": lambda s: access_on_every_point(s.current),
    "payloads": lambda s: payloads_exact(s, expected()),
    "dense arm": lambda s: dense_arm_complete(s, of_tables),
    "dense itself": dense_finds_itself,
    "dense recall": dense_recall,
    "sparse arm": sparse_arm_complete,
    "terms": terms_are_the_texts,
    "rank-bm25": sparse_agrees_with_rank_bm25,
}


@pytest.mark.parametrize("check", CHECKS)
def test_a_whole_index_passes_every_check(reader: IndexReader, check: str) -> None:
    assert CHECKS[check](staged(reader)).problem is None


def test_missing_unexpected_and_different_chunks_are_told_apart(reader: IndexReader) -> None:
    ledger, wanted = reader.ledger(), expected()
    first, second = sorted(wanted)[:2]
    wanted["00000000-0000-0000-0000-000000000000"] = wanted.pop(first)
    wanted[second] = replace(wanted[second], vector_key="another vector")
    found = reconciled(ledger, wanted, ledger.num_rows)
    assert found.problem == "1 chunks are missing; 1 chunks are unexpected; 1 chunks are different"
    assert found.evidence["unexpected"] == [first]
    assert found.evidence["different"] == [second]


def test_narrowed_access_is_a_difference(reader: IndexReader) -> None:
    ledger = reader.ledger()
    wanted = {chunk: replace(e, access=("staff",)) for chunk, e in expected().items()}
    assert reconciled(ledger, wanted, ledger.num_rows).problem == f"{ledger.num_rows} chunks are different"


def test_points_that_cannot_be_searched_are_counted(reader: IndexReader) -> None:
    ledger = reader.ledger()
    assert "can be searched" in str(reconciled(ledger, expected(), ledger.num_rows - 1).problem)


def test_a_chunk_that_stands_twice_is_found(reader: IndexReader) -> None:
    ledger = reader.ledger()
    twice = pa.concat_tables([ledger, ledger.slice(0, 1)])
    assert "1 chunks stand twice" in str(reconciled(twice, expected(), ledger.num_rows).problem)


def test_points_without_groups_are_named(reader: IndexReader) -> None:
    ledger = reader.ledger()
    access = ledger["access"].to_pylist()
    access[3] = []
    at = ledger.schema.get_field_index("access")
    bare = ledger.set_column(at, ledger.schema.field(at), pa.array(access, ledger.schema.field(at).type))
    found = access_on_every_point(bare)
    assert found.problem == f"1 of {ledger.num_rows} points name no group"
    assert found.evidence["ids"] == [ledger["chunk_id"][3].as_py()]


@pytest.mark.parametrize("told", [{"text": "something else"}, {"access": ["staff"]}, {"access": []}, {"start": 7}, {"document_id": "x"}])
def test_a_payload_that_says_something_else_is_named(reader: IndexReader, told: Payload) -> None:
    odd = PASSAGES[4].point(1)

    def altered(points: list[str]) -> dict[str, Payload]:
        return {p: payload | (told if p == odd else {}) for p, payload in reader.payloads(points).items()}

    found = payloads_exact(lying(reader, payloads=altered), expected())
    assert found.problem == "1 of 30 points say something else than the tables"
    assert found.evidence["ids"] == [odd]


def test_a_point_that_lacks_its_vector_and_one_that_has_anothers_are_named(reader: IndexReader) -> None:
    missing, swapped, other = (PASSAGES[n].point(1) for n in (2, 5, 6))

    def altered(points: list[str]) -> Vector:
        if missing in points:
            raise NotFound("1 point is not there.")
        stored = dict(zip(points, reader.vectors(points), strict=True))
        return np.stack([reader.vectors([other])[0] if p == swapped else stored[p] for p in points])

    found = dense_arm_complete(lying(reader, vectors=altered), of_tables)
    assert found.problem == "2 of 30 points have no vector, or another than the tables"
    assert found.evidence["ids"] == sorted([missing, swapped])


def test_a_point_that_the_sparse_arm_does_not_hold_is_named(reader: IndexReader) -> None:
    gone = PASSAGES[9].point(1)

    def without(ids: Ids, weights: Vector, visibility: Visibility, limit: int) -> Scored:
        found = reader.sparse(ids, weights, visibility, limit)
        kept = [at for at, point in enumerate(found.ids) if point != gone]
        return Scored([found.ids[at] for at in kept], found.scores[kept])

    found = sparse_arm_complete(lying(reader, sparse=without))
    assert found.problem == "1 of 30 points are not found by their own terms"
    assert found.evidence["ids"] == [gone]


def test_terms_of_another_text_are_named(reader: IndexReader) -> None:
    odd = PASSAGES[1].point(1)

    def altered(points: list[str]) -> dict[str, Payload]:
        return {p: payload | ({"text": "quite another text"} if p == odd else {}) for p, payload in reader.payloads(points).items()}

    assert terms_are_the_texts(lying(reader, payloads=altered)).evidence["ids"] == [odd]


def test_other_term_weights_do_not_agree_with_rank_bm25(reader: IndexReader) -> None:
    def halved(ids: Ids, weights: Vector, points: list[str]) -> Vector:
        return reader.sparse_scores(ids, weights, points) * np.float32(0.5)

    assert sparse_agrees_with_rank_bm25(lying(reader, sparse_scores=halved)).problem


def test_an_arm_that_misses_the_best_does_not_agree_either(reader: IndexReader) -> None:
    def without_the_first(ids: Ids, weights: Vector, visibility: Visibility, limit: int) -> Scored:
        found = reader.sparse(ids, weights, visibility, limit + 1)
        return Scored(found.ids[1:], found.scores[1:])

    assert sparse_agrees_with_rank_bm25(lying(reader, sparse=without_the_first)).problem


def test_statistics_of_fewer_points_do_not_agree_with_rank_bm25(reader: IndexReader) -> None:
    """The terms are counted in every point, not only in those that rank-bm25 is given."""
    ledger = reader.ledger()
    part = replace(staged(reader), current=ledger.slice(0, 10), changed=ledger.slice(0, 10))
    assert sparse_agrees_with_rank_bm25(part).problem


def test_vectors_that_find_something_else_are_lost(reader: IndexReader) -> None:
    def reversed_vectors(points: list[str]) -> Vector:
        return -np.asarray(reader.vectors(points))

    found = dense_finds_itself(lying(reader, vectors=reversed_vectors))
    assert "not found by their own vector" in str(found.problem)


def test_an_arm_that_misses_near_points_has_too_little_recall(reader: IndexReader) -> None:
    def every_second(vector: Vector, visibility: Visibility, limit: int) -> Scored:
        found = reader.dense(vector, visibility, 2 * limit)
        return Scored(found.ids[::2], found.scores[::2])

    found = dense_recall(lying(reader, dense=every_second))
    assert found.evidence["recall@10"] == pytest.approx(0.5)
    assert found.problem == "the dense arm finds 50.0% of the ten nearest"
