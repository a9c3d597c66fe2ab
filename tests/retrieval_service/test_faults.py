"""Faults put into a running service while it is asked without a pause: what callers saw, and how soon it was whole again.

Nobody is given a wrong answer, or one of another release than it names; what cannot be answered is refused by name. The figures are
recorded as properties: ``make qualify`` writes them down as a table.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from tests.network import guarded
from tests.project import Project
from tests.retrieval_service.test_end_to_end import serving

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

WORDS = {1: "six", 2: "seven"}
"""What the ferry leaves at, by release."""
QUERY = "when does the ferry leave the harbour"
ASKING = 2
WHOLE_WITHIN_S = 60.0
FILLER = {f"{n:02d}.txt": f"Notice {n}. The lock keeper opens gate {n} for barges of {n} tons and for no others." for n in range(30)}


class Seen(NamedTuple):
    """One request: when its answer came, and what it was."""

    at: float
    what: str
    right: bool


@dataclass
class Asking:
    """Callers that never pause."""

    address: str
    seen: list[Seen] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        with httpx.Client(base_url=self.address, timeout=30) as client:
            while not self._stop.is_set():
                try:
                    response = client.post("/v1/search", json={"query": QUERY, "limit": 3})
                except httpx.TransportError as error:
                    self.seen.append(Seen(time.monotonic(), f"no answer ({type(error).__name__})", False))
                    continue
                self.seen.append(Seen(time.monotonic(), *self._told(response)))

    @staticmethod
    def _told(response: httpx.Response) -> tuple[str, bool]:
        body = response.json()
        if response.status_code != 200:
            return f"{response.status_code} {body['type'].rpartition(':')[2]}", response.status_code != 500
        revision = int(response.headers["Plumbline-Release"])
        right = body["release"]["revision"] == revision and f"at {WORDS[revision]}" in body["hits"][0]["text"]
        left_out = ", ".join(sorted({f"{each['arm']} {each['reason']}" for each in body["degraded"]}))
        return f"answered by {body['mode']}{f' without {left_out}' if left_out else ''}", right

    @contextlib.contextmanager
    def going(self) -> Iterator[None]:
        threads = [threading.Thread(target=self.run) for _ in range(ASKING)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()

    def whole_after(self, since: float) -> float:
        """Seconds until the first whole answer that came after ``since``, with nothing else after it for a while."""
        until = time.monotonic() + WHOLE_WITHIN_S
        while time.monotonic() < until:
            time.sleep(0.5)
            later = [one for one in list(self.seen) if one.at > since]
            broken = [one.at for one in later if one.what != "answered by hybrid"]
            last = max(broken, default=since)
            if (whole := [one.at for one in later if one.at > last]) and time.monotonic() - last > 1.0:
                return min(whole) - since
        raise AssertionError(f"not whole again: {self.seen[-3:]}")


@dataclass
class House:
    """A project with two releases, its service, and the folder that faults are named in."""

    project: Project
    address: str
    flags: Path

    @property
    def directory(self) -> Path:
        """The newest directory of the index."""
        return max((path for path in (self.project.settings.root / "index").glob("*/*") if path.is_dir()), key=lambda path: path.name)

    def move(self, revision: int) -> None:
        """Make another release the live one."""
        self.project.home.catalog.move_live(revision, "rollback" if revision == 1 else "resume", "tester", "try", paused=None)

    def health(self) -> dict[str, object]:
        answer: dict[str, object] = httpx.get(f"{self.address}/health/ready", timeout=10).json()
        return answer


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[House]:
    root = tmp_path_factory.mktemp("faults")
    disk = root / "disk"
    disk.mkdir()
    own = os.geteuid() == 0 and subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600m", "tmpfs", str(disk)], check=False).returncode == 0
    project = Project(disk)
    folder = project.source("notes", {"ferry.txt": "The ferry leaves the harbour at six.", **FILLER})
    assert project.ingest().success
    (folder / "ferry.txt").write_text("The ferry leaves the harbour at seven.")
    assert project.ingest().success
    flags = root / "flags"
    flags.mkdir()
    # Nothing is answered from kept answers: each request asks the parts that fail.
    environment = guarded(os.environ) | {"PLUMBLINE_ENCODER_TIMEOUT": "0.5", "PLUMBLINE_RATE_LIMIT": "0", "PLUMBLINE_ANSWER_CACHE_MB": "0"}
    command = [sys.executable, "-m", "tests.retrieval_service.faulty_service", str(flags)]
    with serving(project, environment, command) as address:
        yield House(project, address, flags)
    project.home.close()
    if own:
        subprocess.run(["umount", "-l", str(disk)], check=True)


Heal = Callable[[], None]


def flagged(name: str) -> Callable[[House], Heal]:
    def begin(house: House) -> Heal:
        flag = house.flags / name
        flag.touch()
        return flag.unlink

    return begin


def without_index(house: House) -> Heal:
    index = house.project.settings.root / "index"
    gone = index.rename(index.with_name("index.gone"))

    def heal() -> None:
        gone.rename(index)

    return heal


def catalog_locked(house: House) -> Heal:
    connection = sqlite3.connect(house.project.settings.root / "catalog.db", isolation_level=None, check_same_thread=False)
    connection.execute("BEGIN EXCLUSIVE")
    return connection.close


def disk_full(house: House) -> Heal:
    if not os.path.ismount(house.project.root):
        pytest.skip("needs the right to mount a file system of its own: run as root on Linux")
    filler = house.project.root / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(1 << 20))
    return filler.unlink


def moved_beside(house: House, breaks: Callable[[Path], None]) -> Heal:
    """What is open stays as it was; what would be opened next is broken, and something is to be opened."""
    there = house.directory
    kept = there.rename(there.with_name(f".{there.name}"))
    breaks_at = there
    shutil.copytree(kept, there)
    breaks(breaks_at)
    house.move(1)

    def heal() -> None:
        shutil.rmtree(there, ignore_errors=True)
        kept.rename(there)
        house.move(2)

    return heal


def corrupt_release(house: House) -> Heal:
    def breaks(directory: Path) -> None:
        ledger = directory / "points.arrow"
        content = bytearray(ledger.read_bytes())
        content[len(content) // 2] ^= 0xFF
        ledger.write_bytes(content)

    return moved_beside(house, breaks)


def half_published(house: House) -> Heal:
    def breaks(directory: Path) -> None:
        for path in sorted(path for path in directory.rglob("*") if path.is_file())[::2]:
            path.unlink()

    return moved_beside(house, breaks)


FAULTS: dict[str, tuple[Callable[[House], Heal], str]] = {
    "the engine's directory is removed": (without_index, "answered by hybrid"),
    "the engine fails in every call": (flagged("engine"), "answered by lexical without dense HomeDamaged, sparse HomeDamaged"),
    "the encoder hangs": (flagged("encoder"), "answered by hybrid without dense EncoderTimeout"),
    "the catalog is locked by another process": (catalog_locked, "answered by hybrid"),
    "the disk is full": (disk_full, "answered by hybrid"),
    "the clock jumps forty days ahead": (flagged("clock"), "answered by hybrid"),
    "the release to be loaded is corrupt": (corrupt_release, "answered by hybrid"),
    "the release to be loaded is half there": (half_published, "answered by hybrid"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_nobody_is_answered_wrongly_and_all_is_whole_again(
    name: str, house: House, rounds: int, record_property: Callable[[str, object], None]
) -> None:
    begin, expected = FAULTS[name]
    asking = Asking(house.address)
    with asking.going():
        asking.whole_after(time.monotonic())
        began = time.monotonic()
        heal = begin(house)
        time.sleep(2.0 * min(max(rounds, 1), 15))
        heal()
        healed = time.monotonic()
        whole_s = asking.whole_after(healed)
    meanwhile = [one for one in asking.seen if began <= one.at <= healed]
    wrong = [one for one in asking.seen if not one.right]
    told = Counter(one.what for one in meanwhile)
    record_property("fault", json.dumps([name, len(meanwhile), dict(told.most_common()), len(wrong), round(whole_s, 1)]))
    assert wrong == []
    assert told[expected] > 0, told
