"""Runs that only look: each holds a lock of its own for as long as its process lives, by which a killed one is told from a long one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from search_index.settings import Settings


@contextlib.contextmanager
def looking(settings: Settings, run_id: str) -> Iterator[None]:
    """Hold the lock of a run."""
    path = _lock_of(settings, run_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path):
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def still_looks(settings: Settings, run_id: str) -> bool:
    """Whether the process of a run lives. What a killed one left is cleared away."""
    path = _lock_of(settings, run_id)
    if not path.exists():
        return False
    try:
        with FileLock(path, timeout=0):
            path.unlink(missing_ok=True)
    except Timeout:
        return True
    return False


def _lock_of(settings: Settings, run_id: str) -> Path:
    return settings.root / "looking" / f"{run_id}.lock"
