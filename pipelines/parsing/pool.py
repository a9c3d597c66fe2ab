"""Parses files in worker processes, each with a limit of time and memory, so that no file can stall or kill a run."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from itertools import chain, islice
from multiprocessing.connection import wait as wait_for_connections
from types import TracebackType
from typing import Self

from pebble import ProcessExpired, ProcessPool

from pipelines.parsing.formats import format_by_extension
from pipelines.parsing.partition import parse
from pipelines.parsing.reading import DEFAULT_PARSING, Limit, limit_of
from pipelines.parsing.tools import die_with_parent
from pipelines.parsing.unreadable import too_much_memory
from quality_checks.contract_terms import Parsing
from search_index.errors import DocumentUnreadable, PlumblineError
from search_index.model.document import ParsedDocument

_IN_FLIGHT_PER_WORKER = 2
_START_WITHIN_S = 60.0


@dataclass(frozen=True, slots=True)
class ParseTask:
    """One file to parse: ``load`` is its bytes, or gives them when its turn comes (called in the parent, one at a time)."""

    key: str
    path: str
    load: bytes | Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class ParseOutcome:
    """The document, or the reason why there is none and what to do about it."""

    key: str
    document: ParsedDocument | None
    reason: str = ""
    remedy: str = ""


class ParserPool:
    """Worker processes that run ``parse``: none before there is something to parse, and no more than the first call has files.

    Args:
        workers: most processes at once.
        parsing: the contract's terms. Its limits hold for each file by the format its name claims: wall-clock seconds, in a
            worker's first file the import of its parser included, and how much data a worker, or a program that it
            calls, may hold, the parsers' own code and tables included.

    >>> with ParserPool(workers=1) as pool:  # doctest: +SKIP
    ...     [outcome.document.title for outcome in pool.parse_all([ParseTask("a", "a.md", b"# Hello")])]
    ['Hello']
    """

    def __init__(self, workers: int = 2, parsing: Parsing = DEFAULT_PARSING) -> None:
        self._workers = workers
        self._parsing = parsing
        self._pool: ProcessPool | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if self._pool is not None:
            self._pool.stop()  # type: ignore[no-untyped-call]
            self._pool.join()
            self._pool = None

    def parse_all(self, tasks: Iterable[ParseTask]) -> Iterator[ParseOutcome]:
        """One outcome a task, in order of completion; takes tasks from the iterator only as fast as they are parsed."""
        waiting = iter(tasks)
        first = list(islice(waiting, self._workers))
        waiting = chain(first, waiting)
        running: dict[Future[_Answer], ParseTask] = {}
        try:
            while True:
                taken = list(islice(waiting, self._workers * _IN_FLIGHT_PER_WORKER - len(running)))
                for task in taken:
                    data = _load(task)
                    if isinstance(data, ParseOutcome):
                        yield data
                        continue
                    pool = self._started(len(first))
                    limit = self._limit(task)
                    arguments = (data, task.path, self._parsing, limit.memory_bytes)
                    running[pool.schedule(_parse_in_worker, args=arguments, timeout=limit.seconds)] = task
                if not running:
                    if not taken:
                        return
                    continue  # none of these could be loaded, which says nothing of the next
                longest = max(self._limit(task).seconds for task in running.values())
                done = wait(running, timeout=2 * longest + _START_WITHIN_S, return_when=FIRST_COMPLETED).done
                if not done:  # a task's own limit counts from when a worker takes it; one that never starts takes none
                    raise PlumblineError("The parser processes do not start.", "Install Plumbline again: `make install`.")
                for future in done:
                    yield self._outcome(running.pop(future), future)
        finally:
            for future in running:
                future.cancel()

    def _started(self, tasks: int) -> ProcessPool:
        if self._pool is None:
            # fork would copy the locks of the parent's threads and native runtimes in whatever state they are
            context = multiprocessing.get_context("forkserver")
            context.set_forkserver_preload(["pipelines.parsing.preload"])
            workers = max(1, min(self._workers, tasks))
            self._pool = ProcessPool(max_workers=workers, initializer=_die_with_parent, context=context)
        return self._pool

    def _limit(self, task: ParseTask) -> Limit:
        file_format = format_by_extension(task.path)
        return limit_of(file_format.name if file_format else None, self._parsing)

    def _outcome(self, task: ParseTask, future: Future[_Answer]) -> ParseOutcome:
        try:
            document, reason, remedy = future.result()
        except TimeoutError:
            reason = f"{task.path} took longer than {self._limit(task).seconds:g} s to parse."
            return ParseOutcome(task.key, None, reason, "Split the file, or raise the limit in its contract.")
        except MemoryError:  # there was none left to send the answer with
            error = too_much_memory(task.path)
            return ParseOutcome(task.key, None, error.what, error.remedy)
        except ProcessExpired as error:
            if error.exitcode == -signal.SIGKILL:
                reason = f"{task.path} had its parser killed by the system, most likely because the machine ran out of memory."
                return ParseOutcome(task.key, None, reason, "Run again with more memory free, or leave it out.")
            reason = f"{task.path} crashed its parser (exit code {error.exitcode})."
            return ParseOutcome(task.key, None, reason, "Open it in its own program and save it again, or leave it out.")
        return ParseOutcome(task.key, document, reason, remedy)


_Answer = tuple[ParsedDocument | None, str, str]


def _load(task: ParseTask) -> bytes | ParseOutcome:
    try:
        return task.load if isinstance(task.load, bytes) else task.load()
    except OSError as error:
        reason = f"{task.path} could not be read ({error.strerror or type(error).__name__})."
        return ParseOutcome(task.key, None, reason, "Check that the file is there and may be read, then run again.")
    except PlumblineError as error:
        return ParseOutcome(task.key, None, error.what, error.remedy)


def _parse_in_worker(data: bytes, path: str, parsing: Parsing, memory_bytes: int) -> _Answer:
    _limit_memory(memory_bytes)
    try:
        return parse(data, path, parsing), "", ""
    except DocumentUnreadable as error:
        return None, error.what, error.remedy


def _limit_memory(memory_bytes: int) -> None:
    """Of this worker and of what it starts, each for itself; reset for every file, as formats differ."""
    if sys.platform != "win32":
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        limit = memory_bytes if hard == resource.RLIM_INFINITY else min(memory_bytes, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))


def _die_with_parent() -> None:
    """A worker whose run was killed must not go on: it holds memory, and nobody will read what it finds.

    On Linux the kernel sees to it even while native code holds the interpreter; elsewhere a thread does.
    """
    ask_for_death = die_with_parent()
    if ask_for_death is not None:
        ask_for_death()
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        wait_for_connections([parent.sentinel])
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, name="die-with-parent", daemon=True).start()
