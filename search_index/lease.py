"""One writer a home: a lease that dies with the process that holds it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock, Timeout

from search_index.catalog.writer_lock import WriterLock
from search_index.errors import Busy, HomeDamaged


class Lease:
    """The right to write to one home, from the first table to publish or discard.

    It is a lock on a file, held by the kernel for as long as the process lives: a killed run leaves none behind. Where the catalog is in
    PostgreSQL, which other machines may write to as well, it is a lock there too.
    """

    def __init__(self, home: Path, catalog_url: str = "") -> None:
        self._home = home
        self._lock = FileLock(home / "lease.lock", thread_local=False)
        self._everywhere = WriterLock(catalog_url) if catalog_url.startswith("postgresql") else None

    def acquire(self, *, wait_s: float, waiting: Callable[[str], None]) -> None:
        """Take the lease, waiting at most ``wait_s`` seconds (negative: for as long as it takes).

        Errors:
            Busy: another process holds it.
            HomeDamaged: the home cannot be written.
            ServerUnavailable: the catalog's database does not answer.
        """
        self._acquire_here(wait_s, waiting)
        if self._everywhere is not None:
            try:
                self._everywhere.acquire(wait_s=wait_s, waiting=waiting)
            except BaseException:
                self._lock.release()
                raise

    def _acquire_here(self, wait_s: float, waiting: Callable[[str], None]) -> None:
        try:
            self._home.mkdir(parents=True, exist_ok=True)
            try:
                self._lock.acquire(timeout=0)
            except Timeout:
                if wait_s:
                    waiting(f"Another run is writing to {self._home} ({self.holder()}); waiting for it.")
                self._lock.acquire(timeout=wait_s)
            (self._home / "lease.holder").write_text(f"process {os.getpid()}")
        except Timeout as e:
            raise Busy(f"Another run is writing to {self._home} ({self.holder()}).", "Wait for it, or leave out --no-wait.") from e
        except OSError as e:
            raise HomeDamaged(f"The home {self._home} cannot be written: {e.strerror}.", "Check its owner, its mode and the disk.") from e

    def holder(self) -> str:
        """Who took the lease last, for a message."""
        try:
            return (self._home / "lease.holder").read_text()
        except OSError:
            return "unknown process"

    def release(self) -> None:
        """Give the lease back; harmless when it is not held."""
        if self._everywhere is not None:
            self._everywhere.release()
        self._lock.release()
