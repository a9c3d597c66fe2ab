"""The embedded engine: one immutable directory for each revision of an index, holding the revisions before it as well.

``root/<index>/r0000007/`` has ``shard/`` (Qdrant Edge), ``points.arrow`` (the ledger), ``statistics/<revision>.npz`` and
``about.json``. A revision is staged into a copy called ``r0000008.building-<pid>``, so the head is whole whatever happens, and
a build that was killed leaves nothing but that copy. Building belongs to the pipeline's process: it holds the GIL.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import qdrant_edge as edge

from search_index.bm25 import Bm25Settings
from search_index.engine import directory, shard, tenant_statistics
from search_index.engine import ledger as ledgers
from search_index.engine.about import About, answers_for, oldest_of, statistics_needed
from search_index.engine.embedded_reader import EmbeddedReader
from search_index.engine.interface import LEDGER, POINTS, Candidate, Delta, Engine, Kept, Superseded
from search_index.engine.opened import OpenDirectories
from search_index.engine.opening import REBUILD, read_about, read_ledger
from search_index.engine.verification import differences
from search_index.errors import HomeDamaged, RevisionUnknown, WrongUsage

_BUILDING, _REMOVING = ".building-", ".removing-"
_LEAST_ROOM = 64 << 20


class EmbeddedCandidate(Candidate):
    """See ``Candidate``."""

    def __init__(self, index: str, about: About, building: Path, final: Path) -> None:
        self._index, self._about = index, about
        self._building, self._final = building, final

    @property
    def index(self) -> str:
        """The index it belongs to."""
        return self._index

    @property
    def revision(self) -> int:
        """The revision it would become."""
        return self._about.revision

    @property
    def content(self) -> str:
        """The ledger's hash."""
        return self._about.content

    @property
    def answers_for(self) -> list[int] | None:
        """As ``about.json`` says."""
        return self._about.retained

    def reader(self) -> EmbeddedReader:
        """Open the directory under whichever name it has now."""
        return EmbeddedReader(self._folder)

    def ledger(self) -> pa.Table:
        """Map the ledger alone."""
        return read_ledger(self._folder, self._about)

    @property
    def _folder(self) -> Path:
        return self._building if self._building.exists() else self._final

    def publish(self) -> None:
        """Flush to disk and rename."""
        if not self._building.exists():
            if not self._final.exists():
                raise HomeDamaged(f"Revision {self.revision} was discarded and cannot be published.", "Stage it again.")
            return
        directory.sync_tree(self._building)
        _remove(self._final)  # an earlier build of this revision that the catalog never pointed at
        self._building.rename(self._final)
        directory.sync(self._final.parent)

    def discard(self) -> None:
        """Remove the directory under either name."""
        _remove(self._building)
        _remove(self._final)


class EmbeddedEngine(Engine):
    """See ``Engine``. ``root`` is made when the first revision is staged."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._directories = OpenDirectories()

    def stage(
        self,
        index: str,
        head: int | None,
        revision: int,
        delta: Delta,
        bm25: Bm25Settings,
        dimension: int,
        retained: Sequence[int] | None,
    ) -> EmbeddedCandidate:
        """Copy the head's directory and apply ``delta`` to the copy."""
        if head is not None and head >= revision:
            raise WrongUsage(f"Revision {revision} cannot follow {head}.", "Give a revision that was never used.")
        if not delta.added.schema.equals(POINTS):
            delta = Delta(delta.added.select(POINTS.names).cast(POINTS), delta.retired)
        source = self._folder(index, head) if head is not None else None
        before = read_about(source) if source else None
        if before and not (bm25.follows(before.bm25) and before.dimension == dimension):
            raise WrongUsage(f"Index {index} was made with other BM25 settings or another dimension.", "Stage another index.")
        final = self._root / index / directory.name_of(revision)
        building = final.with_name(f"{final.name}{_BUILDING}{os.getpid()}")
        building.parent.mkdir(parents=True, exist_ok=True)
        _remove(building)
        needed = (2 * directory.bytes_in(source) if source else 0) + 3 * delta.added.nbytes + _LEAST_ROOM
        directory.ensure_room(building.parent, needed, f"Staging revision {revision}")
        with directory.removed_on_failure(building, f"staging of revision {revision}"):
            about = _build(building, source, before, revision, delta, bm25, dimension, retained)
        return EmbeddedCandidate(index, about, building, final)

    def open(self, index: str, revision: int, head: int | None = None) -> EmbeddedReader:
        """Open the newest directory that holds ``revision``."""
        return EmbeddedReader(self._holding(index, revision, head), self._directories)

    def ledger(self, index: str, revision: int, head: int | None = None) -> pa.Table:
        """Map the ledger of that directory."""
        folder = self._holding(index, revision, head)
        return read_ledger(folder, read_about(folder))

    def _holding(self, index: str, revision: int, head: int | None) -> Path:
        """The newest directory that holds ``revision``."""
        for held in reversed(directory.revisions_in(self._root / index)):
            if held < revision:
                break
            if (head is None or held <= head) and read_about(self._folder(index, held)).holds(revision):
                return self._folder(index, held)
        raise RevisionUnknown(f"No directory of index {index} holds revision {revision}.", "Ask for a revision that is retained.")

    def recover(self, keep: Kept) -> list[str]:
        """Remove what is half built, never pointed at or superseded."""
        done: list[str] = []
        for folder in self._indexes():
            for entry in sorted(folder.iterdir()):
                if _BUILDING in entry.name or _REMOVING in entry.name:
                    shutil.rmtree(entry)
                    done.append(f"Removed {folder.name}/{entry.name}, which an interrupted run left.")
        for each in self.superseded(keep):
            name = directory.name_of(each.revision)
            _remove(self._root / each.index / name)
            done.append(f"Removed {each.index}/{name}, which was {each.why}.")
        for folder in self._indexes():
            if not any(folder.iterdir()):
                folder.rmdir()
        return done

    def superseded(self, keep: Kept) -> list[Superseded]:
        """All but the newest of each index that holds something to be kept."""
        found = []
        for folder in self._indexes():
            finished = directory.revisions_in(folder)
            pointed = [revision for revision in finished if (folder.name, revision) in keep.published]
            needed = any(index == folder.name for index, _ in keep.retained)
            staying = pointed[-max(keep.reserves, 1) :] if needed else []
            for revision in finished:
                if revision not in staying:
                    why = "never published" if revision not in pointed else "superseded" if needed else "of an index no kept release is in"
                    found.append(Superseded(folder.name, revision, self.size_of(folder.name, revision), why))
        return found

    def _indexes(self) -> list[Path]:
        return sorted(folder for folder in self._root.iterdir() if folder.is_dir()) if self._root.is_dir() else []

    def verify(self, index: str, revision: int) -> list[str]:
        """Compare every stored point with its row, and the statistics with a recount."""
        reader = EmbeddedReader(self._folder(index, revision))
        try:
            return differences(reader, revision)
        finally:
            reader.close()

    def size_of(self, index: str, revision: int) -> int:
        """Bytes the revision's directory takes on disk."""
        return directory.bytes_in(self._folder(index, revision))

    def close(self) -> None:
        """Nothing is held: what readers share goes with the last of them."""

    def _folder(self, index: str, revision: int) -> Path:
        folder = self._root / index / directory.name_of(revision)
        if not folder.is_dir():
            raise HomeDamaged(f"{folder}, which holds revision {revision}, is missing.", REBUILD)
        return folder


def _build(
    building: Path,
    source: Path | None,
    before: About | None,
    revision: int,
    delta: Delta,
    bm25: Bm25Settings,
    dimension: int,
    retained: Sequence[int] | None,
) -> About:
    """Fill ``building`` with ``source`` and ``delta`` applied, ``about.json`` last."""
    try:
        head = ledgers.read(source / "points.arrow") if source else LEDGER.empty_table()
        statistics = tenant_statistics.read(source / "statistics" / f"{before.revision}.npz") if source and before else {}
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise HomeDamaged(f"{source} cannot be read: {type(error).__name__}.", REBUILD) from error
    plan = ledgers.plan(head, delta, revision, retained)
    if source:
        directory.copy(source, building)
        (building / "about.json").unlink()
    fields = dict(before.fields) if before else {}
    with shard.engine_errors(f"Revision {revision} cannot be built", REBUILD):
        points = edge.EdgeShard.load(str(building / "shard")) if source else shard.create(building / "shard", dimension)
        try:
            shard.delete(points, plan.vacuumed)
            shard.retire(points, plan.closed["point_id"].to_pylist(), revision)
            added = list(shard.add(points, delta.added, revision, bm25, dimension, fields))
            points.optimize()
            points.flush()
        finally:
            points.close()
    rows = ledgers.merged(plan.kept, added)
    # Not written over: the copy may share its blocks with the head, and readers map the head's.
    (building / "points.arrow").unlink(missing_ok=True)
    ledgers.write(rows, building / "points.arrow")
    answered = answers_for(before, retained)
    (building / "statistics").mkdir(exist_ok=True)
    with (building / "statistics" / f"{revision}.npz").open("wb") as file:
        tenant_statistics.write(tenant_statistics.updated(statistics, delta.added, plan.closed), file)
    _prune_statistics(building / "statistics", answered)
    about = About(
        revision=revision,
        oldest=oldest_of(before, revision, answered),
        points=rows.num_rows,
        dimension=dimension,
        bm25=bm25,
        content=ledgers.content_hash(rows),
        fields=fields,
        retained=answered,
    )
    (building / "about.json").write_text(about.model_dump_json(indent=1))
    return about


def _prune_statistics(folder: Path, answered: Sequence[int] | None) -> None:
    saved = {int(path.stem) for path in folder.glob("*.npz")}
    for revision in saved - statistics_needed(sorted(saved), answered):
        (folder / f"{revision}.npz").unlink()


def _remove(folder: Path) -> None:
    """Remove a directory so that no half of it is ever taken for a whole one."""
    if folder.exists():
        going = folder if _BUILDING in folder.name else folder.with_name(f"{folder.name}{_REMOVING}{os.getpid()}")
        if going != folder:
            folder.rename(going)
        shutil.rmtree(going)
