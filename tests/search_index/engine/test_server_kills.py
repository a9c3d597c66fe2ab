"""The server engine, killed before each of its writes: what the head answers stays what it was, and the next run clears up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from search_index.engine.filters import Between, Conditions
from search_index.engine.interface import Candidate, Delta, Kept
from search_index.engine.server import ServerEngine
from search_index.engine.server_collection import Collection
from search_index.engine.server_ledger import LedgerFolders
from search_index.errors import RevisionUnknown
from search_index.model.search import OPEN_END
from tests.search_index.engine.local_server import SERVER, LocalServer, engine_on
from tests.search_index.engine.points import BM25, DIMENSION, INDEX, QUERY, passages, published, seen_at, sparse, table, vector_of

FIRST, SECOND, THIRD = passages(30), passages(300, seed=1), passages(8, seed=2)
_WRITES = {"create_collection", "delete_collection", "upsert", "set_payload", "delete"}
_FOLDER_WRITES = {"begin", "fill", "finish", "unfinish", "remove"}


class Killed(BaseException):
    """No handler of errors runs when a process is killed, so this is none that one could catch."""


@dataclass
class Life:
    """How many writes a process still gets to do."""

    left: int

    def spend(self) -> None:
        if not self.left:
            raise Killed
        self.left -= 1


class Mortal:
    """Does what ``of`` does, until its life is spent: nothing it is asked to write after that is written."""

    def __init__(self, of: object, writes: set[str], life: Life) -> None:
        self._of, self._writes, self._life = of, writes, life

    def __getattr__(self, name: str) -> Callable[..., object]:
        made: Callable[..., object] = getattr(self._of, name)
        if name not in self._writes:
            return made

        def counted(*given: object, **named: object) -> object:
            self._life.spend()
            return made(*given, **named)

        return counted


@pytest.fixture
def server() -> LocalServer:
    return LocalServer()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "lake" / "_indexes"


def mortal(server: LocalServer, folder: Path, life: Life) -> ServerEngine:
    engine = ServerEngine(SERVER, str(folder), lambda _: Mortal(server, _WRITES, life))  # type: ignore[arg-type, return-value]
    engine.folders = Mortal(LedgerFolders(str(folder)), _FOLDER_WRITES, life)  # type: ignore[assignment]
    return engine


def kept(*published: int, reserves: int = 2) -> Kept:
    every = frozenset((INDEX, revision) for revision in published)
    return Kept(every, every, reserves)


def answers(engine: ServerEngine, revision: int, head: int) -> tuple[Sequence[str], bytes, Sequence[str], bytes, int, list[object]]:
    with closing(engine.open(INDEX, revision, head)) as reader:
        near, worded = reader.dense(vector_of("x"), seen_at(revision), 20), sparse(reader, QUERY, seen_at(revision))
        ends = [payload["valid_to"] for payload in reader.payloads(near.ids).values()]
        return near.ids, near.scores.tobytes(), worded.ids, worded.scores.tobytes(), reader.count(seen_at(revision)), list(ends)


def stored_in(engine: ServerEngine) -> Collection:
    return engine.collection(INDEX, engine.folders.about(INDEX, 1).place)


def change() -> Delta:
    return Delta(table(SECOND, 3), [passage.point(1) for passage in FIRST[:10]])


def stage(engine: ServerEngine) -> Candidate:
    return engine.stage(INDEX, 2, 3, change(), BM25, DIMENSION, [2])


def stage_and_publish(engine: ServerEngine) -> None:
    stage(engine).publish()


def stage_and_discard(engine: ServerEngine) -> None:
    stage(engine).discard()


def publish_and_discard(engine: ServerEngine) -> None:
    candidate = stage(engine)
    candidate.publish()
    candidate.discard()


@pytest.mark.parametrize("course", [stage_and_publish, stage_and_discard, publish_and_discard])
def test_killed_before_any_write_the_head_answers_as_before(
    server: LocalServer, folder: Path, course: Callable[[ServerEngine], None]
) -> None:
    engine = engine_on(server, folder)
    published(engine, None, 1, FIRST)
    published(engine, 1, 2, THIRD, [passage.point(1) for passage in FIRST[20:]])
    before = {revision: answers(engine, revision, 2) for revision in (1, 2)}
    for survived in range(100):
        life = Life(survived)
        died = False
        try:
            course(mortal(server, folder, life))
        except Killed:
            died = True
        for revision in (1, 2):
            assert answers(engine_on(server, folder), revision, 2) == before[revision], f"after {survived} writes"
        engine_on(server, folder).recover(kept(1, 2))
        assert engine_on(server, folder).recover(kept(1, 2)) == []
        for revision in (1, 2):
            assert answers(engine_on(server, folder), revision, 2) == before[revision], f"recovered after {survived} writes"
        assert stored_in(engine).count(Conditions(())) == engine.ledger(INDEX, 2).num_rows
        assert engine.folders.revisions(INDEX) == [1, 2]
        assert engine.verify(INDEX, 2) == []
        if not died:
            break
    else:
        raise AssertionError("it never came to its end")
    assert survived >= 6, "kills came at every step"
    stage_and_publish(engine)
    assert engine.verify(INDEX, 3) == []


def test_a_discard_leaves_no_trace_and_shows_nothing_half_discarded(server: LocalServer, folder: Path) -> None:
    engine = engine_on(server, folder)
    published(engine, None, 1, FIRST)
    published(engine, 1, 2, THIRD)
    stored = stored_in(engine)
    stage(engine).discard()
    assert stored.count(Conditions(())) == stored.count(Conditions((Between("valid_to", at_least=OPEN_END),))) == 38
    stage_and_publish(engine)
    with pytest.raises(Killed):
        mortal(server, folder, Life(2)).take_back(INDEX, 3)
    with pytest.raises(RevisionUnknown):
        engine.open(INDEX, 3)
    engine.take_back(INDEX, 3)
    assert stored.count(Conditions(())) == stored.count(Conditions((Between("valid_to", at_least=OPEN_END),))) == 38


def test_killed_while_the_first_revision_is_staged_nothing_is_left(server: LocalServer, folder: Path) -> None:
    for survived in range(100):
        died = False
        try:
            mortal(server, folder, Life(survived)).stage(INDEX, None, 1, Delta(table(FIRST, 1)), BM25, DIMENSION, None)
        except Killed:
            died = True
        engine_on(server, folder).recover(Kept(frozenset(), frozenset(), 1))
        assert server.get_collections().collections == []
        assert engine_on(server, folder).folders.indexes() == []
        if not died:
            break
    assert survived > 3


def test_staging_again_takes_back_what_a_killed_run_staged_even_without_recovery(server: LocalServer, folder: Path) -> None:
    engine = engine_on(server, folder)
    published(engine, None, 1, FIRST)
    engine.stage(INDEX, 1, 2, Delta(table(THIRD, 2), [FIRST[0].point(1)]), BM25, DIMENSION, None).publish()
    published(engine_on(server, folder), 1, 3, [], [FIRST[1].point(1)])
    with closing(engine.open(INDEX, 3)) as reader:
        assert reader.count(seen_at(3)) == 29
        assert reader.find(seen_at(3), chunk_id=FIRST[0].chunk)[0]["valid_to"] == OPEN_END
    assert engine.folders.revisions(INDEX) == [1, 3]
    assert engine.verify(INDEX, 3) == []


def test_points_go_at_the_stage_after_the_one_that_dropped_them(server: LocalServer, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = engine_on(server, folder)
    retired = [passage.point(1) for passage in FIRST[:10]]
    published(engine, None, 1, FIRST)
    published(engine, 1, 2, THIRD, retired)
    stored = stored_in(engine)
    dropped = engine.stage(INDEX, 2, 3, Delta(table([], 3)), BM25, DIMENSION, [2])
    assert dropped.ledger().num_rows == 28
    assert stored.count(Conditions(())) == 38
    dropped.discard()
    before = answers(engine, 1, 2)
    assert before[4] == 30, "a discard needs them"
    engine.stage(INDEX, 2, 4, Delta(table([], 4)), BM25, DIMENSION, [2]).publish()
    assert stored.count(Conditions(())) == 38
    late = engine.open(INDEX, 2, 2)
    monkeypatch.setattr("search_index.engine.server_reader._LOOK_EVERY_S", 0.0)
    late.check(1)
    engine.stage(INDEX, 4, 5, Delta(table([], 5)), BM25, DIMENSION, [2]).discard()
    assert stored.count(Conditions(())) == 28
    assert late.count(seen_at(2)) == 28
    with pytest.raises(RevisionUnknown, match="not retained any more"):
        late.check(1)
    assert engine.verify(INDEX, 4) == []
