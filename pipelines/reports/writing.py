"""Reports in the home: one file for people and one for programs, both of the same facts."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel

from search_index.errors import DiskFull, HomeDamaged
from search_index.settings import Settings


def write_report(settings: Settings, name: str, at: datetime, facts: BaseModel, markdown: str) -> tuple[Path, Path]:
    """Write ``NAME-YYYY-MM-DD.md`` and ``.json`` into ``reports`` of the home; a second report of a day replaces the first.

    Errors:
        DiskFull: there is no room.
        HomeDamaged: the folder cannot be written.
    """
    folder = settings.root / "reports"
    written = tuple(folder / f"{name}-{at:%Y-%m-%d}.{kind}" for kind in ("md", "json"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in zip(written, (markdown, facts.model_dump_json(indent=2) + "\n"), strict=True):
            partial = path.with_name(f"{path.name}.{os.getpid()}")
            partial.write_text(text, encoding="utf-8")
            partial.replace(path)
    except OSError as e:
        if e.errno == errno.ENOSPC:
            raise DiskFull(f"The disk that holds {folder} is full.", "Make room and materialize the report again.") from e
        raise HomeDamaged(f"{folder} cannot be written: {e.strerror or e}.", "Check its owner and its mode.") from e
    return written[0], written[1]


def rows(columns: Sequence[str], lines: Iterable[Sequence[object]]) -> str:
    """A Markdown table; ``None`` is a dash, and what would break a cell is taken out."""
    head = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    return "\n".join([*head, *(f"| {' | '.join(_cell(value) for value in line)} |" for line in lines)])


def _cell(value: object) -> str:
    return "-" if value is None or value == "" else " ".join(str(value).replace("|", "/").split())
