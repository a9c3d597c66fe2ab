"""A directory is opened once for all who read it, and closed with the last of them."""

from __future__ import annotations

import os
import shutil
from contextlib import closing
from pathlib import Path

import pytest

from search_index.engine.embedded import EmbeddedEngine
from search_index.engine.embedded_reader import EmbeddedReader
from search_index.errors import HomeDamaged
from tests.search_index.engine.points import INDEX, passages, published, seen_at, vector_of


@pytest.fixture
def engine(tmp_path: Path) -> EmbeddedEngine:
    return EmbeddedEngine(tmp_path / "index")


@pytest.fixture
def folder(engine: EmbeddedEngine, tmp_path: Path) -> Path:
    published(engine, None, 1, passages(40))
    return tmp_path / "index" / INDEX / "r0000001"


def directories_open() -> int:
    links = (os.readlink(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{number}"))
    return sum(link.endswith("r0000001") for link in links)


def opened(engine: EmbeddedEngine) -> EmbeddedReader:
    reader = engine.open(INDEX, 1)
    assert isinstance(reader, EmbeddedReader)
    return reader


def test_who_reads_the_same_directory_shares_what_was_loaded_until_the_last_is_done(engine: EmbeddedEngine, folder: Path) -> None:
    one, other = opened(engine), opened(engine)
    assert one._directory is other._directory
    one.close()
    one.close()  # which is not the other's
    with pytest.raises(HomeDamaged, match="was closed"):
        one.count(seen_at(1))
    assert other.count(seen_at(1)) == 40
    assert other.dense(vector_of("one"), seen_at(1), 3).ids
    assert directories_open() == 1
    other.close()
    assert directories_open() == 0
    with closing(opened(engine)) as anew:
        assert anew._directory is not other._directory
        assert anew.count(seen_at(1)) == 40


def test_a_folder_in_the_place_of_another_is_opened_anew(engine: EmbeddedEngine, folder: Path) -> None:
    with closing(opened(engine)) as before:
        shutil.copytree(folder, folder.with_name("copy"))
        shutil.rmtree(folder)
        folder.with_name("copy").rename(folder)
        with closing(opened(engine)) as after:
            assert after._directory is not before._directory
            assert after.count(seen_at(1)) == before.count(seen_at(1)) == 40


def test_what_was_damaged_since_is_noticed_though_it_is_open(engine: EmbeddedEngine, folder: Path) -> None:
    with closing(opened(engine)) as reader:
        content = bytearray((folder / "points.arrow").read_bytes())
        content[len(content) // 2] ^= 0xFF
        (folder / "damaged").write_bytes(content)
        (folder / "damaged").rename(folder / "points.arrow")  # what is mapped stays as it was
        with pytest.raises(HomeDamaged, match=r"points\.arrow|ledger"):
            opened(engine)
        assert reader.count(seen_at(1)) == 40


def test_a_directory_that_cannot_be_opened_leaves_nothing_open(engine: EmbeddedEngine, folder: Path) -> None:
    shutil.rmtree(folder / "shard" / "segments")
    with pytest.raises(HomeDamaged, match="no segments"):
        opened(engine)
    assert directories_open() == 0
