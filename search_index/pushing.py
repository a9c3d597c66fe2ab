"""Where pushed documents lie until a run takes them in: the service writes there, and a lane reads it like any folder.

``<home>/pushed/<source>/documents`` is what the source's contract points at: a file for each document, either as it was sent, or, of a
text, as one JSON line. Each file comes into being whole, is on the disk before the push is answered, and is never written to again.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from search_index.errors import DiskFull, HomeDamaged, NotFound, WrongUsage
from search_index.model.document import document_id, document_uri, sha256
from search_index.model.pushing import Kind, PushedDocument, PushReceipt, Taken

RECEIPTS_KEPT: Final = timedelta(days=30)
RECORD_FIELDS: Final = {"id": "id", "title": "title", "text": "text", "modified_at": "modified_at"}
"""How a text lies there, as a contract's ``records`` names it; other fields are its metadata."""
_RECEIPT_BYTES: Final = 16


class PushedSource(BaseModel):
    """A source that is pushed to: what it holds, whose it is, and who may read it."""

    model_config = ConfigDict(frozen=True)

    name: str
    kind: Kind
    tenant: str
    access: frozenset[str]


class _KeptReceipt(PushReceipt):
    tenant: str
    access: frozenset[str]


class PushFolder:
    """The folder ``pushed`` of a home.

    Errors:
        DiskFull: there is no room for a document; those before it stay.
        HomeDamaged: the folder cannot be read or written.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def source(self, name: str) -> PushedSource | None:
        """What is known of a source that is pushed to, None where there is none of the name."""
        with self._trouble():
            try:
                return PushedSource.model_validate_json((self._root / name / "source.json").read_bytes())
            except FileNotFoundError:
                return None
            except ValidationError as e:
                raise HomeDamaged(f"{self._root / name / 'source.json'} cannot be read.", "Put back a copy of it.") from e

    def establish(self, wanted: PushedSource) -> PushedSource:
        """Make a source, or give the one that somebody else has made of that name meanwhile."""
        place = self._root / wanted.name / "source.json"
        with self._trouble():
            self.documents(wanted.name).mkdir(parents=True, exist_ok=True)
            fresh = self._incoming(wanted.name, wanted.model_dump_json().encode())
            try:
                os.link(fresh, place)  # the first of two wins
            except FileExistsError:
                found = self.source(wanted.name)
                assert found is not None
                return found
            finally:
                fresh.unlink()
            _sync(place.parent)
            _sync(self._root)
            return wanted

    def count(self) -> int:
        """How many sources there are."""
        return sum(1 for _ in self._root.glob("*/source.json"))

    def has_contract(self, name: str) -> bool:
        """Whether a contract was written for a source once; if there is none now, somebody took it away."""
        return (self._root / name / "contract.written").is_file()

    def note_contract(self, name: str) -> None:
        """Remember that one was."""
        with self._trouble():
            (self._root / name / "contract.written").touch()

    def write_beside(self, name: str, content: bytes, place: Path) -> None:
        """Write a file elsewhere in the home, whole, unless there is one."""
        with self._trouble():
            place.parent.mkdir(parents=True, exist_ok=True)
            fresh = self._incoming(name, content)
            try:
                os.link(fresh, place)
            except FileExistsError:
                return
            finally:
                fresh.unlink()
            _sync(place.parent)

    def documents(self, source: str) -> Path:
        """The folder that a source's contract points at."""
        return self._root / source / "documents"

    def put(self, source: PushedSource, documents: Sequence[PushedDocument]) -> list[Taken]:
        """Take documents in, in place of those that stand at their paths. What stands there with the same bytes is left alone.

        Raises:
            WrongUsage: a path goes through a file, or names a folder; documents before it were taken.
        """
        return [self._put(source, document) for document in documents]

    def remove(self, source: PushedSource, paths: Sequence[str]) -> list[Taken]:
        """Take documents away. Those that are not there are gone already."""
        with self._trouble():
            for path in paths:
                place = self._place(source, path)
                try:
                    place.unlink()
                except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                    continue
                _sync(place.parent)
        return [_taken(source, path, None) for path in paths]

    def keep_receipt(self, source: PushedSource, documents: list[Taken], at: datetime) -> PushReceipt:
        """Write down what was pushed, for thirty days."""
        made = f"{at:%Y%m%d}-{secrets.token_hex(_RECEIPT_BYTES)}"
        kept = _KeptReceipt(receipt=made, source=source.name, at=at, documents=documents, tenant=source.tenant, access=source.access)
        with self._trouble():
            place = self._receipt(made)
            if not place.parent.is_dir():
                place.parent.mkdir(parents=True, exist_ok=True)
                self._forget_receipts(at.date())
            os.replace(self._incoming(source.name, kept.model_dump_json().encode()), place)
            _sync(place.parent)
        return PushReceipt.model_validate(kept.model_dump(include=set(PushReceipt.model_fields)))

    def receipt(self, name: str, tenant: str, groups: frozenset[str]) -> PushReceipt:
        """A receipt of a source that somebody may read all of.

        Raises:
            NotFound: there is none, or it is somebody else's, or too old.
        """
        day, _, drawn = name.partition("-")
        unknown = NotFound(f"There is no receipt {name[:80]!r}.", "Receipts are kept for thirty days.")
        if len(day) != 8 or len(drawn) != 2 * _RECEIPT_BYTES or not (day + drawn).isalnum() or not name.isascii():
            raise unknown
        with self._trouble():
            try:
                kept = _KeptReceipt.model_validate_json(self._receipt(name).read_bytes())
            except (FileNotFoundError, ValidationError):
                raise unknown from None
        if kept.tenant != tenant or not kept.access <= groups:
            raise unknown
        return kept

    def _put(self, source: PushedSource, document: PushedDocument) -> Taken:
        content = document.file_bytes()
        stored = content if content is not None else _line(document)
        place, of = self._place(source, document.path), stored if source.kind == "files" else stored.rstrip(b"\n")
        with self._trouble():
            try:
                if not (place.is_file() and place.read_bytes() == stored):
                    place.parent.mkdir(parents=True, exist_ok=True)
                    fresh = self._incoming(source.name, stored)
                    if document.modified_at is not None and content is not None:
                        os.utime(fresh, (document.modified_at.timestamp(),) * 2)
                    try:
                        os.replace(fresh, place)
                    finally:
                        fresh.unlink(missing_ok=True)
                    _sync_up(place.parent, self._root)
            except (NotADirectoryError, IsADirectoryError, FileExistsError) as e:
                raise WrongUsage(
                    f"{document.path} goes through a document, or is a folder of documents.", "Choose another path, or remove those first."
                ) from e
        return _taken(source, document.path, sha256(of))

    def _place(self, source: PushedSource, path: str) -> Path:
        documents = self.documents(source.name)
        return documents / path if source.kind == "files" else documents / f"{document_id(source.name, path)}.jsonl"

    def _incoming(self, source: str, content: bytes) -> Path:
        """A file that is on the disk and nowhere to be found yet."""
        folder = self._root / source / "incoming"
        folder.mkdir(parents=True, exist_ok=True)
        fresh = folder / secrets.token_hex(8)
        try:
            with fresh.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            fresh.unlink(missing_ok=True)
            raise
        return fresh

    def _receipt(self, name: str) -> Path:
        return self._root / ".receipts" / name[:8] / f"{name}.json"

    def _forget_receipts(self, today: date) -> None:
        oldest = f"{today - RECEIPTS_KEPT:%Y%m%d}"
        for day in (self._root / ".receipts").iterdir():
            if day.name < oldest:
                shutil.rmtree(day, ignore_errors=True)

    @contextmanager
    def _trouble(self) -> Iterator[None]:
        try:
            yield
        except (NotADirectoryError, IsADirectoryError, FileExistsError):
            raise
        except OSError as e:
            if e.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DiskFull("There is no room for what was pushed.", "Make room in the home, then push again.") from e
            raise HomeDamaged(
                f"{self._root} cannot be used: {e.strerror or type(e).__name__}.", "Give the service's user the right to read and write it."
            ) from e


def _line(document: PushedDocument) -> bytes:
    told: dict[str, object] = {"id": document.path, "title": document.title or "", "text": document.text}
    if document.modified_at is not None:
        told["modified_at"] = document.modified_at.astimezone(UTC).isoformat()
    if document.metadata:
        told["metadata"] = document.metadata
    return json.dumps(told, ensure_ascii=False, sort_keys=True).encode("utf-8", "replace") + b"\n"


def _taken(source: PushedSource, path: str, digest: str | None) -> Taken:
    return Taken(uri=document_uri(source.name, path), document_id=document_id(source.name, path), sha256=digest)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_up(folder: Path, root: Path) -> None:
    """A file's folder, and those above it that it may have come with."""
    while folder != root:
        _sync(folder)
        folder = folder.parent
