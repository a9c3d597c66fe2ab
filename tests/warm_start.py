"""Starts ingests from a process that has imported everything, so that a test of hundreds does not spend its time on imports.

Run as ``python -m tests.warm_start``; a line of JSON, the environment to add, starts one, and is answered with its process id. A line
with a process id waits for that process, and is answered with how it ended. Nothing but imports happens before the fork; the server that
forks parser processes is shared, as its imports take longer than a small ingest.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from multiprocessing import forkserver
from types import TracebackType
from typing import Any, Self


class WarmStart:
    """The other end: starts ingests, and waits for them.

    >>> with WarmStart(os.environ) as warm:  # doctest: +SKIP
    ...     warm.ended(warm.start({"PLUMBLINE_HOME": "/srv/plumbline"}))
    0
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        command = [sys.executable, "-m", "tests.warm_start"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(environment))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._process.communicate()

    def start(self, environment: Mapping[str, str]) -> int:
        """The process id of an ingest that was just started."""
        return self._ask(dict(environment))

    def ended(self, pid: int) -> int:
        """How a started process ended, as ``subprocess`` tells it: waits for it."""
        return self._ask(pid)

    def _ask(self, question: object) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


def serve() -> None:
    """Import what an ingest needs, and answer until the other end is gone."""
    import great_expectations  # noqa: F401
    import matplotlib.figure  # noqa: F401
    import openvino  # noqa: F401
    import qdrant_edge  # noqa: F401

    import pipelines.run  # noqa: F401
    from plumbline.cli import main

    server: Any = forkserver._forkserver
    server.set_forkserver_preload(["pipelines.parsing.preload"])
    server.ensure_running()
    server.ensure_running = lambda: None  # a child of this process cannot wait for the server, which is not its own

    for line in sys.stdin:
        question = json.loads(line)
        if isinstance(question, int):
            sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(question, 0)[1])}\n")
        else:
            pid = os.fork()
            if pid == 0:
                os.environ.update(question)
                sys.stdin.close()
                os.dup2(os.open(os.devnull, os.O_RDWR), 0)
                os.dup2(2, 1)
                sys.argv = ["plumbline", "ingest", "--json"]
                main()
            sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
