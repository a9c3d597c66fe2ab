"""The embedded engine: the conformance suite, and what is true of directories and processes."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from search_index.engine import directory
from search_index.engine.embedded import EmbeddedEngine
from search_index.engine.interface import Delta, Engine, Kept, Vector
from search_index.engine.shard import engine_errors
from search_index.errors import DiskFull, HomeDamaged
from search_index.fusion import best_first
from tests.conftest import ROOT
from tests.search_index.engine.conformance import EngineConformance
from tests.search_index.engine.points import BM25, DIMENSION, INDEX, Passage, passages, published, seen_at, sparse, table, vector_of

BUILD_FOR_EVER = """
import sys
from pathlib import Path
from search_index.engine.embedded import EmbeddedEngine
from search_index.engine.interface import Delta
from tests.search_index.engine.points import BM25, DIMENSION, INDEX, passages, table
engine = EmbeddedEngine(Path(sys.argv[1]))
added = table(passages(1500, seed=9), 2)
print("ready", flush=True)
while True:
    engine.stage(INDEX, 1, 2, Delta(added, [passages(40)[0].point(1)]), BM25, DIMENSION, None)
"""


@pytest.fixture
def engine(tmp_path: Path) -> EmbeddedEngine:
    return EmbeddedEngine(tmp_path / "indexes")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "indexes" / INDEX


class TestEmbedded(EngineConformance):
    @pytest.fixture
    def engine(self, tmp_path: Path) -> Engine:
        return EmbeddedEngine(tmp_path / "indexes")


@pytest.mark.slow
def test_a_builder_killed_at_any_moment_leaves_the_head_whole(engine: EmbeddedEngine, folder: Path) -> None:
    before = published(engine, None, 1, passages(40)).content
    for pause in (0.0, 0.05, 0.15, 0.3, 0.5):
        builder = subprocess.Popen([sys.executable, "-c", BUILD_FOR_EVER, str(folder.parent)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert builder.stdout is not None
        assert builder.stdout.readline() == "ready\n"
        time.sleep(pause)
        builder.send_signal(signal.SIGKILL)
        builder.wait()
        builder.stdout.close()
        with closing(engine.open(INDEX, 1)) as reader:
            assert (reader.content, reader.directory_revision, reader.count(seen_at(1))) == (before, 1, 40)
        left = [entry.name for entry in folder.iterdir() if entry.name != "r0000001"]
        assert len(engine.recover(kept({1}, 3))) == len(left)
        assert [entry.name for entry in folder.iterdir()] == ["r0000001"]
    assert engine.verify(INDEX, 1) == []
    published(engine, 1, 3, passages(5, seed=3))
    assert engine.verify(INDEX, 3) == []


def kept(published: set[int], reserves: int) -> Kept:
    every = frozenset((INDEX, revision) for revision in published)
    return Kept(every, every, reserves)


def test_an_index_that_no_kept_release_is_in_goes_whole(engine: EmbeddedEngine, folder: Path) -> None:
    published(engine, None, 1, passages(3))
    published(engine, 1, 2, passages(3, seed=2))
    other = engine.stage("another", None, 3, Delta(table(passages(3), 3)), BM25, DIMENSION, None)
    other.publish()
    every = frozenset({(INDEX, 1), (INDEX, 2), ("another", 3)})
    keep = Kept(every, frozenset({("another", 3)}), 2)
    assert [(each.index, each.revision) for each in engine.superseded(keep)] == [(INDEX, 1), (INDEX, 2)]
    assert all(each.size > 0 for each in engine.superseded(keep))
    assert len(engine.recover(keep)) == 2
    assert not folder.exists()
    with closing(engine.open("another", 3)) as reader:
        assert reader.count(seen_at(3)) == 3


def test_recovery_keeps_what_was_published_and_a_reserve(engine: EmbeddedEngine, folder: Path) -> None:
    for head, revision in ((None, 1), (1, 2), (2, 3), (3, 4)):
        published(engine, head, revision, passages(3, seed=revision))
    published(engine, 4, 5, passages(3, seed=5))  # renamed, and then the process died before the pointer moved
    engine.stage(INDEX, 4, 6, Delta(table([], 6)), BM25, DIMENSION, None)
    done = engine.recover(kept({1, 2, 3, 4}, 2))
    assert len(done) == 4
    assert sorted(entry.name for entry in folder.iterdir()) == ["r0000003", "r0000004"]
    with closing(engine.open(INDEX, 1)) as reader:
        assert reader.count(seen_at(1)) == 3
    assert engine.recover(kept({1, 2, 3, 4}, 2)) == []


def test_a_reader_in_another_process_sees_the_same(engine: EmbeddedEngine, folder: Path) -> None:
    published(engine, None, 1, passages(40))
    look = (
        "import sys; from pathlib import Path; from search_index.engine.embedded import EmbeddedEngine;"
        "from tests.search_index.engine.points import *;"
        "r = EmbeddedEngine(Path(sys.argv[1])).open(INDEX, 1); print(r.content, *r.dense(vector_of('x'), seen_at(1), 5).ids)"
    )
    with closing(engine.open(INDEX, 1)) as reader:
        other = subprocess.run([sys.executable, "-c", look, str(folder.parent)], cwd=ROOT, capture_output=True, text=True, check=True)
        assert other.stdout.split() == [reader.content, *reader.dense(vector_of("x"), seen_at(1), 5).ids]


def test_reading_does_not_import_pandas(engine: EmbeddedEngine, folder: Path) -> None:
    published(engine, None, 1, passages(10))
    look = (
        "import sys; from pathlib import Path; from search_index.engine.embedded import EmbeddedEngine; import numpy as np;"
        "from search_index.engine.interface import Visibility; from search_index.bm25 import query_weights;"
        f"r = EmbeddedEngine(Path(sys.argv[1])).open('{INDEX}', 1); seen = Visibility(1, 'default', frozenset({{'everyone'}}));"
        f"r.dense(np.ones({DIMENSION}, np.float32), seen, 5);"
        "print(len(r.sparse(*query_weights('gate', r.statistics(1, 'default')), seen, 5).ids));"
        "print('pandas' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", look, str(folder.parent)], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["5", "False"]


def test_a_reader_survives_publishing_and_removal_of_its_directory(engine: EmbeddedEngine) -> None:
    candidate = engine.stage(INDEX, None, 1, Delta(table(passages(40), 1)), BM25, DIMENSION, None)
    with closing(candidate.reader()) as reader:
        before = reader.dense(vector_of("x"), seen_at(1), 5).ids
        candidate.publish()
        assert reader.dense(vector_of("x"), seen_at(1), 5).ids == before
        candidate.discard()
        assert reader.payloads(before).keys() == set(before)


def test_a_discarded_candidate_cannot_be_published(engine: EmbeddedEngine) -> None:
    candidate = engine.stage(INDEX, None, 1, Delta(table(passages(3), 1)), BM25, DIMENSION, None)
    candidate.discard()
    with pytest.raises(HomeDamaged):
        candidate.publish()


def test_many_threads_get_the_answers_one_gets(engine: EmbeddedEngine) -> None:
    published(engine, None, 1, passages(300))
    queries = [passage.text for passage in passages(40, seed=4)]
    with closing(engine.open(INDEX, 1)) as reader:

        def ask(query: str) -> tuple[list[str], list[float]]:
            return reader.dense(vector_of(query), seen_at(1), 20).ids, sparse(reader, query, seen_at(1)).scores.tolist()

        alone = [ask(query) for query in queries]
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(ask, queries * 5)) == alone * 5


def test_closing_waits_for_a_running_call(engine: EmbeddedEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    published(engine, None, 1, passages(40))
    reader = engine.open(INDEX, 1)
    under_way, go_on = threading.Event(), threading.Event()

    def paused(ids: list[str], scores: Vector) -> list[int]:
        under_way.set()
        assert go_on.wait(30)
        return best_first(ids, scores)

    monkeypatch.setattr("search_index.engine.scoring.best_first", paused)
    with ThreadPoolExecutor(2) as pool:
        call = pool.submit(reader.dense, vector_of("x"), seen_at(1), 5)
        assert under_way.wait(30)
        closing_down = pool.submit(reader.close)
        with pytest.raises(TimeoutError):
            closing_down.result(0.2)
        go_on.set()
        assert len(call.result(30).ids) == 5
        closing_down.result(30)


def test_calls_from_many_threads_are_refused_once_closed(engine: EmbeddedEngine) -> None:
    published(engine, None, 1, passages(300))
    reader = engine.open(INDEX, 1)
    started, failures = threading.Barrier(5), []

    def ask() -> None:
        started.wait()
        try:
            while True:
                assert len(reader.dense(vector_of("x"), seen_at(1), 20).ids) == 20
        except HomeDamaged as closed:
            failures.append(closed.what)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    started.wait()
    reader.close()
    reader.close()
    for thread in threads:
        thread.join(30)
    assert len(failures) == 4
    assert all("was closed" in what for what in failures)


class PanicException(BaseException):
    """Named as the one that Rust code raises, which nobody can import."""


def test_a_panic_of_the_library_becomes_an_error_of_ours() -> None:
    with pytest.raises(HomeDamaged, match="index out of bounds"), engine_errors("The index cannot be searched", "Build it anew."):
        raise PanicException("index out of bounds")
    with pytest.raises(DiskFull), engine_errors("It cannot be built", ""):
        raise Exception("Service runtime error: No space left on device (os error 28)")
    with pytest.raises(KeyboardInterrupt), engine_errors("It cannot be built", ""):
        raise KeyboardInterrupt


def test_half_a_surrogate_pair_does_not_stop_a_run(engine: EmbeddedEngine) -> None:
    broken = Passage("broken.md", "gate")
    row = broken.row(1)
    row["payload"] = str(row["payload"]).replace('"title": "broken.md"', '"title": "br\\ud800ken"')
    added = table([], 1).from_pylist([row], schema=table([], 1).schema)
    engine.stage(INDEX, None, 1, Delta(added), BM25, DIMENSION, None).publish()
    with closing(engine.open(INDEX, 1)) as reader:
        assert reader.payloads([broken.point(1)])[broken.point(1)]["title"] == "br?ken"
    assert engine.verify(INDEX, 1) == []


def test_holes_stay_holes_in_a_copy(tmp_path: Path) -> None:
    source = tmp_path / "source" / "inner"
    source.mkdir(parents=True)
    with (source / "sparse.bin").open("wb") as file:
        file.truncate(64 << 20)
        file.seek(32 << 20)
        file.write(b"in the middle")
    (source / "empty").touch()
    (source / "plain").write_bytes(bytes(range(256)) * 5000)
    directory.copy(tmp_path / "source", tmp_path / "target")
    for name in ("sparse.bin", "empty", "plain"):
        assert (tmp_path / "target" / "inner" / name).read_bytes() == (source / name).read_bytes()
    assert directory.bytes_in(tmp_path / "target") < 8 << 20


@pytest.mark.slow
def test_beyond_the_exact_limit_hardly_anything_is_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search_index.engine.shard.EXACT_BELOW", 500)
    monkeypatch.setattr("search_index.engine.embedded_reader.EXACT_BELOW", 500)
    engine, corpus = EmbeddedEngine(tmp_path), passages(6000)
    published(engine, None, 1, corpus)
    vectors = np.stack([vector_of(passage.text) for passage in corpus])
    with closing(engine.open(INDEX, 1)) as reader:
        recall = []
        for number in range(50):
            query = vector_of(f"query {number}")
            tenth = np.sort(vectors @ query)[-10]
            recall.append(np.mean(reader.dense(query, seen_at(1), 10).scores >= tenth - 1e-6))
    assert np.mean(recall) > 0.95
