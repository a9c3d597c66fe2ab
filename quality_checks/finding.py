"""What a check found, before it becomes a verdict."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import JsonValue as Json

EXAMPLES = 20
"""At most so many ids stand in a check's evidence."""


@dataclass(frozen=True)
class Finding:
    """What a check found: no problem, or one in a sentence; counts and ids as evidence, never text."""

    problem: str | None
    evidence: dict[str, Json]


def share_of(failed: int, rows: int) -> float:
    """A percentage for people.

    >>> share_of(1, 3)
    33.333
    """
    return round(100 * failed / max(rows, 1), 3)
