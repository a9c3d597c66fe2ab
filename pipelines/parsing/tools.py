"""The programs that read what no Python library reads: whether they are here, which version, and running one within limits."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from search_index.errors import DocumentUnreadable

_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)


@dataclass(frozen=True, slots=True)
class Tool:
    """A program, and what to install to have it."""

    command: str
    name: str
    packages: str


TESSERACT = Tool("tesseract", "tesseract", "tesseract-ocr")
SOFFICE = Tool("soffice", "LibreOffice", "libreoffice-writer-nogui libreoffice-calc-nogui libreoffice-impress-nogui")


def path_of(tool: Tool) -> str | None:
    """Where the program is, None where it is not installed."""
    return shutil.which(tool.command)


def missing(path: str, what: str, tool: Tool) -> DocumentUnreadable:
    """The reason for a file that ``tool`` would read; ``what`` says what the file is."""
    remedy = f"Install it (Debian: `apt-get install {tool.packages}`) and run again."
    return DocumentUnreadable(f"{path} {what}, and {tool.name}, which would read it, is not installed.", remedy)


def version_of(tool: Tool) -> str:
    """Name and version for lineage, such as ``tesseract 5.3.0``; ``no tesseract`` where it is not installed."""
    path = path_of(tool)
    return f"no {tool.name}" if path is None else _version(tool, path, os.stat(path).st_mtime_ns)


@lru_cache(maxsize=8)
def _version(tool: Tool, path: str, _modified_ns: int) -> str:
    """Asked once a program: an upgrade changes the time of its file."""
    if tool is SOFFICE:  # asking the program itself takes a second and makes a profile in the home folder
        told = Path(path).resolve().parent / "versionrc"
        lines = told.read_text("utf-8", "replace").splitlines() if told.is_file() else []
        said = dict(line.split("=", 1) for line in lines if "=" in line)
        major = said.get("UpdateID", "").split("_")[1:2]
        number = " ".join([*major, said.get("buildid", "")])
    else:
        answer = subprocess.run([path, "--version"], capture_output=True, timeout=30, check=False)
        words = (answer.stdout or answer.stderr).decode("utf-8", "replace").split()
        number = words[1] if len(words) > 1 else ""
    return f"{tool.name} {number}".strip()


def run_tool(arguments: Sequence[str], *, deadline: float, stdin: bytes = b"", cwd: str | None = None) -> tuple[int, bytes]:
    """Exit code and standard output of a program; it inherits this process's limit of memory and is one process group of its own.

    Args:
        deadline: in seconds of ``time.monotonic``; the whole group is killed then, and when this process dies.

    Raises:
        TimeoutError: it did not end before the deadline.
    """
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    environment = {**os.environ, "OMP_THREAD_LIMIT": "1"}  # tesseract's threads would fight with the other workers
    with subprocess.Popen(
        arguments,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=cwd,
        env=environment,
        start_new_session=True,
        preexec_fn=die_with_parent(),  # noqa: PLW1509 — it calls one function of libc that was looked up before the fork
    ) as process:
        try:
            out, _ = process.communicate(stdin, timeout=left)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                raise TimeoutError from error
            raise
    return process.returncode, out


def die_with_parent() -> Callable[[], None] | None:
    """What a process calls to be killed with the process that started it; Linux only, None elsewhere."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl

    def ask_for_death() -> None:
        prctl(_DEATH_SIGNAL, signal.SIGKILL)

    return ask_for_death
