"""The service under load, its load generator on the same machine.

usage: python -m benchmarks.load --dataset DIR [--home DIR] [--passages N] [--seconds S] [--overload S]

A BEIR folder is ingested and measured as `plumbline evaluate` does it; its passages become ``--passages`` (50,000), each copy a little
different; then real queries are asked, hybrid, at 1, 8, 32 and 128 connections, the live release changing every 20 seconds. Last,
requests come in at four times the rate that was answered, whatever becomes of them. CPU is the service process's own.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from benchmarks.command import plumbline
from benchmarks.load_generator import Taken
from benchmarks.load_home import enlarge
from search_index.home import Home
from search_index.settings import Settings

CONNECTIONS = (1, 8, 32, 128)
SWAP_EVERY_S = 20.0
OVERLOAD = 4
READY_WITHIN_S = 60.0


@dataclass(frozen=True)
class Service:
    """A service that runs as a process of its own, and how long it took to be ready with how much memory."""

    process: psutil.Process
    port: int
    ready_s: float
    first_mb: float

    @property
    def rss_mb(self) -> float:
        return float(self.process.memory_info().rss / 1e6)

    @property
    def cpu_s(self) -> float:
        times = self.process.cpu_times()
        return float(times.user + times.system)


@contextlib.contextmanager
def serving(command: list[str], environment: dict[str, str], port: int, ready: str) -> Iterator[Service]:
    """Run a service until the block is left; it is ready once ``ready`` answers 200.

    Raises:
        RuntimeError: it left, or was not ready in time.
    """
    began = time.perf_counter()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, env=os.environ | environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            while not _answers(port, ready):
                if process.poll() is not None or time.perf_counter() - began > READY_WITHIN_S:
                    log.seek(0)
                    raise RuntimeError(f"{' '.join(command)} is not ready: {log.read().decode()[-2000:]}")
                time.sleep(0.02)
            running = psutil.Process(process.pid)
            yield Service(running, port, time.perf_counter() - began, running.memory_info().rss / 1e6)
        finally:
            process.terminate()
            process.wait(30)


def _answers(port: int, path: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def generated(port: int, path: str, bodies: Path | None, seconds: float, *more: str) -> Taken:
    """What ``benchmarks.load_generator`` took."""
    asked = ["--bodies", str(bodies)] if bodies else []
    command = ["--port", str(port), "--path", path, "--seconds", str(seconds), *asked, *more]
    with tempfile.NamedTemporaryFile("r") as written:
        subprocess.run([sys.executable, "-m", "benchmarks.load_generator", *command, "--out", written.name], check=True)
        return Taken(**json.load(written))


@contextlib.contextmanager
def swapping(home: Home, between: tuple[int, int]) -> Iterator[None]:
    """Until the block is left, every 20 seconds the other of two releases becomes the live one."""
    ended = threading.Event()

    def swap() -> None:
        turn = 0
        while not ended.wait(SWAP_EVERY_S):
            home.catalog.move_live(between[turn % 2], "rollback", "benchmark", "swap", None)
            turn += 1

    thread = threading.Thread(target=swap, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@dataclass(frozen=True)
class Measured:
    """What was taken while a service was asked. ``cpu_s`` and ``rss_mb`` are the service's."""

    asked: str
    taken: Taken
    seconds: float
    cpu_s: float
    rss_mb: float

    @property
    def answered_ms(self) -> np.ndarray:
        """How long answers took, shape (answers,)."""
        return self._ms(200)

    @property
    def p99_ms(self) -> float:
        return float(np.percentile(self.answered_ms, 99))

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.answered_ms) / self.seconds

    def row(self) -> str:
        """As a line of the table."""
        answered, shed = self.answered_ms, self._ms(503)
        failed = len(self.taken.ms) - len(answered) - len(shed)
        cells = (
            self.asked,
            f"{self.rate:.0f}",
            _percentiles(answered),
            str(len(answered)),
            str(len(shed)),
            _percentiles(shed),
            str(failed),
            f"{self.cpu_s / max(len(answered), 1) * 1e3:.1f}",
            f"{self.rss_mb:.0f}",
        )
        return f"| {' | '.join(cells)} |"

    def _ms(self, status: int) -> np.ndarray:
        return np.array([ms for ms, code in zip(self.taken.ms, self.taken.status, strict=True) if code == status])


HEADS = ("asked", "answers/s", "p50 / p95 / p99 ms", "answered", "shed", "shed after, ms", "failed", "CPU-ms an answer", "RSS MB")


def _percentiles(ms: np.ndarray) -> str:
    return " / ".join(f"{value:.1f}" for value in np.percentile(ms, [50, 95, 99])) if len(ms) else "-"


def measure(service: Service, bodies: Path, seconds: float, asked: str, *how: str) -> Measured:
    """Ask, print the row, and give it."""
    before = service.cpu_s
    taken = generated(service.port, "/v1/search", bodies, seconds, *how)
    found = Measured(asked, taken, seconds, service.cpu_s - before, service.rss_mb)
    print(found.row(), flush=True)
    return found


def overload(service: Service, bodies: Path, rate: float, unloaded_ms: float, seconds: float) -> None:
    """Ask at a rate beyond what can be answered, and then with one connection: in what time, and when that was as before."""
    beyond = measure(service, bodies, seconds, f"{rate:.0f} requests/s for {seconds:.0f} s", "--rate", f"{rate:.0f}")
    after = measure(service, bodies, 8, "1 connection, right afterwards", "--connections", "1").taken
    late = [at for at, took, code in zip(after.at, after.ms, after.status, strict=True) if code != 200 or took > 3 * unloaded_ms]
    print(f"\np99 of what was let in is {beyond.p99_ms / unloaded_ms:.1f} times that of one connection; {beyond.taken.not_sent} not sent.")
    print(f"The last answer that was refused or three times as slow came {max(late, default=0):.1f} s afterwards.")


def bodies_of(dataset: Path, folder: Path) -> Path:
    """The collection's queries as bodies of a search, a line each."""
    queries = [json.loads(line)["text"] for line in (dataset / "queries.jsonl").read_text().splitlines()]
    path = folder / "bodies.jsonl"
    path.write_text("\n".join(json.dumps({"query": query, "limit": 10}) for query in queries))
    return path


def main() -> None:
    """Ingest, enlarge, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", type=Path, required=True, help="a BEIR folder")
    parser.add_argument("--home", type=Path, help="where to keep what is built; a second run finds it")
    parser.add_argument("--passages", type=int, default=50_000)
    parser.add_argument("--seconds", type=float, default=30.0, help="for each number of connections")
    parser.add_argument("--overload", type=float, default=120.0, help="seconds; 0 leaves it out")
    parser.add_argument("--port", type=int, default=8123)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.home or Path(scratch) / "home"
        models = Path(os.environ.get("PLUMBLINE_MODELS") or Path(scratch) / "models")
        bodies = bodies_of(arguments.dataset, Path(scratch))
        if not (folder / "catalog.db").exists():
            plumbline(Path(scratch) / "unused", models, "evaluate", "--dataset", str(arguments.dataset), "--home", str(folder))
        settings = Settings(home=folder, models=models, contracts=folder / "contracts")
        home = Home(settings)
        made = [record.revision for record in home.catalog.releases(limit=10) if record.run_id == "benchmark"]
        first = min(made) if made else enlarge(home, arguments.passages)
        environment = {
            "PLUMBLINE_HOME": str(folder),
            "PLUMBLINE_MODELS": str(models),
            "PLUMBLINE_PORT": str(arguments.port),
            "PLUMBLINE_RATE_LIMIT": "0",
            "PLUMBLINE_QUERY_LOG": "figures",
            "PLUMBLINE_ANSWER_CACHE_MB": "0",  # what is measured is searching
        }
        with serving([sys.executable, "-m", "plumbline.cli", "serve"], environment, arguments.port, "/health/ready") as service:
            generated(service.port, "/v1/search", bodies, 5, "--connections", "2")  # the first of everything
            print(f"| {' | '.join(HEADS)} |\n|{'---|' * len(HEADS)}")
            started = f"start of {arguments.passages:,} passages, ready after {service.ready_s:.1f} s"
            print(f"| {started} |{' |' * (len(HEADS) - 2)} {service.first_mb:.0f} |", flush=True)
            with swapping(home, (first, first + 1)):
                rows = [
                    measure(service, bodies, arguments.seconds, f"{n} connection{'s' * (n > 1)}", "--connections", str(n))
                    for n in CONNECTIONS
                ]
                if arguments.overload:
                    rate = OVERLOAD * max(row.rate for row in rows)
                    overload(service, bodies, rate, rows[0].p99_ms, arguments.overload)


if __name__ == "__main__":
    main()
