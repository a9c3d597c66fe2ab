"""Files of a zip or tar archive, wherever the archive lies. Nothing is unpacked to disk, so no name in it can write anywhere."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import stat
import tarfile
import weakref
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import BinaryIO, cast

from pipelines.sources.interface import UNKNOWN_TIME, SourceItem, instant, refuse_problem
from pipelines.sources.limits import problem_item, read_bounded, within_limits
from pipelines.sources.locations import filesystem_of, local_path, os_errors
from pipelines.sources.names import Wanted, clean_path, harmless_path, leaves_its_root
from pipelines.sources.remote import signature_in
from pipelines.sources.unpacked import BOMB_RATIO, Unpacked
from quality_checks.contracts import Contract
from search_index.errors import SourceUnavailable
from search_index.model.document import sha256

_SMALL_BYTES = 16 << 20
_DECOMPRESSORS: tuple[tuple[bytes, Callable[[BinaryIO], AbstractContextManager[object]]], ...] = (
    (b"\x1f\x8b", lambda file: gzip.GzipFile(fileobj=file)),
    (b"BZh", bz2.BZ2File),
    (b"\xfd7zXZ\x00", lzma.LZMAFile),
)


@dataclass(frozen=True, slots=True)
class _Entry:
    """One entry of an archive. ``problem`` is why it cannot be taken."""

    name: str
    size: int
    modified_at: datetime
    signature: str
    member: zipfile.ZipInfo | tarfile.TarInfo
    problem: str = ""


class ArchivePlace:
    """``zip://FOLDER::LOCATION`` or ``tar://FOLDER::LOCATION``; FOLDER may be empty. Items come in the archive's own order.

    Random access in a compressed tar is dear, so it is read in order: reading items as they are listed unpacks it once.
    """

    def __init__(self, contract: Contract, location: str) -> None:
        head, _, self._outer = location.partition("::")
        self._protocol, _, inner = head.partition("://")
        self._folder = f"{inner.strip('/')}/" if inner.strip("/") else ""
        self._contract, self._location = contract, location
        self._wanted = Wanted(contract.include, contract.exclude)
        self._opened: tuple[zipfile.ZipFile | tarfile.TarFile, str] | None = None
        self._entries: dict[str, _Entry] = {}
        self._held = ExitStack()
        weakref.finalize(self, self._held.close)

    def list(self) -> Iterator[SourceItem]:
        """See ``Source.list``."""
        name = self._contract.name
        self._held.close()
        self._opened, self._entries = None, {}
        try:
            with os_errors():
                yield from within_limits(self._items(), self._contract)
        except FileNotFoundError as e:
            raise SourceUnavailable(
                f"Source {name}: the archive {self._outer} does not exist.", "Mount or create it, or correct `servers` in the contract."
            ) from e
        except OSError as e:
            raise SourceUnavailable(
                f"Source {name}: the archive {self._outer} cannot be listed: {e.strerror or e}.", "Put a whole archive in its place."
            ) from e

    def read(self, item: SourceItem) -> bytes:
        """See ``Source.read``."""
        with self.open(item) as file:
            return read_bounded(file, item.path, self._contract.limits.file_bytes)

    @contextmanager
    def open(self, item: SourceItem) -> Iterator[BinaryIO]:
        """See ``FilePlace.open``."""
        refuse_problem(item)
        if not self._entries:
            for _ in self.list():
                pass
        entry = self._entries.get(item.location)
        if entry is None:
            raise FileNotFoundError(0, "it is not in the archive any more")
        archive = self._archive()[0]
        with os_errors():
            if isinstance(archive, zipfile.ZipFile):
                file = cast("BinaryIO", archive.open(cast("zipfile.ZipInfo", entry.member)))
            else:
                file = cast("BinaryIO", archive.extractfile(cast("tarfile.TarInfo", entry.member)))
            with file:
                yield file

    def _items(self) -> Iterator[SourceItem]:
        archive, signature = self._archive()
        seen: set[str] = set()
        entries = _zip_entries(archive) if isinstance(archive, zipfile.ZipFile) else _tar_entries(archive, signature)
        for number, entry in enumerate(entries):
            shown = harmless_path(entry.name)
            if leaves_its_root(entry.name):
                yield problem_item(
                    f"{shown}#{number}", f"{shown} has a name that leads out of the archive.", "Make the archive again without it."
                )
                continue
            name = entry.name.removeprefix("./")
            if not name.startswith(self._folder) or not self._wanted(path := clean_path(name[len(self._folder) :])):
                continue
            problem = entry.problem
            if path in seen:
                path, problem = f"{path}#{number}", f"{path} is in the archive more than once; the first counts."
            seen.add(path)
            if problem:
                yield problem_item(path, problem.format(path=path), "Make the archive again with plain files, or exclude this one.")
                continue
            location = f"{number}/{name}"
            self._entries[location] = entry
            yield SourceItem(path, location, entry.size, entry.modified_at, entry.signature)

    def _archive(self) -> tuple[zipfile.ZipFile | tarfile.TarFile, str]:
        if self._opened is None:
            file, size, signature = self._file()
            archive: zipfile.ZipFile | tarfile.TarFile
            if self._protocol == "zip":
                archive = zipfile.ZipFile(file)
            else:
                start = file.read(8)
                file.seek(0)
                unpacker = next((unpacker for magic, unpacker in _DECOMPRESSORS if start.startswith(magic)), None)
                if unpacker is not None:
                    allowed = max(self._contract.limits.file_bytes, BOMB_RATIO * size)
                    unpacked = cast("BinaryIO", self._held.enter_context(unpacker(file)))
                    file = cast("BinaryIO", Unpacked(unpacked, self._contract.name, self._contract.limits.file_bytes, allowed))
                archive = tarfile.TarFile(fileobj=file)
            self._held.callback(archive.close)
            self._opened = archive, signature
        return self._opened

    def _file(self) -> tuple[BinaryIO, int, str]:
        """The archive's bytes, how many they are, and a signature of them, empty where nobody vouches for it."""
        path = local_path(self._outer)
        if path is not None:
            if not stat.S_ISREG(os.stat(path).st_mode):
                raise OSError(0, "it is not a file")
            file = cast("BinaryIO", self._held.enter_context(io.FileIO(path)))
            info = os.fstat(file.fileno())
            return file, info.st_size, sha256(f"{info.st_size}|{info.st_mtime_ns}|{info.st_ctime_ns}|{info.st_ino}")
        filesystem, inner = filesystem_of(self._outer, self._contract.endpoint_url)
        about = filesystem.info(inner)
        return self._held.enter_context(filesystem.open(inner, "rb")), int(str(about.get("size") or 0)), signature_in(about)


def _zip_entries(archive: zipfile.ZipFile) -> Iterator[_Entry]:
    for info in archive.infolist():
        if info.is_dir():
            continue
        problem = ""
        if info.flag_bits & 1:
            problem = "{path} is encrypted."
        elif stat.S_ISLNK(info.external_attr >> 16):
            problem = "{path} is a link, not a file."
        elif info.file_size > max(_SMALL_BYTES, BOMB_RATIO * info.compress_size):
            problem = f"{{path}} unpacks to more than {BOMB_RATIO} times its size, as a zip bomb does."
        try:
            modified_at = datetime(*info.date_time, tzinfo=UTC)
        except ValueError:  # the format allows a month 0
            modified_at = UNKNOWN_TIME
        signature = sha256(f"{info.CRC}|{info.file_size}|{info.date_time}")[:32]
        yield _Entry(info.filename, info.file_size, modified_at, signature, info, problem)


def _tar_entries(archive: tarfile.TarFile, whole: str) -> Iterator[_Entry]:
    for info in archive:
        if info.isdir():
            continue
        problem = "" if info.isreg() else "{path} is a link or a device, not a file."
        # A tar has no checksum of a file's bytes, and archives made reproducibly no times: any other archive is read again.
        signature = sha256(f"{whole}|{info.name}|{info.size}|{info.mtime}|{info.offset}")[:32] if whole else ""
        yield _Entry(info.name, info.size, instant(info.mtime), signature, info, problem)
