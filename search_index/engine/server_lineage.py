"""Which revisions of an index share a collection: all from one that was built from nothing up to the next such."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Lineages:
    """Of one index. ``begun`` says for every revision that has a folder which one its collection was made for."""

    begun: Mapping[int, int]

    def of(self, revision: int) -> int:
        """The revision that the collection of ``revision`` was made for, whether or not it has a folder still."""
        return max((begun for begun in self.begun.values() if begun <= revision), default=revision)

    def kept(self, published: Iterable[int], retained: Iterable[int]) -> dict[int, list[int]]:
        """Collections that one of ``retained`` is in, each with the revisions of it that were ``published``, rising."""
        kept: dict[int, list[int]] = {self.of(revision): [] for revision in retained}
        for revision in sorted(published):
            if (begun := self.of(revision)) in kept:
                kept[begun].append(revision)
        return kept
