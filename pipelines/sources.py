"""Where documents come from: files below an fsspec URL, or the records of a JSONL file."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Protocol

import fsspec

from quality_checks.contracts import Contract
from search_index.errors import SourceUnavailable
from search_index.model.document import sha256

_ALWAYS_LEFT_OUT = ("~$*", "*.tmp", "*.part", "*.swp", "Thumbs.db", "desktop.ini", "__MACOSX", "__pycache__", "node_modules")


@dataclass(frozen=True, slots=True)
class SourceItem:
    """One document of a source, as listed.

    ``path`` is relative to the source and always valid Unicode; ``location`` is what reads it. ``signature`` changes
    whenever the bytes may have changed: while it stays the same the bytes are not read again.
    """

    path: str
    location: str
    size: int
    modified_at: datetime
    signature: str


class Source(Protocol):
    """A place that lists documents and gives their bytes."""

    def list(self) -> Iterator[SourceItem]:
        """Every document, in the order of their paths.

        Errors:
            SourceUnavailable: the place is missing or cannot be listed.
        """
        ...

    def read(self, item: SourceItem) -> bytes:
        """One document's bytes.

        Errors:
            OSError: it is gone or cannot be read.
        """
        ...


def open_source(contract: Contract) -> Source:
    """The source that a contract describes."""
    return RecordSource(contract) if contract.records is not None else FileSource(contract)


class FileSource:
    """Files below a folder or URL; hidden ones and editors' leftovers are left out."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract

    @cached_property
    def _place(self) -> tuple[fsspec.AbstractFileSystem, str]:
        location = self._contract.location
        try:
            filesystem, root = fsspec.core.url_to_fs(location)
        except (ImportError, ValueError) as e:
            raise SourceUnavailable(
                f"Source {self._contract.name}: {location} cannot be opened: {e}.", "Check the contract's location."
            ) from e
        return filesystem, root.rstrip("/")

    def list(self) -> Iterator[SourceItem]:
        """See ``Source.list``."""
        filesystem, root = self._place
        name, location = self._contract.name, self._contract.location
        try:
            if not filesystem.exists(root):
                raise SourceUnavailable(
                    f"Source {name}: {location} does not exist.", "Mount or create it, or correct `servers` in the contract."
                )
            found = {root: filesystem.info(root)} if filesystem.isfile(root) else filesystem.find(root, detail=True)
            if not found:
                filesystem.ls(root)  # find() says nothing of a folder it may not read; this raises
        except OSError as e:
            reason = e.strerror or str(e)
            raise SourceUnavailable(
                f"Source {name}: {location} cannot be listed: {reason}.", "Give this user the right to read it, or correct the contract."
            ) from e
        for full, info in sorted(found.items()):
            relative = full[len(root) :].lstrip("/") or full.rsplit("/", 1)[-1]
            if info.get("type") == "file" and self._wanted(relative):
                yield _item(relative, full, info)

    def read(self, item: SourceItem) -> bytes:
        """See ``Source.read``."""
        content: bytes = self._place[0].cat_file(item.location)
        return content

    def _wanted(self, path: str) -> bool:
        parts = path.split("/")
        if any(part.startswith(".") or any(fnmatch.fnmatch(part, p) for p in _ALWAYS_LEFT_OUT) for part in parts):
            return False
        if any(_matches(path, glob) for glob in self._contract.exclude):
            return False
        return not self._contract.include or any(_matches(path, glob) for glob in self._contract.include)


def _matches(path: str, glob: str) -> bool:
    """A glob matches the whole path; ``**/`` also matches no folder at all; one without a slash matches any file name."""
    if "/" not in glob:
        return fnmatch.fnmatchcase(path.rsplit("/", 1)[-1], glob)
    return fnmatch.fnmatchcase(path, glob) or ("**/" in glob and fnmatch.fnmatchcase(path, glob.replace("**/", "")))


def _item(relative: str, full: str, info: dict[str, object]) -> SourceItem:
    told = [
        str(info.get(k))
        for k in ("size", "mtime", "created", "ino", "ETag", "etag", "md5Hash", "LastModified", "last_modified", "checksum")
    ]
    return SourceItem(
        path=relative.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace"),
        location=full,
        size=int(str(info.get("size") or 0)),
        modified_at=_modified(info),
        signature=sha256("|".join(told))[:32],
    )


def _modified(info: dict[str, object]) -> datetime:
    for key in ("mtime", "LastModified", "last_modified", "updated", "created"):
        value = info.get(key)
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value, UTC)
        if isinstance(value, datetime):
            return value if value.tzinfo else value.replace(tzinfo=UTC)
        if isinstance(value, str):
            try:
                return datetime.fromisoformat(value)
            except ValueError:
                continue
    return datetime.fromtimestamp(0, UTC)


class RecordSource:
    """The lines of one JSONL file, a document each; its path is the record's id."""

    def __init__(self, contract: Contract) -> None:
        if contract.records is None:
            raise SourceUnavailable(f"Source {contract.name} maps no record fields.", "Add `records` to the contract.")
        self._contract, self._mapping = contract, contract.records
        self._files = FileSource(contract)

    @cached_property
    def _lines(self) -> dict[str, bytes]:
        lines: dict[str, bytes] = {}
        for item in self._files.list():
            for number, line in enumerate(self._files.read(item).splitlines(), start=1):
                if line.strip():
                    lines.setdefault(self._record_id(line, item.path, number), line)
        return lines

    def _record_id(self, line: bytes, path: str, number: int) -> str:
        try:
            return str(json.loads(line)[self._mapping.id])
        except (ValueError, KeyError, TypeError):
            return f"{path}#{number}"  # listed all the same, so that it ends in quarantine with its line and not unseen

    def list(self) -> Iterator[SourceItem]:
        """See ``Source.list``."""
        modified = max((item.modified_at for item in self._files.list()), default=datetime.fromtimestamp(0, UTC))
        for path, line in sorted(self._lines.items()):
            yield SourceItem(path=path, location=path, size=len(line), modified_at=modified, signature=sha256(line)[:32])

    def read(self, item: SourceItem) -> bytes:
        """See ``Source.read``."""
        return self._lines[item.location]
