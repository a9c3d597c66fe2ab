"""Directories that hold one revision each: copied sparsely, made durable, measured before they are made."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from search_index.errors import DiskFull

_CHUNK = 64 << 20


def name_of(revision: int) -> str:
    """The name a revision's directory has: ``r0000007``."""
    return f"r{revision:07d}"


def revisions_in(folder: Path) -> list[int]:
    """Revisions that have a finished directory in ``folder``, rising."""
    if not folder.is_dir():
        return []
    return sorted(int(entry.name[1:]) for entry in folder.iterdir() if entry.name.startswith("r") and entry.name[1:].isdigit())


def bytes_in(folder: Path) -> int:
    """Bytes the files of ``folder`` take on disk; holes take none."""
    return sum(file.lstat().st_blocks * 512 for file in folder.rglob("*") if file.is_file())


def ensure_room(folder: Path, needed: int, purpose: str) -> None:
    """Make sure that the file system of ``folder`` has ``needed`` bytes free.

    Raises:
        DiskFull: it has not.
    """
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DiskFull(
            f"{purpose} takes up to {needed / 1e6:,.1f} MB and {free / 1e6:,.1f} MB are free.",
            "Free some space, or lower how many releases are retained, and run it again.",
        )


@contextmanager
def removed_on_failure(folder: Path, purpose: str) -> Iterator[None]:
    """Whatever goes wrong inside, ``folder`` is gone afterwards, and a full disk says so."""
    try:
        yield
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(f"The disk ran full during {purpose}.", "Free some space and run it again; nothing was left behind.") from error
        raise


def copy(source: Path, target: Path) -> None:
    """Copy a tree of plain files. Holes stay holes, and file systems that can share blocks share them."""
    target.mkdir(parents=True)
    for entry in sorted(source.iterdir()):
        if entry.is_dir():
            copy(entry, target / entry.name)
        else:
            _copy_file(entry, target / entry.name)


def _copy_file(source: Path, target: Path) -> None:
    if not hasattr(os, "copy_file_range"):
        shutil.copyfile(source, target)
        return
    with source.open("rb") as reading, target.open("wb") as writing:
        size, position = os.fstat(reading.fileno()).st_size, 0
        while position < size:
            try:
                position = os.lseek(reading.fileno(), position, os.SEEK_DATA)
            except OSError as error:
                if error.errno != errno.ENXIO:
                    raise
                break  # nothing but a hole up to the end
            end = os.lseek(reading.fileno(), position, os.SEEK_HOLE)
            while position < end:
                position += _copy_range(reading.fileno(), writing.fileno(), min(_CHUNK, end - position), position)
        os.ftruncate(writing.fileno(), size)


def _copy_range(reading: int, writing: int, length: int, position: int) -> int:
    try:
        copied = os.copy_file_range(reading, writing, length, position, position)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS):
            raise
        copied = os.pwrite(writing, os.pread(reading, min(length, 1 << 20), position), position)
    if copied == 0:
        raise OSError(errno.EIO, "the file became shorter while it was copied")
    return copied


def sync(path: Path) -> None:
    """Flush to disk one file or directory."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Flush to disk every file and directory of ``folder``, and itself last."""
    for entry in folder.iterdir():
        if entry.is_dir():
            sync_tree(entry)
        else:
            sync(entry)
    sync(folder)
