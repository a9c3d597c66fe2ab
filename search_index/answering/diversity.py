"""Maximal marginal relevance: what is relevant first, and what says something new before what says the same again.

After Carbonell and Goldstein, "The Use of MMR" (1998), with ``diversity`` for their ``1 - lambda``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from search_index.engine.interface import Vector
from search_index.fusion import Scores

AMONG: Final = 100
"""So many of the best are ordered anew; what comes after them is far from the query already."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The order in which candidates were chosen, and for each in that order what it was chosen by. Shapes (n,)."""

    order: npt.NDArray[np.int64]
    relevance: Scores
    nearest: Scores
    value: Scores


def diversified(scores: Scores, vectors: Vector, diversity: float) -> Chosen:
    """Choose one candidate after the other by ``(1 - diversity) * relevance - diversity * nearest``, of equals the one that stood first.

    ``relevance`` is the score brought to 0 to 1, ``nearest`` the largest cosine with what is chosen already.

    Args:
        scores: falling, shape (n,).
        vectors: of length 1, shape (n, dimension).
        diversity: 0 leaves the order as it is.

    >>> two_alike = np.array([[1, 0], [1, 0], [0, 1]], np.float32)
    >>> diversified(np.array([1.0, 0.9, 0.8]), two_alike, 0.5).order.tolist()
    [0, 2, 1]
    """
    count = len(scores)
    spread = float(scores.max() - scores.min()) if count else 0.0
    relevance = (scores - scores.min()) / spread if spread > 0 else np.ones(count)
    cosines = (vectors @ vectors.T).astype(np.float64)
    order, nearest, value = np.empty(count, np.int64), np.zeros(count), np.zeros(count)
    closest, left = np.full(count, -1.0), np.ones(count, dtype=np.bool_)
    for position in range(count):
        redundant = closest if position else np.zeros(count)
        gains = np.where(left, (1.0 - diversity) * relevance - diversity * redundant, -np.inf)
        best = int(gains.argmax())
        order[position], nearest[position], value[position] = best, redundant[best], gains[best]
        left[best] = False
        closest = np.maximum(closest, cosines[best])
    return Chosen(order, relevance[order], nearest, value)
