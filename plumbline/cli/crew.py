"""The processes of ``plumbline up``: started, restarted when they die, and stopped together; none outlives its parent."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from search_index.errors import Busy, HomeDamaged, PlumblineError, WrongUsage

STOP_WITHIN_S = 8.0
"""How long the processes have to end by themselves once asked."""
BACKOFF_MOST_S = 30.0
STEADY_AFTER_S = 60.0
"""A process that ran this long has earned a quick restart."""
_PR_SET_PDEATHSIG = 1
_WATCH = """
import os, signal, sys, time
groups = [line.strip() for line in sys.stdin]
if groups[-1:] != ["done"]:
    time.sleep(float(sys.argv[1]))
    for group in groups:
        try:
            os.killpg(int(group), signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
"""
"""Reads the process groups of workers until whoever writes them is gone. A worker that is told to end in the middle of starting a process
of its own may end without it; what is left of a group is ended here."""
_LOG_KEPT = 5_000_000


@dataclass
class Worker:
    """One process to mind."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    failures: int = 0
    started_at: float = 0.0
    restart_at: float | None = None


class Crew:
    """Workers in the order they are started; they are stopped in the opposite order."""

    def __init__(self, workers: Sequence[Worker], say: Callable[[str], None]) -> None:
        self._workers = list(workers)
        self._say = say
        self._watch: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start every worker, and what ends the rest of them should this process be killed."""
        command = [sys.executable, "-S", "-c", _WATCH, str(STOP_WITHIN_S)]
        self._watch = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
        for worker in self._workers:
            self._start(worker)

    def log_of(self, name: str) -> Path:
        """Where a worker's output goes."""
        return next(worker.log for worker in self._workers if worker.name == name)

    def mind(self) -> None:
        """Look once: a worker that ended is reported and, after a while that grows each time, started again.

        Errors:
            Busy, WrongUsage: a worker says that it cannot work as it is set up.
        """
        for worker in self._workers:
            if worker.restart_at is not None:
                if time.monotonic() >= worker.restart_at:
                    self._start(worker)
            elif worker.process is not None and worker.process.poll() is not None:
                self._ended(worker, worker.process.returncode)

    def stop(self) -> None:
        """Ask all to end, the last one started first, and make those that do not within seconds."""
        asked = [(w, w.process) for w in reversed(self._workers) if w.process is not None]
        for _, process in asked:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        until = time.monotonic() + STOP_WITHIN_S
        for worker, process in asked:
            try:
                process.wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                self._say(f"{worker.name} did not stop in time and is killed.")
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)  # what it started and left behind goes with it
            process.wait()
        watch, self._watch = self._watch, None
        if watch is not None:
            with contextlib.suppress(BrokenPipeError):
                watch.communicate(b"done\n")

    def _tell(self, line: str) -> None:
        """Tell the watch. One that was killed itself is missed by nobody until this process is killed too."""
        if self._watch is not None and self._watch.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._watch.stdin.write(f"{line}\n".encode())
                self._watch.stdin.flush()

    def _start(self, worker: Worker) -> None:
        try:
            worker.log.parent.mkdir(parents=True, exist_ok=True)
            if worker.log.exists() and worker.log.stat().st_size > _LOG_KEPT:
                worker.log.replace(worker.log.with_suffix(".log.1"))
            with worker.log.open("ab") as log:
                worker.process = spawn(worker.command, worker.environment, output=log.fileno())
        except OSError as error:
            raise HomeDamaged(f"{worker.name} cannot be started: {error}.", "Check the home's owner, its mode and the disk.") from error
        self._tell(str(worker.process.pid))
        worker.started_at, worker.restart_at = time.monotonic(), None

    def _ended(self, worker: Worker, code: int) -> None:
        reason = _last_line(worker.log)
        if code in (WrongUsage.exit_code, Busy.exit_code) and worker.name == "service":
            kind: type[PlumblineError] = Busy if code == Busy.exit_code else WrongUsage
            raise kind(f"The service will not start: {reason}", f"Its log: {worker.log}")
        steady = time.monotonic() - worker.started_at >= STEADY_AFTER_S
        worker.failures = 1 if steady else worker.failures + 1
        delay = min(BACKOFF_MOST_S, 2.0 ** (worker.failures - 2))
        worker.restart_at = time.monotonic() + delay
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
        self._say(f"{worker.name} {how}; starting it again in {delay:.1f} s. Its log: {worker.log}")


def spawn(command: Sequence[str], environment: Mapping[str, str], output: int) -> subprocess.Popen[bytes]:
    """Start a process that writes to the file descriptor ``output`` and dies with this one, however this one dies.

    It gets a process group of its own, so that Ctrl-C in the terminal reaches this process alone, which then stops the others in order.
    """
    return subprocess.Popen(
        list(command),
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        process_group=0,
        preexec_fn=_die_with(os.getpid()),  # noqa: PLW1509 - only one thread is running here
    )


def _die_with(parent: int) -> Callable[[], None] | None:
    """What a child does first: ask the kernel for SIGTERM when its parent is gone. SIGTERM, so that it stops its own children."""
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)

    def ask() -> None:
        # Whoever started us may have ignored or blocked it, and both are handed down.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        library.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died before we asked
            os._exit(1)

    return ask


def _last_line(log: Path) -> str:
    """The last line of a log that says something."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 4000))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return "its log cannot be read"
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
