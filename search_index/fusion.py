"""Two arms' candidates made into one ranking.

Convex combination of scores normalised by their maximum, after Bruch, Gai and Ingber, "An Analysis of Fusion Functions
for Hybrid Retrieval" (2023); reciprocal rank fusion after Cormack, Clarke and Büttcher (2009).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from search_index.confidence import Confidence
from search_index.reranking import Reranking
from search_index.tuned import Tuned

Scores: TypeAlias = npt.NDArray[np.float64]


class Feedback(BaseModel):
    """Dense pseudo-relevance feedback: the query moves towards the first ranking's best passages and asks again (Rocchio)."""

    model_config = ConfigDict(frozen=True)

    top: int = Field(default=3, ge=1, le=50, description="passages of the first ranking that are taken to be relevant")
    share: float = Field(default=0.5, gt=0, lt=1, description="weight of their centroid against the query's own vector")


class Ranking(BaseModel):
    """How hits are ranked."""

    model_config = ConfigDict(frozen=True)

    method: Literal["convex", "rrf"] = "convex"
    dense_weight: float = Field(default=0.5, ge=0, le=1, description="share of the dense arm in a convex combination")
    rrf_k: int = Field(default=60, ge=1, description="rank constant of reciprocal rank fusion")
    depth: int = Field(default=100, ge=1, le=10_000, description="candidates an arm brings in")
    feedback: Feedback | None = Field(default_factory=Feedback)
    verbatim: float = Field(1.5, ge=0, description="what a passage gains that holds a long query word for word; 0 leaves it out")
    adapter: str | None = Field(None, pattern="^[0-9a-f]{64}$", description="sha256 of the query adapter's file; none moves no query")
    reranking: Reranking | None = Field(None, description="what scores the best of a hybrid ranking anew; none leaves it as it was fused")
    confidence: Confidence | None = Field(None, description="what is known of how sure answers may be; none where too little was judged")
    tuned: Tuned | None = Field(None, description="how the values were chosen; none where nothing was learned from")

    @property
    def own_confidence(self) -> Confidence | None:
        """The confidence, unless it was learned from answers that were reranked otherwise, of which it says nothing."""
        learned_with = self.tuned.reranking if self.tuned else None
        return self.confidence if learned_with == self.reranking else None


def by_max(scores: Scores) -> Scores:
    """Scores divided by the largest; all zero where no score is above zero. Shape (n,) in and out.

    >>> by_max(np.array([2.0, 1.0, -1.0])).tolist()
    [1.0, 0.5, -0.5]
    """
    top = scores.max(initial=0.0)
    return scores / top if top > 0 else np.zeros_like(scores)


def centred(scores: Scores, among: npt.NDArray[np.bool_]) -> Scores:
    """Scores with the mean of ``among`` at 0 and the largest at 1; all zero where none is above that mean. Shape (n,).

    Cosines with a centroid lie close together; by their maximum alone they would hardly tell candidates apart.

    >>> centred(np.array([1.0, 0.6, 0.2, 0.2]), np.ones(4, dtype=bool)).round(2).tolist()
    [1.0, 0.2, -0.6, -0.6]
    """
    mean = scores[among].mean() if among.any() else 0.0
    above = scores.max(initial=mean) - mean
    return (scores - mean) / above if above > 1e-9 else np.zeros_like(scores)


def convex(dense: Scores, sparse: Scores, dense_weight: float) -> Scores:
    """``w * dense + (1 - w) * sparse``, both normalised, for candidates that have both scores. Shape (n,)."""
    return dense_weight * dense + (1.0 - dense_weight) * sparse


def reciprocal_rank(rankings: Sequence[Sequence[str]], candidates: Sequence[str], k: int) -> Scores:
    """Sum over the rankings of ``1 / (k + rank)``, rank from 1; a ranking without the candidate adds nothing.

    >>> reciprocal_rank([["a", "b"], ["b"]], ["a", "b"], 60).round(4).tolist()
    [0.0164, 0.0325]
    """
    total = dict.fromkeys(candidates, 0.0)
    for ranking in rankings:
        for rank, candidate in enumerate(ranking, start=1):
            total[candidate] += 1.0 / (k + rank)
    return np.fromiter(total.values(), dtype=np.float64, count=len(total))


def reranked(ids: Sequence[str], scores: Sequence[float], anew: Scores) -> tuple[list[str], list[float]]:
    """A ranking whose first ``len(anew)`` passages have new scores: those by that score, equal ones by rising id, then the others.

    The others keep their order and their distances: each lies as far below the least new score as it was below the last passage that
    was scored anew.

    Args:
        scores: of all of ``ids``, falling.
        anew: shape (m,), at most as many as there are ids.

    >>> ids, scores = reranked(["a", "b", "c", "d"], [0.9, 0.7, 0.6, 0.2], np.array([0.25, 0.5]))
    >>> ids, [round(score, 6) for score in scores]
    (['b', 'a', 'c', 'd'], [0.5, 0.25, 0.15, -0.25])
    """
    if not len(anew):
        return list(ids), list(scores)
    first = best_first(ids[: len(anew)], anew)
    below = float(np.nextafter(anew.min(), -np.inf))
    last = scores[len(anew) - 1]
    order = [ids[position] for position in first] + list(ids[len(anew) :])
    return order, anew[first].tolist() + [below - (last - score) for score in scores[len(anew) :]]


def best_first(ids: Sequence[str], scores: npt.NDArray[np.floating]) -> list[int]:
    """Positions by falling score, equal scores by rising id.

    >>> best_first(["b", "a", "c"], np.array([1.0, 1.0, 2.0]))
    [2, 1, 0]
    """
    falling = np.argsort(-scores, kind="stable")
    ordered = scores[falling]
    if np.all(ordered[1:] < ordered[:-1]):  # no ties, as a rule, and this takes a fifth of the time
        order: list[int] = falling.tolist()
        return order
    values = scores.tolist()
    return sorted(range(len(ids)), key=lambda position: (-values[position], ids[position]))
