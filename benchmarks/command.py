"""One ``plumbline`` command as a process of its own, and what it cost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
from pydantic import JsonValue as Json

Answer = dict[str, Json]
LOOK_EVERY_S = 0.5


@dataclass(frozen=True)
class Cost:
    """What a command took, all its processes together: CPU and wall seconds, and the most memory at one time in MB.

    Memory is proportional set size, so that what processes share counts once; it is looked at twice a second.
    """

    cpu_s: float
    wall_s: float
    peak_mb: float
    answer: Answer


def plumbline(home: Path, models: Path, *arguments: str) -> Cost:
    """Run ``plumbline ARGUMENTS --json`` on a home; its progress goes to this process's standard error.

    Args:
        models: where exported models are kept, so that only the first command that needs one pays for the export.

    Raises:
        RuntimeError: the command failed, with the end of what it printed.
    """
    home.parent.mkdir(parents=True, exist_ok=True)
    environment = {"PLUMBLINE_HOME": str(home), "PLUMBLINE_MODELS": str(models), "PATH": os.environ["PATH"], "HOME": os.environ["HOME"]}
    if "PYTHONPATH" in os.environ:
        environment["PYTHONPATH"] = os.environ["PYTHONPATH"]
    command = [sys.executable, "-m", "plumbline.cli", *arguments, "--json"]
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, cwd=home.parent)
    memory = _Memory(process.pid)
    memory.start()
    assert process.stdout is not None
    printed = process.stdout.read()
    memory.ended.set()
    _, status, usage = os.wait4(process.pid, 0)  # of this process and those it waited for; RUSAGE_CHILDREN would add earlier commands
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    memory.join()
    if process.returncode:
        raise RuntimeError(f"plumbline {' '.join(arguments)} left with {process.returncode}: {printed.decode()[-2000:]}")
    return Cost(usage.ru_utime + usage.ru_stime, time.perf_counter() - began, memory.peak / 1e6, json.loads(printed))


def export_model_first(scratch: Path, models: Path) -> None:
    """Have the model exported by an ingest of one file, so that the export belongs to none of what is measured."""
    folder = scratch / "warm"
    folder.mkdir()
    (folder / "one.txt").write_text("A single line.")
    plumbline(scratch / "home-warm", models, "ingest", str(folder))


class _Memory(threading.Thread):
    """Looks at the memory of a process and its descendants until told that they ended; ``peak`` is in bytes."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.ended = threading.Event()
        self.peak = 0
        self._process = psutil.Process(pid)

    def run(self) -> None:
        while not self.ended.wait(LOOK_EVERY_S):
            self.peak = max(self.peak, sum(map(_pss, self._family())))

    def _family(self) -> list[psutil.Process]:
        try:
            return [self._process, *self._process.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []


def _pss(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except (psutil.NoSuchProcess, psutil.AccessDenied):  # it ended meanwhile
        return 0
