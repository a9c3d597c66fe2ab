"""The embedded engine on damaged directories and full disks: it says so, and leaves the head as it was."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import qdrant_edge as edge

from search_index.engine.embedded import EmbeddedEngine
from search_index.engine.interface import Delta
from search_index.engine.point_numbers import number_of
from search_index.errors import DiskFull, HomeDamaged
from search_index.model.tenant import DEFAULT_TENANT
from tests.search_index.engine.points import BM25, DIMENSION, INDEX, passages, published, seen_at, table, vector_of


@pytest.fixture
def engine(tmp_path: Path) -> EmbeddedEngine:
    return EmbeddedEngine(tmp_path / "indexes")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "indexes" / INDEX


def _empty(*paths: Path) -> None:
    for path in paths:
        path.write_bytes(b"")


def _remove(*paths: Path) -> None:
    for path in paths:
        shutil.rmtree(path) if path.is_dir() else path.unlink()


DAMAGES: dict[str, Callable[[Path], None]] = {
    "no about.json": lambda folder: _remove(folder / "about.json"),
    "an empty about.json": lambda folder: _empty(folder / "about.json"),
    "no ledger": lambda folder: _remove(folder / "points.arrow"),
    "an empty ledger": lambda folder: _empty(folder / "points.arrow"),
    "a ledger cut short": lambda folder: os.truncate(folder / "points.arrow", (folder / "points.arrow").stat().st_size - 200),
    "no shard": lambda folder: _remove(folder / "shard"),
    "no segments": lambda folder: _remove(folder / "shard" / "segments"),
    "no segment": lambda folder: _remove(*(folder / "shard" / "segments").iterdir()),
    "an empty configuration": lambda folder: _empty(folder / "shard" / "edge_config.json"),
    "empty segments": lambda folder: _empty(*folder.rglob("segment.json")),
    "no vectors": lambda folder: _remove(*folder.rglob("*.mmap")),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_directory_says_so(engine: EmbeddedEngine, folder: Path, damage: Callable[[Path], None]) -> None:
    published(engine, None, 1, passages(40))
    damage(folder / "r0000001")
    with pytest.raises(HomeDamaged) as damaged:
        engine.open(INDEX, 1)
    assert "r0000001" in damaged.value.what
    assert damaged.value.remedy


@pytest.mark.parametrize("lost", ["*-valid*", "*-access-*", "*-tenant-*"])
def test_a_lost_field_index_never_makes_answers_silently_empty(engine: EmbeddedEngine, folder: Path, lost: str) -> None:
    published(engine, None, 1, passages(40))
    found = list(folder.rglob(lost))
    assert found
    _remove(*found)
    try:
        reader = engine.open(INDEX, 1)
    except HomeDamaged:
        return
    with closing(reader):
        assert len(reader.dense(vector_of("x"), seen_at(1), 100).ids) == 40


def test_a_ledger_that_was_changed_is_not_opened(engine: EmbeddedEngine, folder: Path) -> None:
    published(engine, None, 1, passages(40))
    ledger = folder / "r0000001" / "points.arrow"
    content = ledger.read_bytes()
    ledger.write_bytes(content.replace(b"everyone", b"everyane", 1))
    with pytest.raises(HomeDamaged, match="not the one that was written"):
        engine.open(INDEX, 1)


def test_an_index_from_before_tenants_is_named_as_such(engine: EmbeddedEngine, folder: Path) -> None:
    published(engine, None, 1, passages(3))
    path = folder / "r0000001" / "about.json"
    about = json.loads(path.read_text())
    path.write_text(json.dumps({**{name: value for name, value in about.items() if name != "layout"}, "bm25": {"avgdl": 8.0}}))
    for ask in (lambda: engine.open(INDEX, 1), lambda: engine.stage(INDEX, 1, 2, Delta(table([], 2)), BM25, DIMENSION, None)):
        with pytest.raises(HomeDamaged, match="laid out in another way") as refused:
            ask()
        assert "new home" in refused.value.remedy


def test_damaged_statistics_say_so(engine: EmbeddedEngine, folder: Path) -> None:
    published(engine, None, 1, passages(40))
    (folder / "r0000001" / "statistics" / "1.npz").write_bytes(b"PK")
    with closing(engine.open(INDEX, 1)) as reader, pytest.raises(HomeDamaged, match="term statistics"):
        reader.statistics(1, DEFAULT_TENANT)


def test_a_missing_head_is_not_built_upon(engine: EmbeddedEngine, folder: Path) -> None:
    published(engine, None, 1, passages(40))
    shutil.rmtree(folder / "r0000001")
    with pytest.raises(HomeDamaged, match="r0000001"):
        engine.stage(INDEX, 1, 2, Delta(table([], 2)), BM25, DIMENSION, None)
    assert list(folder.iterdir()) == []


def test_verification_finds_points_that_are_not_what_the_ledger_says(engine: EmbeddedEngine, folder: Path) -> None:
    first = passages(40)
    published(engine, None, 1, first)
    shard = edge.EdgeShard.load(str(folder / "r0000001" / "shard"))
    shard.update(edge.UpdateOperation.set_payload([number_of(first[0].point(1))], {"text": "tampered"}))
    shard.update(edge.UpdateOperation.set_payload([number_of(first[1].point(1))], {"valid_to": 7}))
    turned = edge.PointVectors(number_of(first[2].point(1)), {"dense": vector_of("another").tolist()})
    shard.update(edge.UpdateOperation.update_vectors([turned]))
    shard.flush()
    shard.close()
    wrong = engine.verify(INDEX, 1)
    assert [sentence.partition(",")[0] for sentence in wrong] == [
        "1 points are of another payload", "1 points are of another vector", "1 points are of another validity",
    ]  # fmt: skip
    assert all(point.point(1) in sentence for point, sentence in zip((first[0], first[2], first[1]), wrong, strict=True))


def test_too_little_room_is_said_before_anything_is_copied(engine: EmbeddedEngine, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    published(engine, None, 1, passages(40))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 10**6))
    with pytest.raises(DiskFull, match=r"takes up to [\d.,]+ MB and 1\.0 MB are free"):
        engine.stage(INDEX, 1, 2, Delta(table(passages(3, seed=2), 2)), BM25, DIMENSION, None)
    assert [entry.name for entry in folder.iterdir()] == ["r0000001"]


def test_a_disk_that_fills_up_while_staging_leaves_nothing(engine: EmbeddedEngine, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    published(engine, None, 1, passages(40))

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "copy_file_range", full)
    with pytest.raises(DiskFull):
        engine.stage(INDEX, 1, 2, Delta(table(passages(3, seed=2), 2)), BM25, DIMENSION, None)
    assert [entry.name for entry in folder.iterdir()] == ["r0000001"]
