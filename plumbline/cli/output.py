"""Where things are said: results on stdout, everything else on stderr, and with ``--json`` exactly one document."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, TextIO, TypeAlias

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

WIDTH_WITHOUT_TERMINAL = 160
"""Columns where nobody's terminal sets them: wide enough that no id or path is cut in a pipe or a log."""

Document: TypeAlias = Mapping[str, object] | Sequence[object]


@dataclass
class JsonOutput:
    """The one document that ``--json`` prints. ``said`` turns true with it; a second one is dropped."""

    stream: TextIO
    said: bool = field(default=False)

    def say(self, document: Document) -> None:
        """Print the document, at once."""
        if not self.said:
            self.said = True
            self.stream.write(json.dumps(document, ensure_ascii=False, indent=2, default=_plain) + "\n")
            self.stream.flush()


_json_output: ContextVar[JsonOutput | None] = ContextVar("json_output", default=None)


def json_output() -> JsonOutput | None:
    """Where the document goes, None when results are for people."""
    return _json_output.get()


@contextmanager
def one_document() -> Iterator[JsonOutput]:
    """Keep stdout for one document: whatever else is written to it meanwhile, by native code and children too, goes to stderr."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    with os.fdopen(os.dup(kept), "w", encoding="utf-8") as stream:
        token = _json_output.set(JsonOutput(stream))
        try:
            output = json_output()
            assert output is not None
            with redirect_stdout(sys.stderr):
                yield output
        finally:
            _json_output.reset(token)
            sys.stdout.flush()
            os.dup2(kept, 1)
            os.close(kept)


def out() -> Console:
    """What people asked for. Rich itself heeds ``NO_COLOR`` and leaves colour out where there is no terminal."""
    return _console(stderr=False)


def err() -> Console:
    """What is said beside it: progress, warnings, errors."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, highlight=False, width=None if stream.isatty() else WIDTH_WITHOUT_TERMINAL)


def say(line: str) -> None:
    """One line for a person on stderr."""
    err().print(line, markup=False, soft_wrap=True)


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[str] = ()) -> Table:
    """A quiet table: a line under its headings in a terminal, none in a pipe. ``numbers`` names the columns set to the right."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(box=box.SIMPLE_HEAD if sys.stdout.isatty() else None, pad_edge=False, header_style="bold", show_edge=False)
    for heading in headings:
        made.add_column(heading, justify="right" if heading in numbers else "left", overflow="fold")
    for row in rows:
        made.add_row(*(Text(cell) for cell in row))
    return made


def when(instant: datetime | None) -> str:
    """An instant as people read it, to the second, UTC."""
    return instant.strftime("%Y-%m-%d %H:%M:%S") if instant else "-"


def counted(count: int, thing: str) -> str:
    """``1 file``, ``2 files``."""
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
