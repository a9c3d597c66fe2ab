"""A cross-encoder is kept by the hash of its files, and only the one that a release was signed with is ever loaded."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from search_index.cross_encoder import (
    check_reranker,
    folder_digest,
    load_reranker,
    prune_rerankers,
    store_reranker,
    unpinned_rerankers,
)
from search_index.errors import HomeDamaged, ReleaseUntrusted, WrongUsage
from tests.search_index.tiny_reranker import tiny_reranker

QUERY = "how is a release rolled back"
TEXTS = [
    "rollback",
    "a release is rolled back by moving the pointer",
    "otters hunt eels",
    "the kiln burns limestone " * 40,
    *("x" * n for n in range(1, 40)),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_reranker(tmp_path_factory.mktemp("models") / "tiny-reranker")


@pytest.fixture(scope="module")
def stored(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    into = tmp_path_factory.mktemp("home") / "rerankers"
    return into, store_reranker(folder, into)


def test_scores_are_probabilities_that_depend_on_query_and_text_alone(stored: tuple[Path, str]) -> None:
    reranker = load_reranker(*stored)
    together = reranker.scores(QUERY, TEXTS)
    assert together.shape == (len(TEXTS),)
    assert together.dtype == np.float64
    assert ((together > 0) & (together < 1)).all()
    assert len(set(together.tolist())) > len(TEXTS) // 2
    assert [reranker.scores(QUERY, [text])[0] for text in TEXTS] == together.tolist()
    assert reranker.scores("another question", TEXTS).tolist() != together.tolist()
    assert reranker.scores(QUERY, []).shape == (0,)


def test_the_scores_are_those_of_sentence_transformers(folder: Path, stored: tuple[Path, str]) -> None:
    from sentence_transformers import CrossEncoder

    theirs = CrossEncoder(str(folder), device="cpu").predict([(QUERY, text) for text in TEXTS])
    assert np.allclose(load_reranker(*stored).scores(QUERY, TEXTS), theirs, atol=1e-4)


def test_threads_may_share_it(stored: tuple[Path, str]) -> None:
    reranker = load_reranker(*stored)
    alone = reranker.scores(QUERY, TEXTS).tolist()
    with ThreadPoolExecutor(8) as threads:
        assert all(scores.tolist() == alone for scores in threads.map(lambda _: reranker.scores(QUERY, TEXTS), range(16)))


def test_a_folder_is_kept_once_and_without_what_is_not_read(folder: Path, tmp_path: Path) -> None:
    given = Path(shutil.copytree(folder, tmp_path / "given"))
    into = tmp_path / "rerankers"
    (into / ".partial-of-a-killed-run").mkdir(parents=True)
    digest = store_reranker(given, into)
    assert digest == folder_digest(folder)
    inode = (into / digest / "config.json").stat().st_ino
    (given / ".gitattributes").write_text("*.bin lfs")
    (given / "onnx").mkdir()
    (given / "onnx" / "model.onnx").write_bytes(b"graph")
    assert store_reranker(given, into) == digest
    assert (into / digest / "config.json").stat().st_ino == inode
    assert [path.name for path in into.iterdir()] == [digest]
    (given / "config.json").write_text(json.dumps(json.loads((given / "config.json").read_text()) | {"more": 1}))
    assert store_reranker(given, into) != digest
    assert len(list(into.iterdir())) == 2


def test_a_damaged_copy_is_replaced(folder: Path, tmp_path: Path) -> None:
    digest = store_reranker(folder, tmp_path)
    (tmp_path / digest / "config.json").write_text("{}")
    assert store_reranker(folder, tmp_path) == digest
    assert folder_digest(tmp_path / digest) == digest
    assert [path.name for path in tmp_path.iterdir()] == [digest]


def test_what_is_missing_or_altered_is_not_loaded(stored: tuple[Path, str], tmp_path: Path) -> None:
    into, digest = stored
    with pytest.raises(HomeDamaged, match=digest) as missing:
        load_reranker(tmp_path, digest)
    assert missing.value.remedy
    kept = Path(shutil.copytree(into / digest, tmp_path / digest))
    weights = kept / "model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ReleaseUntrusted, match=digest):
        load_reranker(tmp_path, digest)
    weights.write_bytes(content)
    (kept / "modules.json").write_text("[]")  # a file more would be loaded, too
    with pytest.raises(ReleaseUntrusted, match=digest):
        load_reranker(tmp_path, digest)


def test_what_is_no_reranker_is_refused_with_a_remedy_and_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    into = tmp_path / "rerankers"

    def refused(given: Path) -> str:
        with pytest.raises(WrongUsage) as error:
            store_reranker(given, into)
        assert str(given) in error.value.what
        assert "PLUMBLINE_RERANKER" in error.value.remedy
        assert not into.exists() or list(into.iterdir()) == []
        return error.value.what

    assert "is not there" in refused(tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    assert "config.json" in refused(tmp_path / "empty")
    embedding = Path(shutil.copytree(folder, tmp_path / "embedding"))
    config = json.loads((folder / "config.json").read_text())
    (embedding / "config.json").write_text(json.dumps(config | {"architectures": ["BertModel"]}))
    assert "no cross-encoder" in refused(embedding)
    with pytest.raises(WrongUsage):
        check_reranker(embedding)
    assert "3 scores" in refused(tiny_reranker(tmp_path / "three", labels=3))
    torn = Path(shutil.copytree(folder, tmp_path / "torn"))
    (torn / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:100])
    assert "cannot be used" in refused(torn)


def test_rerankers_that_nobody_pins_are_removed(folder: Path, tmp_path: Path) -> None:
    kept = store_reranker(folder, tmp_path)
    gone = store_reranker(tiny_reranker(tmp_path.parent / "other", seed=1), tmp_path)
    sizes = unpinned_rerankers(tmp_path, {kept})
    assert list(sizes) == [gone]
    assert sizes[gone] > 1000
    assert prune_rerankers(tmp_path, {kept}) == [gone]
    assert [path.name for path in tmp_path.iterdir()] == [kept]
    assert prune_rerankers(tmp_path / "absent", set()) == []
