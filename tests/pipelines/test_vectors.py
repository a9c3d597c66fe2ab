"""Embedding what has no vector yet: each text once, in portions, and after a kill to the same bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pipelines.embedding_model.export import export_model, resolve_model
from pipelines.vectors import embed_missing
from search_index.embedding import Encoder
from search_index.settings import DEFAULT_MODEL

TEXTS = {f"key{n:02}": f"passage {n} on " + "gates and releases " * (n % 5) for n in range(25)}


class Store:
    """Takes flushes into memory; loses power before the flush numbered ``fails_at``."""

    def __init__(self, fails_at: int = -1) -> None:
        self.vectors: dict[str, bytes] = {}
        self.sizes: list[int] = []
        self.fails_at = fails_at

    def flush(self, keys: list[str], vectors: NDArray[np.float32]) -> None:
        if len(self.sizes) == self.fails_at:
            raise OSError("power lost")
        assert vectors.shape == (len(keys), 384)
        self.sizes.append(len(keys))
        self.vectors.update({key: row.tobytes() for key, row in zip(keys, vectors, strict=True)})


@pytest.fixture(scope="module")
def encoder(models_dir: Path) -> Encoder:
    return Encoder.load(export_model(resolve_model(DEFAULT_MODEL), models_dir), threads=2)


def test_only_what_is_missing_is_embedded_in_portions(encoder: Encoder) -> None:
    store, steps = Store(), list[int]()
    have = {"key03", "key20", "of another source"}
    report = embed_missing(TEXTS, have, encoder, store.flush, flush_every=10, progress=steps.append)
    assert store.vectors.keys() == TEXTS.keys() - have
    assert store.sizes == [10, 10, 3]
    assert (report.embedded, report.reused, sum(steps)) == (23, 2, 23)
    assert report.cpu_s > 0
    assert report.wall_s > 0


def test_a_killed_run_goes_on_where_it_stopped_and_ends_in_the_same_bytes(encoder: Encoder) -> None:
    whole, broken = Store(), Store(fails_at=2)
    embed_missing(TEXTS, set(), encoder, whole.flush)
    with pytest.raises(OSError, match="power lost"):
        embed_missing(TEXTS, set(), encoder, broken.flush, flush_every=7)
    assert len(broken.vectors) == 14
    broken.fails_at = -1
    report = embed_missing(TEXTS, broken.vectors.keys(), encoder, broken.flush, flush_every=3)
    assert (report.embedded, report.reused) == (11, 14)
    assert broken.vectors == whole.vectors


def test_equal_texts_are_embedded_once_and_every_key_gets_the_vector(encoder: Encoder) -> None:
    store, steps = Store(), list[int]()
    texts = {"a": "same", "b": "other", "c": "same", "d": "same"}
    report = embed_missing(texts, set(), encoder, store.flush, flush_every=1, progress=steps.append)
    assert (report.embedded, report.reused, sum(steps)) == (2, 2, 4)
    assert store.vectors["a"] == store.vectors["c"] == store.vectors["d"] == encoder.encode(["same"])[0].tobytes()
    assert store.vectors["b"] == encoder.encode(["other"])[0].tobytes()


def test_nothing_missing_is_nothing_done(encoder: Encoder) -> None:
    store = Store()
    report = embed_missing(TEXTS, TEXTS.keys(), encoder, store.flush)
    assert (report.embedded, report.reused, store.sizes) == (0, 25, [])
