"""Probes of stored vectors: a few passages embedded again, and held against what is stored for them.

One that answers for another passage, was made by another model, or lost its precision on the way, does not come out again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt

from quality_checks.finding import EXAMPLES, Finding, share_of

NEW, STANDING = 16, 4
"""So many of what is new and of what was published are probed: of vectors of which a third are wrong, 16 miss in one case of 600."""
SAME_FROM = 0.99
PRECISE_FROM = 0.9999
"""Another machine's arithmetic leaves a cosine of 0.999999; rounding to 8 bits one of 0.999."""

Vectors = npt.NDArray[np.float32]


def probed(keys: Collection[str], published: Collection[str], seed: str) -> list[str]:
    """Which vectors are probed: mostly new ones, drawn by ``seed``, so that the same state is always probed alike."""

    def drawn(among: Collection[str], count: int) -> list[str]:
        return sorted(among, key=lambda key: hashlib.sha256(f"{seed} {key}".encode()).digest())[:count]

    old = set(published)
    fresh = drawn([key for key in keys if key not in old], NEW)
    return fresh + drawn([key for key in keys if key in old], STANDING if fresh else NEW)


def made_again(keys: Sequence[str], stored: Sequence[Vectors], again: Vectors, least: float) -> Finding:
    """The stored vectors against new ones of the same texts, by cosine.

    Args:
        stored: one a key; of whatever dimension they are.
        again: shape (len(keys), dimension).
    """
    cosines = [_cosine(mine, new) for mine, new in zip(stored, again, strict=True)]
    wrong = [key for key, cosine in zip(keys, cosines, strict=True) if not cosine >= least]
    worst = min(cosines, default=1.0)
    problem = f"{len(wrong)} of {len(keys)} passages, embedded again, have another vector (worst cosine {worst:.4f})" if wrong else None
    return Finding(
        problem,
        {
            "rows": len(keys),
            "failed": len(wrong),
            "percent": share_of(len(wrong), len(keys)),
            "worst": round(worst, 6),
            "ids": [*wrong[:EXAMPLES]],
        },
    )


def _cosine(stored: Vectors, again: Vectors) -> float:
    """0 for vectors that cannot be compared: of another dimension, zero, or not finite."""
    if stored.shape != again.shape or not np.isfinite(stored).all():
        return 0.0
    length = float(np.linalg.norm(stored) * np.linalg.norm(again))
    return float(stored @ again) / length if length else 0.0


def of_one_model(encoders: Sequence[str], dimensions: Sequence[int], keys: Sequence[str], encoder: str, dimension: int) -> Finding:
    """Every vector says that ``encoder`` made it, and has its dimension."""
    wrong = [k for k, e, d in zip(keys, encoders, dimensions, strict=True) if e != encoder or d != dimension]
    problem = f"{len(wrong)} of {len(keys)} vectors are of another model" if wrong else None
    return Finding(
        problem, {"rows": len(keys), "failed": len(wrong), "percent": share_of(len(wrong), len(keys)), "ids": [*sorted(wrong)[:EXAMPLES]]}
    )
