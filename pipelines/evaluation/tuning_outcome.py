"""What tuning came to in one run."""

from __future__ import annotations

from dataclasses import dataclass

from search_index.fusion import Ranking


@dataclass(frozen=True)
class Tuning:
    """The ranking that was learned or kept, what that cost, and how many judgements of training sets no passage can meet any more."""

    ranking: Ranking
    wall_s: float
    cpu_s: float
    stale: int
