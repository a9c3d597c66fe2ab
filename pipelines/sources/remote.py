"""Files of a bucket or server, through whatever fsspec file system reads it."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from typing import BinaryIO, cast

import fsspec.spec
from tenacity import retry, retry_if_exception, stop_after_attempt, wait_random_exponential

from pipelines.sources.interface import UNKNOWN_TIME, SourceItem, instant, refuse_problem, utc
from pipelines.sources.limits import problem_item, read_bounded, within_limits
from pipelines.sources.locations import filesystem_of, os_errors
from pipelines.sources.names import Wanted, clean_path, harmless_path, leaves_its_root
from quality_checks.contracts import Contract
from search_index.errors import SourceUnavailable
from search_index.model.document import sha256

_VALIDATORS = (
    "mtime",
    "created",
    "ETag",
    "etag",
    "md5Hash",
    "generation",
    "crc32c",
    "LastModified",
    "last_modified",
    "Last-Modified",
    "checksum",
)
_TIMES = ("mtime", "LastModified", "last_modified", "updated", "Last-Modified", "created")
_BUFFER_BYTES = 1 << 20
_FOR_GOOD = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)


def _passing(error: BaseException) -> bool:
    """Connections that break, time-outs, servers that are busy; not what is missing, forbidden or too large."""
    return isinstance(error, OSError) and not isinstance(error, _FOR_GOOD)


_RETRIED = retry(
    retry=retry_if_exception(_passing), stop=stop_after_attempt(3), wait=wait_random_exponential(multiplier=0.2, max=5), reraise=True
)


class RemotePlace:
    """Everything below an fsspec URL, or the one file there. Listing and reading are tried three times when a connection fails."""

    def __init__(self, contract: Contract, location: str) -> None:
        self._contract, self._location = contract, location
        self._wanted = Wanted(contract.include, contract.exclude)

    @cached_property
    def _place(self) -> tuple[fsspec.AbstractFileSystem, str]:
        filesystem, path = filesystem_of(self._location, self._contract.endpoint_url)
        return filesystem, path.rstrip("/")

    def list(self) -> Iterator[SourceItem]:
        """See ``Source.list``: in the order of the paths."""
        name, location = self._contract.name, self._location
        try:
            found = self._found()
        except FileNotFoundError as e:
            raise SourceUnavailable(
                f"Source {name}: {location} does not exist.", "Mount or create it, or correct `servers` in the contract."
            ) from e
        except OSError as e:
            raise SourceUnavailable(
                f"Source {name}: {location} cannot be listed: {e.strerror or e}.",
                "Check the address, the network and the credentials in the environment, or correct the contract.",
            ) from e
        return within_limits(self._items(found), self._contract)

    def read(self, item: SourceItem) -> bytes:
        """See ``Source.read``."""
        refuse_problem(item)
        return self._read(item)

    @contextmanager
    def open(self, item: SourceItem) -> Iterator[BinaryIO]:
        """See ``FilePlace.open``."""
        refuse_problem(item)
        with os_errors(), self._place[0].open(item.location, "rb") as file:
            # fsspec's own files read no line of a bounded length; what its clients bring does
            buffered = isinstance(file, fsspec.spec.AbstractBufferedFile)
            yield cast("BinaryIO", io.BufferedReader(file, _BUFFER_BYTES) if buffered else file)

    @_RETRIED
    def _read(self, item: SourceItem) -> bytes:
        with self.open(item) as file:
            return read_bounded(file, item.path, self._contract.limits.file_bytes)

    @_RETRIED
    def _found(self) -> dict[str, dict[str, object]]:
        filesystem, root = self._place
        with os_errors():
            filesystem.invalidate_cache()
            if not filesystem.exists(root):
                raise FileNotFoundError(self._location)
            if filesystem.isfile(root):
                return {root: filesystem.info(root)}
            found: dict[str, dict[str, object]] = filesystem.find(root, detail=True)
            if not found:
                filesystem.ls(root)  # find() says nothing of a folder it may not read; this raises
            return found

    def _items(self, found: Mapping[str, Mapping[str, object]]) -> Iterator[SourceItem]:
        root = self._place[1]
        for full, info in sorted(found.items()):
            relative = full[len(root) :].lstrip("/") if full != root else full.rsplit("/", 1)[-1]
            if info.get("type") != "file" or not relative:
                continue
            if leaves_its_root(relative):
                shown = harmless_path(relative)
                yield problem_item(shown, f"{shown} has a name that leads out of the source.", "Rename it.")
            elif self._wanted(path := clean_path(relative)):
                size = int(str(info.get("size") or 0))
                yield SourceItem(path, full, size, modified_in(info), signature_in(info))


def signature_in(info: Mapping[str, object]) -> str:
    """A signature of what a file system says about a file; empty when it says nothing that must change with the bytes."""
    told = [str(info[key]) for key in _VALIDATORS if info.get(key)]
    return sha256("|".join([str(info.get("size")), *told]))[:32] if told else ""


def modified_in(info: Mapping[str, object]) -> datetime:
    """When a file changed, by whichever name its file system has for that."""
    for key in _TIMES:
        value = info.get(key)
        if isinstance(value, int | float):
            return instant(value)
        if isinstance(value, datetime):
            return utc(value)
        if isinstance(value, str):
            try:
                return utc(datetime.fromisoformat(value))
            except ValueError:
                continue
    return UNKNOWN_TIME
