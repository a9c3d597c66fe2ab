"""What one revision of an index says of itself, and which older ones it answers for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final, Literal, Self

from pydantic import BaseModel, ConfigDict

from search_index.bm25 import Bm25Settings
from search_index.errors import HomeDamaged, RevisionUnknown

LAYOUT: Final = 3
"""Of points that have a tenant (2) and go by a number (3)."""


class About(BaseModel):
    """``about.json``: what a revision's directory is.

    ``oldest`` is the first revision all of whose points are still there. ``retained`` names the older ones it answers for, None
    where nothing was ever deleted between. ``layout`` changes when what is stored of a point does.
    """

    model_config = ConfigDict(frozen=True)

    layout: Literal[3] = LAYOUT
    revision: int
    oldest: int
    points: int
    dimension: int
    bm25: Bm25Settings
    content: str
    fields: dict[str, str]
    retained: list[int] | None = None

    @classmethod
    def parsed(cls, written: bytes, where: str) -> Self:
        """What was written to ``where``.

        Raises:
            HomeDamaged: it was written by an older version.
            ValueError: it is something else.
        """
        if isinstance(data := json.loads(written), dict) and "bm25" in data and data.get("layout") != LAYOUT:
            raise HomeDamaged(
                f"{where} is of an index that is laid out in another way: another version of Plumbline made it.",
                "Ingest into a new home (PLUMBLINE_HOME), or remove this one first.",
            )
        return cls.model_validate(data)

    def holds(self, revision: int) -> bool:
        """Whether every point that ``revision`` sees is there."""
        between = self.retained is None or revision == self.revision or revision in self.retained
        return self.oldest <= revision <= self.revision and between

    def check(self, revision: int) -> None:
        """Make sure that it answers for ``revision``.

        Raises:
            RevisionUnknown: it does not.
        """
        if not self.holds(revision):
            held = f"{self.oldest} to {self.revision}" if self.retained is None else f"{[*self.retained, self.revision]}"
            raise RevisionUnknown(f"Revision {revision} is not held; {held} are.", "Ask for one of these.")


def answers_for(before: About | None, retained: Sequence[int] | None) -> list[int] | None:
    """Of the revisions to be retained those that the head holds: what was deleted once does not come back."""
    if before is None:
        return None if retained is None else []
    if retained is None:
        return None if before.retained is None else [*before.retained, before.revision]
    return sorted(r for r in set(retained) if before.holds(r))


def oldest_of(before: About | None, revision: int, answered: Sequence[int] | None) -> int:
    """The first revision that ``revision`` answers for, where ``answered`` is what ``answers_for`` gave."""
    if answered is not None:
        return min([*answered, revision])
    return before.oldest if before else revision


def statistics_needed(saved: Sequence[int], answered: Sequence[int] | None) -> set[int]:
    """Of the revisions whose term statistics are saved those that are needed.

    Statistics answer up to the next saved ones, so of those before a revision that is kept the newest stays.
    """
    if answered is None:
        return set(saved)
    return {max(saved)} | {max(s for s in saved if s <= kept) for kept in answered}
