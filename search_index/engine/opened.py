"""Directories of the embedded engine that are open in this process, each once however many releases are read from it."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import qdrant_edge as edge

from search_index.engine import ledger as ledgers
from search_index.engine.about import About
from search_index.engine.opening import REBUILD, opened_shard, read_about, read_ledger
from search_index.engine.point_numbers import PointNumbers
from search_index.engine.shard import engine_errors
from search_index.errors import HomeDamaged


@dataclass(eq=False)
class OpenDirectory:
    """One directory, opened: it is immutable, so all who read it can share what was loaded. Use ``OpenDirectories`` to get one."""

    folder: Path
    about: About
    ledger: pa.Table
    rows: ledgers.Rows
    numbers: PointNumbers
    shard: edge.EdgeShard
    held: int
    """A descriptor of the folder: as long as it is held, no other folder is given the same number by the file system."""
    readers: int = 0


class OpenDirectories:
    """Opens each directory once and closes it with its last reader. Safe for use by many threads at once.

    Loading a shard takes three quarters of a second at 50,000 points, in which no other thread of the process runs, and memory for its
    indexes. Most releases that replace each other without a new index (a rollback, a resume, a canary) are in one directory.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[tuple[Path, int, int], OpenDirectory] = {}

    def take(self, folder: Path) -> OpenDirectory:
        """What is in ``folder``; give it back with ``leave``.

        The ledger is read and held against its hash each time, and a folder that was put in the place of another is another one.

        Raises:
            HomeDamaged: files are missing, cannot be read, or hold something else than ``about.json`` says.
        """
        with self._lock:
            about = read_about(folder)
            ledger = read_ledger(folder, about)
            stat = folder.stat()
            key = folder, stat.st_dev, stat.st_ino
            found = self._open.get(key)
            if found is None or found.about != about:
                found = self._open[key] = _opened(folder, about, ledger)
            found.readers += 1
            return found

    def leave(self, directory: OpenDirectory) -> None:
        """One reader less; the last one closes it."""
        with self._lock:
            directory.readers -= 1
            if directory.readers:
                return
            self._open = {key: each for key, each in self._open.items() if each is not directory}
        os.close(directory.held)
        with engine_errors(f"{directory.folder} cannot be closed", REBUILD):
            directory.shard.close()


def _opened(folder: Path, about: About, ledger: pa.Table) -> OpenDirectory:
    try:
        rows = ledgers.Rows(ledger)
        numbers = PointNumbers(rows)
    except pa.ArrowException as error:
        raise HomeDamaged(f"{folder}/points.arrow cannot be read: {type(error).__name__}.", REBUILD) from error
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        return OpenDirectory(folder, about, ledger, rows, numbers, opened_shard(folder, about, ledger), held)
    except BaseException:
        os.close(held)
        raise
