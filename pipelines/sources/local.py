"""Files below a folder of this machine: what is a regular file inside the root is taken, everything else says why it is not."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from tenacity import retry, retry_if_exception_type, stop_after_attempt

from pipelines.sources.interface import SourceItem, instant, refuse_problem
from pipelines.sources.limits import problem_item, read_bounded, too_deep, within_limits
from pipelines.sources.names import Wanted, clean_path, left_out
from quality_checks.contracts import Contract
from search_index.errors import DocumentUnreadable, SourceUnavailable
from search_index.model.document import sha256

_LEAVE_IT_OUT = "Put a file in its place, or exclude it in the contract."
_ATTEMPTS = 3


class ChangedWhileRead(OSError):
    """The file was written to while it was read, so what was read may be half of one version and half of another."""


class LocalPlace:
    """A folder, or one file. Links are followed to files inside the root alone, so no loop is entered and nothing outside is read."""

    def __init__(self, contract: Contract, path: str) -> None:
        self._contract = contract
        self._given, self._root = path, os.path.realpath(path)
        self._wanted = Wanted(contract.include, contract.exclude)

    def list(self) -> Iterator[SourceItem]:
        """See ``Source.list``: in the order of the paths."""
        name = self._contract.name
        try:
            info = os.stat(self._root)
            found = sorted(self._below() if stat.S_ISDIR(info.st_mode) else self._alone(info), key=lambda item: item.path)
        except FileNotFoundError as e:
            raise SourceUnavailable(
                f"Source {name}: {self._given} does not exist.", "Mount or create it, or correct `servers` in the contract."
            ) from e
        except OSError as e:
            raise SourceUnavailable(
                f"Source {name}: {self._given} cannot be listed: {e.strerror or e}.",
                "Give this user the right to read it, or correct the contract.",
            ) from e
        return within_limits(found, self._contract)

    def read(self, item: SourceItem) -> bytes:
        """See ``Source.read``. A file that is written to meanwhile is read again, three times at most."""
        refuse_problem(item)
        return self._read(item)

    @contextmanager
    def open(self, item: SourceItem) -> Iterator[BinaryIO]:
        """See ``FilePlace.open``."""
        refuse_problem(item)
        target = os.path.realpath(item.location)
        if not self._inside(target):
            raise DocumentUnreadable(f"{item.path} has become a link out of the source.", _LEAVE_IT_OUT)
        # What was a file when it was listed may be a FIFO now: opening that would wait for a writer for ever.
        descriptor = os.open(target, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise DocumentUnreadable(f"{item.path} is no regular file any more.", _LEAVE_IT_OUT)
            yield file

    @retry(retry=retry_if_exception_type(ChangedWhileRead), stop=stop_after_attempt(_ATTEMPTS), reraise=True)
    def _read(self, item: SourceItem) -> bytes:
        with self.open(item) as file:
            before = os.fstat(file.fileno())
            content = read_bounded(file, item.path, self._contract.limits.file_bytes)
            after = os.fstat(file.fileno())
        if (before.st_mtime_ns, before.st_size) != (after.st_mtime_ns, after.st_size) or len(content) != after.st_size:
            raise ChangedWhileRead(0, "it changed while it was read; the next run reads it again")
        return content

    def _below(self) -> Iterator[SourceItem]:
        folders: list[tuple[str, str, int]] = [(self._root, "", 0)]
        while folders:
            full, relative, depth = folders.pop()
            try:
                entries = list(os.scandir(full))
            except OSError as e:
                if not relative:
                    raise
                yield problem_item(
                    f"{clean_path(relative)}/",
                    f"The folder {clean_path(relative)} cannot be listed: {e.strerror}.",
                    "Give this user the right to read it, or exclude it in the contract.",
                    hides=True,
                )
                continue
            for entry in entries:
                if left_out(entry.name):
                    continue
                below = f"{relative}/{entry.name}".lstrip("/")
                if not entry.is_dir(follow_symlinks=False):
                    yield from self._entry(entry, below)
                elif depth < self._contract.limits.depth:
                    folders.append((entry.path, below, depth + 1))
                elif Wanted((), self._contract.exclude)(f"{clean_path(below)}/any"):
                    yield too_deep(f"{clean_path(below)}/", self._contract.limits.depth)

    def _alone(self, info: os.stat_result) -> Iterator[SourceItem]:
        path = clean_path(os.path.basename(self._root))
        if self._wanted(path):
            yield self._file(self._root, path, info)

    def _entry(self, entry: os.DirEntry[str], relative: str) -> Iterator[SourceItem]:
        full, path = entry.path, clean_path(relative)
        if not self._wanted.chosen(path):
            return
        try:
            if not entry.is_symlink():
                yield self._file(full, path, entry.stat(follow_symlinks=False))
                return
            info, target = os.stat(full), os.path.realpath(full)
        except OSError as e:  # a broken link, one that leads to itself, or a file that went away
            yield problem_item(path, f"{path} cannot be looked at: {e.strerror}.", _LEAVE_IT_OUT)
            return
        if not self._inside(target):
            yield problem_item(path, f"{path} is a link out of the source.", "Add the target as a source of its own, or exclude the link.")
        elif not stat.S_ISDIR(info.st_mode):
            yield self._file(full, path, info)
        elif any(left_out(part) for part in os.path.relpath(target, self._root).split("/") if part != "."):
            yield problem_item(path, f"{path} is a link to a folder that is left out.", _LEAVE_IT_OUT)
        # A link to another folder of the source adds nothing: its files are listed where they stand.

    def _file(self, full: str, path: str, info: os.stat_result) -> SourceItem:
        if not stat.S_ISREG(info.st_mode):
            return problem_item(path, f"{path} is a {_kind(info.st_mode)}, which is never opened.", _LEAVE_IT_OUT)
        told = f"{info.st_size}|{info.st_mtime_ns}|{info.st_ctime_ns}|{info.st_ino}"
        return SourceItem(path, full, info.st_size, instant(info.st_mtime), sha256(told)[:32])

    def _inside(self, target: str) -> bool:
        return target == self._root or target.startswith(self._root.rstrip("/") + "/")


def _kind(mode: int) -> str:
    for is_kind, name in ((stat.S_ISFIFO, "FIFO"), (stat.S_ISSOCK, "socket")):
        if is_kind(mode):
            return name
    return "device"
