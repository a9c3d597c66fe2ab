"""A query adapter moves queries, not passages; and only the one that a release was signed with is ever used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from search_index.adapter import QueryAdapter, adapter_of, load_adapter, prune_adapters, save_adapter
from search_index.engine.embedded import EmbeddedEngine
from search_index.engine.interface import IndexReader, Vector
from search_index.errors import HomeDamaged, ModelMismatch, PlumblineError, ReleaseUntrusted
from search_index.fusion import Feedback, Ranking
from search_index.model.search import Mode, Principal
from search_index.searcher import Searcher
from tests.search_index.engine.points import DIMENSION, INDEX, Passage, passages, published, vector_of

ASKED, MEANT = "what people call it", "golden ledger of the bank"
CORPUS = [Passage("ledger.md", MEANT), Passage("other.md", "vacuum cleaner"), *passages(40)]


class Encoder:
    def encode_query(self, text: str) -> Vector:
        return vector_of(text)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IndexReader]:
    engine = EmbeddedEngine(tmp_path_factory.mktemp("index"))
    published(engine, None, 1, CORPUS)
    with closing(engine.open(INDEX, 1)) as opened:
        yield opened


@pytest.fixture(scope="module")
def adapter() -> QueryAdapter:
    """Turns the question into its answer, and leaves what is at a right angle to it alone."""
    asked, meant = vector_of(ASKED), vector_of(MEANT)
    return adapter_of((np.eye(DIMENSION) + np.outer(asked, meant - asked)).astype(np.float32))


def found(searcher: Searcher, query: str, mode: Mode) -> list[tuple[str, float]]:
    return searcher.rank_documents(query, mode, 1, Principal())


@pytest.mark.parametrize("mode", ["dense", "hybrid"])
def test_an_adapter_moves_the_query_of_the_dense_arm(reader: IndexReader, adapter: QueryAdapter, mode: Mode) -> None:
    plain = found(Searcher(reader, Encoder(), Ranking(feedback=None)), ASKED, mode)
    adapted = found(Searcher(reader, Encoder(), Ranking(feedback=None, adapter=adapter.sha256), adapter), ASKED, mode)
    assert plain[0][0] != "manual:ledger.md"
    assert adapted[0][0] == "manual:ledger.md"
    assert adapted[0][1] == pytest.approx(1.0 if mode == "dense" else 0.5, abs=1e-5)


def test_the_sparse_arm_and_stored_vectors_are_left_alone(reader: IndexReader, adapter: QueryAdapter) -> None:
    plain, adapted = Searcher(reader, Encoder(), Ranking()), Searcher(reader, Encoder(), Ranking(adapter=adapter.sha256), adapter)
    assert found(plain, "golden ledger", "sparse") == found(adapted, "golden ledger", "sparse")
    moved = Ranking(adapter=adapter.sha256, feedback=Feedback(top=1, share=0.99))
    # Feedback takes the centroid of passages as they are stored: moved by nearly all of it, the query is the best passage itself.
    assert found(Searcher(reader, Encoder(), moved, adapter), ASKED, "hybrid")[0][0] == "manual:ledger.md"


def test_the_identity_changes_no_ranking(reader: IndexReader) -> None:
    identity = adapter_of(np.eye(DIMENSION, dtype=np.float32))
    plain = found(Searcher(reader, Encoder(), Ranking()), "golden release", "hybrid")
    adapted = found(Searcher(reader, Encoder(), Ranking(adapter=identity.sha256), identity), "golden release", "hybrid")
    assert [uri for uri, _ in adapted] == [uri for uri, _ in plain]


def test_vectors_keep_their_length_and_one_that_vanishes_stays_as_it_was() -> None:
    adapter = adapter_of(np.diag([3.0, 0.0]).astype(np.float32))
    assert adapter.apply(np.array([0.6, 0.8], np.float32)).tolist() == pytest.approx([1.0, 0.0])
    assert adapter.apply(np.array([0.0, 1.0], np.float32)).tolist() == [0.0, 1.0]
    assert adapter.apply(np.array([[0.6, 0.8], [0.0, 1.0]], np.float32)).tolist() == [pytest.approx([1.0, 0.0]), [0.0, 1.0]]


def test_a_saved_adapter_is_the_one_that_is_loaded(tmp_path: Path, adapter: QueryAdapter) -> None:
    path = save_adapter(tmp_path / "adapters", adapter)
    assert path.name == f"{adapter.sha256}.npy"
    assert save_adapter(tmp_path / "adapters", adapter) == path
    loaded = load_adapter(path.parent, adapter.sha256, DIMENSION)
    assert loaded.sha256 == adapter.sha256
    assert np.array_equal(loaded.matrix, adapter.matrix)
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_what_is_missing_altered_or_of_another_size_is_not_loaded(tmp_path: Path, adapter: QueryAdapter) -> None:
    path = save_adapter(tmp_path, adapter)

    def refused() -> type[PlumblineError]:
        with pytest.raises(PlumblineError) as error:
            load_adapter(tmp_path, adapter.sha256, DIMENSION)
        assert str(path) in error.value.what
        assert error.value.remedy
        return type(error.value)

    with pytest.raises(ModelMismatch):
        load_adapter(tmp_path, adapter.sha256, DIMENSION + 1)
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert refused() is ReleaseUntrusted
    path.write_bytes(adapter_file(tmp_path, np.eye(DIMENSION, dtype=np.float32)))
    assert refused() is ReleaseUntrusted
    path.unlink()
    assert refused() is HomeDamaged


def adapter_file(folder: Path, matrix: Vector) -> bytes:
    return save_adapter(folder / "other", adapter_of(matrix)).read_bytes()


def test_a_ranking_is_not_asked_with_another_adapter_than_it_names(reader: IndexReader, adapter: QueryAdapter) -> None:
    identity = adapter_of(np.eye(DIMENSION, dtype=np.float32))
    for ranking, given in ((Ranking(adapter=adapter.sha256), None), (Ranking(), adapter), (Ranking(adapter=adapter.sha256), identity)):
        with pytest.raises(ReleaseUntrusted):
            Searcher(reader, Encoder(), ranking, given)


def test_adapters_that_nobody_pins_are_removed(tmp_path: Path, adapter: QueryAdapter) -> None:
    identity = adapter_of(np.eye(DIMENSION, dtype=np.float32))
    kept, gone = save_adapter(tmp_path, adapter), save_adapter(tmp_path, identity)
    assert prune_adapters(tmp_path, {adapter.sha256}) == [gone]
    assert kept.exists()
    assert not gone.exists()
    assert prune_adapters(tmp_path / "absent", set()) == []
