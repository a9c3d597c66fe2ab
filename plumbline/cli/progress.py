"""How far a run is: a bar with rate and time left in a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from plumbline.cli.output import counted, err

LINE_EVERY_S = 5.0
WORTH_A_LINE_S = 0.3
"""Shorter stretches leave nothing behind."""


class _Rate(ProgressColumn):
    """Things a second."""

    def render(self, task: Task) -> Text:
        """See ``ProgressColumn``."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.1f}/s" if speed else "", style="dim")


class TerminalProgress:
    """A bar a stretch of work, on stderr; it goes away when the stretch is over. To be entered before use."""

    def __init__(self, console: Console) -> None:
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=32),
            MofNCompleteColumn(),
            _Rate(),
            TimeRemainingColumn(compact=True),
        )
        self._bars = Progress(*columns, console=console, transient=True, refresh_per_second=8, disable=not console.is_terminal)
        self._lines = not console.is_terminal
        self._console = console
        self._task: TaskID | None = None
        self._what, self._total, self._done, self._began, self._said = "", 0, 0, 0.0, 0.0

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bars.stop()

    def start(self, what: str, total: int) -> None:
        """A stretch of ``total`` things begins."""
        self.finish()
        self._what, self._total, self._done = what, total, 0
        self._began = self._said = time.monotonic()
        self._task = self._bars.add_task(what, total=total)

    def advance(self, done: int) -> None:
        """``done`` more are finished."""
        self._done += done
        if self._task is not None:
            self._bars.advance(self._task, done)
        if self._lines and time.monotonic() - self._said >= LINE_EVERY_S:
            self._said = time.monotonic()
            self.say(self._line())

    def finish(self) -> None:
        """The stretch is over."""
        if self._task is not None:
            self._bars.remove_task(self._task)
            self._task = None
            if time.monotonic() - self._began >= WORTH_A_LINE_S and self._total:
                self.say(f"{self._what}: {counted(self._done, 'item')} in {time.monotonic() - self._began:.1f} s")

    def say(self, line: str) -> None:
        """A line above the bar."""
        self._console.print(Text(line, style="dim"), soft_wrap=True)

    def _line(self) -> str:
        elapsed = max(time.monotonic() - self._began, 1e-3)
        rate = self._done / elapsed
        left = f", about {(self._total - self._done) / rate:.0f} s left" if rate and self._total > self._done else ""
        return f"{self._what}: {self._done:,} of {self._total:,}, {rate:.1f}/s{left}"


def terminal_progress() -> TerminalProgress:
    """Progress on stderr."""
    return TerminalProgress(err())
