"""What the server engine keeps beside the lake: per revision its ledger, the term statistics and what it is.

``<url>/<index>/r0000007/`` has ``staged.json`` (which collection its points are in; written before the first of them),
``points.arrow``, ``statistics/<revision>.npz``, ``vacuumed.json`` (points that the ledger no longer has and the collection still may) and,
once it is published, ``about.json``. The URL is a folder or whatever ``pyarrow.fs`` reads, ``s3://bucket/path`` for one.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
from pyarrow import fs
from pydantic import BaseModel, ConfigDict

from search_index.engine import ledger as ledgers
from search_index.engine import tenant_statistics
from search_index.engine.about import About
from search_index.engine.directory import name_of, sync, sync_tree
from search_index.engine.server_lineage import Lineages
from search_index.engine.tenant_statistics import ByTenant
from search_index.errors import DiskFull, HomeDamaged, WrongUsage

REPAIR = "Run `plumbline doctor`; put the folder back from a copy."


class Place(BaseModel):
    """``staged.json``: the collection that a revision's points are in. ``begun`` is the revision it was made for.

    Its name ends in ``token``, drawn when it was made, so that no other home that shares the server can have one of that name.
    """

    model_config = ConfigDict(frozen=True)

    begun: int
    token: str


class ServerAbout(About):
    """``about.json``, with the collection."""

    place: Place


class LedgerFolders:
    """The folders of all revisions of all indexes.

    Errors (from every method):
        HomeDamaged: something cannot be read or written, or is not what was written.
        DiskFull: there is no room for it.
    """

    def __init__(self, url: str) -> None:
        self._files: fs.FileSystem
        self._root: str
        try:
            # Files of this machine are mapped, so that the readers of one revision share them.
            self._files, self._root = fs.FileSystem.from_uri(url) if "://" in url else (fs.LocalFileSystem(use_mmap=True), url)
        except (OSError, pa.ArrowException) as error:
            raise WrongUsage(f"No ledger can be kept at {url}: {type(error).__name__}.", "Set PLUMBLINE_LAKE_URL to a folder.") from error

    def indexes(self) -> list[str]:
        """Indexes that have any folder."""
        return sorted(entry.base_name for entry in self._entries("") if not entry.is_file)

    def revisions(self, index: str) -> list[int]:
        """Revisions of an index that have a folder, finished or not, rising."""
        names = (entry.base_name for entry in self._entries(index))
        return sorted(int(name[1:]) for name in names if name.startswith("r") and name[1:].isdigit())

    def finished(self, index: str, revision: int) -> bool:
        """Whether a revision was published, as far as the engine knows."""
        return self._is_file(index, revision, "about.json")

    def place(self, index: str, revision: int) -> Place | None:
        """Where the points of a revision are; None where the folder does not say, because nothing was written anywhere yet."""
        if self.finished(index, revision):
            return self.about(index, revision).place
        if not self._is_file(index, revision, "staged.json"):
            return None
        try:
            return Place.model_validate_json(self._read(index, revision, "staged.json"))
        except ValueError:
            return None

    def lineages(self, index: str) -> Lineages:
        """Which revisions of an index share a collection. A folder that does not say has no points anywhere, and stands for itself."""
        places = {revision: self.place(index, revision) for revision in self.revisions(index)}
        return Lineages({revision: place.begun if place else revision for revision, place in places.items()})

    def about(self, index: str, revision: int) -> ServerAbout:
        """What a published revision is."""
        try:
            return ServerAbout.parsed(self._read(index, revision, "about.json"), self._path(index, revision))
        except ValueError as error:
            raise HomeDamaged(f"{self._path(index, revision, 'about.json')} is not what was written.", REPAIR) from error

    def ledger(self, index: str, about: ServerAbout) -> pa.Table:
        """The ledger of a revision, held against the hash in ``about``."""
        path = self._path(index, about.revision, "points.arrow")
        with _errors(path), self._files.open_input_file(path) as file:
            rows = ledgers.read_from(file)
        if ledgers.content_hash(rows) != about.content:
            raise HomeDamaged(f"{path}: the ledger of points is not the one that was written.", REPAIR)
        return rows

    def statistics(self, index: str, revision: int) -> list[int]:
        """Revisions whose term statistics the folder of one holds, rising."""
        names = (entry.base_name for entry in self._entries(f"{index}/{name_of(revision)}/statistics"))
        return sorted(int(name.removesuffix(".npz")) for name in names if name.endswith(".npz"))

    def load_statistics(self, index: str, revision: int, of: int) -> ByTenant:
        """The term statistics of revision ``of``, of every tenant, from the folder of another."""
        try:
            return tenant_statistics.read(io.BytesIO(self._read(index, revision, f"statistics/{of}.npz")))
        except (ValueError, KeyError) as error:
            raise HomeDamaged(f"The term statistics of revision {of} are not what was written.", REPAIR) from error

    def begin(self, index: str, revision: int, place: Place) -> None:
        """Say where a revision's points will be, before the first of them is there."""
        with self._writing(index, revision, "staged.json") as file:
            file.write(place.model_dump_json().encode())

    def fill(self, index: str, revision: int, ledger: pa.Table, statistics: Mapping[int, ByTenant], vacuumed: Sequence[str]) -> None:
        """Write a revision's ledger, the term statistics it answers with, and ids of points that it dropped from the ledger."""
        with self._writing(index, revision, "points.arrow") as file:
            ledgers.write_to(ledger, file)
        for of, each in statistics.items():
            packed = io.BytesIO()
            tenant_statistics.write(each, packed)
            with self._writing(index, revision, f"statistics/{of}.npz") as file:
                file.write(packed.getbuffer())
        with self._writing(index, revision, "vacuumed.json") as file:
            file.write(json.dumps(list(vacuumed)).encode())

    def vacuumed(self, index: str, revision: int) -> list[str]:
        """Ids of the points that a revision dropped from the ledger."""
        try:
            return [str(point) for point in json.loads(self._read(index, revision, "vacuumed.json"))]
        except ValueError as error:
            raise HomeDamaged(f"{self._path(index, revision, 'vacuumed.json')} is not what was written.", REPAIR) from error

    def finish(self, index: str, about: ServerAbout) -> None:
        """Publish a revision: ``about.json`` is there whole or not at all."""
        path = self._path(index, about.revision, "about.json")
        with self._writing(index, about.revision, "about.json.part") as file:
            file.write(about.model_dump_json(indent=1).encode())
        with _errors(path):
            if local := self._local(self._path(index, about.revision)):
                sync_tree(local)
            self._files.move(f"{path}.part", path)
            if local:
                sync(local)
                sync(local.parent)

    def unfinish(self, index: str, revision: int) -> None:
        """Take a publication back; the rest of the folder stays, so that its points can still be found."""
        path = self._path(index, revision, "about.json")
        with _errors(path):
            if self._is_file(index, revision, "about.json"):
                self._files.delete_file(path)

    def remove(self, index: str, revision: int) -> None:
        """Remove a revision's folder, once nothing of it is left to be undone."""
        path = self._path(index, revision)
        with _errors(path):
            if self._files.get_file_info(path).type != fs.FileType.NotFound:
                self._files.delete_dir(path)
        if not self.revisions(index):
            with _errors(path):
                self._files.delete_dir(f"{self._root}/{index}")

    def size(self, index: str, revision: int) -> int:
        """Bytes that the files of a revision's folder have."""
        return sum(entry.size or 0 for entry in self._entries(f"{index}/{name_of(revision)}", recursive=True) if entry.is_file)

    def _path(self, index: str, revision: int, name: str = "") -> str:
        return f"{self._root}/{index}/{name_of(revision)}" + (f"/{name}" if name else "")

    def _local(self, path: str) -> Path | None:
        return Path(path) if isinstance(self._files, fs.LocalFileSystem) else None

    def _is_file(self, index: str, revision: int, name: str) -> bool:
        path = self._path(index, revision, name)
        with _errors(path):
            return bool(self._files.get_file_info(path).is_file)

    def _entries(self, folder: str, *, recursive: bool = False) -> list[fs.FileInfo]:
        path = f"{self._root}/{folder}".rstrip("/")
        with _errors(path):
            return list(self._files.get_file_info(fs.FileSelector(path, allow_not_found=True, recursive=recursive)))

    def _read(self, index: str, revision: int, name: str) -> bytes:
        path = self._path(index, revision, name)
        with _errors(path), self._files.open_input_file(path) as file:
            return bytes(file.read())

    @contextmanager
    def _writing(self, index: str, revision: int, name: str) -> Iterator[pa.NativeFile]:
        path = self._path(index, revision, name)
        with _errors(path):
            self._files.create_dir(os.path.dirname(path), recursive=True)
            if self._files.get_file_info(path).is_file:
                self._files.delete_file(path)  # somebody may have it mapped, and goes on reading what is gone
            with self._files.open_output_stream(path) as file:
                yield file


@contextmanager
def _errors(path: str) -> Iterator[None]:
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        if "No space left" in str(error):
            raise DiskFull(f"{path} cannot be written: the disk is full.", "Free some space and run it again.") from error
        raise HomeDamaged(f"{path} cannot be used: {type(error).__name__}.", REPAIR) from error
