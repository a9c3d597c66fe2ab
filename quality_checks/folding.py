"""Text folded for comparison, every character of it traced back to where it came from."""

from __future__ import annotations

import unicodedata
from array import array
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

Place = tuple[int, int]
"""Start and end, in Unicode code points of a text."""

_ASCII_SPACES = np.frombuffer(b"\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f ", dtype=np.uint8)


@dataclass(frozen=True, slots=True)
class Folded:
    """NFKC-casefolded text with each run of white space as one space.

    ``starts[i]`` and ``ends[i]`` bound what the ``i``-th character was made from in the original.
    """

    text: str
    starts: np.ndarray
    ends: np.ndarray

    def find(self, needle: str) -> tuple[Place, ...]:
        """The original places of a folded needle, in order and without overlaps; empty for an empty needle."""
        places: list[Place] = []
        at = self.text.find(needle) if needle else -1
        while at >= 0:
            places.append((int(self.starts[at]), int(self.ends[at + len(needle) - 1])))
            at = self.text.find(needle, at + len(needle))
        return tuple(places)


def fold(text: str) -> Folded:
    r"""Fold a text. A base character and its combining marks are folded together, so any part of a text folds alike.

    >>> fold("Ｅrste \n  Straße").text
    'erste strasse'
    """
    return _fold_ascii(text) if text.isascii() else _fold_any(text)


def _fold_ascii(text: str) -> Folded:
    characters = np.frombuffer(text.lower().encode("ascii"), dtype=np.uint8)
    space = np.isin(characters, _ASCII_SPACES)
    follows_space = np.concatenate(([False], space[:-1])) if len(space) else space
    kept = np.flatnonzero(~(space & follows_space))
    folded = np.where(space, np.uint8(ord(" ")), characters)[kept].tobytes().decode("ascii")
    return Folded(folded, kept, kept + 1)


def _fold_any(text: str) -> Folded:
    folded: list[str] = []
    starts, ends = array("q"), array("q")
    start = 0
    while start < len(text):
        end = start + 1
        while end < len(text) and unicodedata.combining(text[end]):
            end += 1
        for character in _fold_cluster(text[start:end]):
            if character == " " and folded and folded[-1] == " ":
                continue
            folded.append(character)
            starts.append(start)
            ends.append(end)
        start = end
    return Folded("".join(folded), np.array(starts, dtype=np.int64), np.array(ends, dtype=np.int64))


@lru_cache(maxsize=4096)
def _fold_cluster(cluster: str) -> str:
    # Casefolding can undo a normalisation and the other way round: Unicode 3.13, D146 folds until nothing changes.
    once = unicodedata.normalize("NFKC", cluster).casefold()
    return "".join(" " if c.isspace() else c for c in unicodedata.normalize("NFKC", once).casefold())
