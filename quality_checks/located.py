"""YAML and JSON Lines read together with the line every value stands on, so that a mistake can be pointed at."""

from __future__ import annotations

import copy
import difflib
import json
import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path

from pydantic import JsonValue as Json
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing wrong with a file: the line, counted from 1, and the reason."""

    line: int
    reason: str


class Unreadable(Exception):
    """The file is not YAML or JSON at all, or not the part of it that is allowed here."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.reason)
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Located:
    """A YAML file's value as plain JSON data, and the node tree that knows its lines."""

    data: Json
    root: Node | None

    def line(self, path: Sequence[str | int]) -> int:
        """The line of the value at ``path``; of its nearest parent when there is no such value."""
        node, line = self.root, 1
        for step in path:
            found = _step(node, step)
            if found is None:
                break
            node, line = found
        return line


def read_yaml(path: Path) -> Located:
    """Read one YAML 1.2 file. Dates become ISO strings.

    Raises:
        Unreadable: not UTF-8, a syntax error, a key given twice, or an alias (one could make a small file huge).
        OSError: the file cannot be read.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable(Problem(1, f"not UTF-8 text: {error.reason} at byte {error.start}")) from error
    known = _located(text)
    return Located(copy.deepcopy(known.data), known.root)


@lru_cache(maxsize=256)
def _located(text: str) -> Located:
    """A text that was read already is not read again: a run, and every look of a sensor, asks for all contracts, 20 ms for each."""
    try:
        for event in _yaml().parse(text):
            if isinstance(event, AliasEvent):
                raise Unreadable(Problem(event.start_mark.line + 1, f"aliases are not allowed: write out *{event.anchor}"))
        return Located(_plain(_yaml().load(text)), _yaml().compose(text))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise Unreadable(Problem(mark.line + 1 if mark else 1, (error.problem or error.context or "not YAML").split("\n")[0])) from error
    except (YAMLError, ValueError) as error:
        raise Unreadable(Problem(1, f"not YAML: {str(error).splitlines()[0]}")) from error


def read_json_lines(path: Path) -> list[tuple[int, Json]]:
    """The values of a JSON Lines file with their line numbers; blank lines are passed over.

    Raises:
        Unreadable: a line is not JSON.
        OSError: the file cannot be read.
    """
    values: list[tuple[int, Json]] = []
    with path.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                values.append((number, json.loads(line)))
            except json.JSONDecodeError as error:
                raise Unreadable(Problem(number, f"not JSON: {error.msg} at column {error.colno}")) from error
    return values


def did_you_mean(word: str, known: Collection[str]) -> str:
    """A suggestion to append to a message, empty when nothing known is like ``word``."""
    close = difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.6)
    return f" (did you mean {close[0]!r}?)" if close else ""


def listing(path: Path, problems: Iterable[Problem]) -> str:
    """One ``file:line: reason`` a line, in file order."""
    return "\n".join(f"  {path}:{problem.line}: {problem.reason}" for problem in sorted(set(problems)))


def _yaml() -> YAML:
    return YAML(typ="safe", pure=True)


def _step(node: Node | None, step: str | int) -> tuple[Node, int] | None:
    if isinstance(node, MappingNode):
        for key, value in node.value:
            if key.value == str(step):
                return value, key.start_mark.line + 1
    elif isinstance(node, SequenceNode) and isinstance(step, int) and 0 <= step < len(node.value):
        item = node.value[step]
        return item, item.start_mark.line + 1
    return None


def _plain(value: object) -> Json:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, str | bool | int | float):
        return value
    return value.isoformat() if isinstance(value, date) else str(value)
