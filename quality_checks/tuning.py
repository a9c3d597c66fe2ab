"""Fusion weight, depth and feedback chosen by cross-validation on golden queries, and adopted only where that is better beyond noise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from quality_checks.judged_queries import Encode, JudgedQuery, Values, measured
from quality_checks.metrics import paired_difference
from quality_checks.passages_in_memory import PassagesInMemory
from search_index.adapter import QueryAdapter
from search_index.fusion import Feedback, Ranking
from search_index.tuned import Estimate, Trial

LEAST_QUERIES: Final = 40
"""Fewer tell settings apart by chance only: the standard error of a difference is then about a point of nDCG."""
MOST_QUERIES: Final = 1000
FOLDS: Final = 5
FLIPS: Final = 2000
MOST_CHANCE: Final = 0.025
SEED: Final = 20_240_229

WEIGHTS: Final = (0.3, 0.4, 0.5, 0.6, 0.7)
FEEDBACKS: Final = (None, *(Feedback(top=top, share=share) for top, share in ((3, 0.3), (3, 0.5), (5, 0.4), (5, 0.6), (10, 0.5))))
DEPTHS: Final = (100, 200)


@dataclass(frozen=True, eq=False)
class Choice:
    """What cross-validation chose among settings, the first of which is the one in force.

    ``out_of_fold`` has each query's value under what the other folds chose. ``chance`` is how often one of so many settings would look as
    much better as the best does if none were.
    """

    best: int
    out_of_fold: Values
    estimate: Estimate
    chance: float


def settings_to_try(current: Ranking) -> list[Ranking]:
    """The ranking in force, then every other combination of weight, feedback and depth."""
    tried = [
        current.model_copy(update={"dense_weight": weight, "feedback": feedback, "depth": depth})
        for depth in DEPTHS
        for feedback in FEEDBACKS
        for weight in WEIGHTS
    ]
    return [current, *(ranking for ranking in tried if ranking != current)]


def cross_validated(values: Values, queries: Sequence[JudgedQuery]) -> Choice:
    """Choose by the mean over all queries; estimate what such a choice gains by choosing on four folds and looking at the fifth.

    A query's fold depends on its words alone, so that the same query never is on both sides.

    Args:
        values: nDCG@10, shape (settings, queries).
    """
    folds = np.array([int(query.bucket * FOLDS) for query in queries])
    out_of_fold = np.empty(len(queries))
    for fold in range(FOLDS):
        inside = folds == fold
        out_of_fold[inside] = values[_best(values[:, ~inside]), inside]
    best = _best(values)
    return Choice(best, out_of_fold, estimate_of(values[0], out_of_fold), _chance(values, best))


def _chance(values: Values, best: int) -> float:
    """How often the best of all settings would stand out so far if each query were as likely to lose by a setting as to gain.

    The step-down maxT of Westfall and Young, "Resampling-Based Multiple Testing" (1993), by flipping signs. Out-of-fold queries alone do
    not guard against this: a setting that is lucky on all queries is chosen in every fold, and lucky out of it too.
    """
    differences = values - values[0]
    spread = np.sqrt((differences**2).sum(axis=1))
    moved = spread > 0
    if not moved[best]:
        return 1.0
    flips = np.random.default_rng(SEED).integers(0, 2, (FLIPS, values.shape[1])) * 2.0 - 1.0
    furthest = (flips @ (differences[moved] / spread[moved, None]).T).max(axis=1)
    return float((furthest >= differences[best].sum() / spread[best]).mean())


def _best(values: Values) -> int:
    """The best by mean, if by more than one standard error than the one in force; else that one."""
    if not values.shape[1]:
        return 0
    best = int(values.mean(axis=1).argmax())
    difference = values[best] - values[0]
    error = float(difference.std(ddof=1)) / np.sqrt(len(difference)) if len(difference) > 1 else np.inf
    return best if difference.mean() > error else 0


def estimate_of(before: Values, after: Values) -> Estimate:
    """The paired difference of the same queries' values, shape (queries,) each."""
    one, other = ({f"{at:06d}": value for at, value in enumerate(values.tolist())} for values in (before, after))
    difference = paired_difference(one, other, SEED)
    return Estimate(
        queries=len(before),
        before=round(float(before.mean()), 5),
        after=round(float(after.mean()), 5),
        difference=round(difference.mean, 5),
        ci95=(round(difference.lo, 5), round(difference.hi, 5)),
    )


def tune_fusion(
    passages: PassagesInMemory,
    queries: Sequence[JudgedQuery],
    encode: Encode,
    current: Ranking,
    adapter: QueryAdapter | None,
    progress: Callable[[int], None] = lambda _: None,
) -> tuple[Ranking, Trial]:
    """The ranking to go on with, and why.

    Args:
        queries: those that releases are measured on. Of more than ``MOST_QUERIES``, so many are taken by their words.
        adapter: the one that ``current`` names.
    """
    if len(queries) < LEAST_QUERIES:
        return current, Trial(
            adopted=False, reason=f"{len(queries)} golden queries are too few to choose with; {LEAST_QUERIES} are the least."
        )
    asked = sorted(queries, key=lambda query: query.bucket)[:MOST_QUERIES]
    settings = settings_to_try(current)
    choice = cross_validated(measured(passages, asked, encode, settings, adapter, progress), asked)
    if choice.best == 0:
        return current, Trial(adopted=False, reason="No other setting is better by more than a standard error.", estimate=choice.estimate)
    if not choice.estimate.gains or choice.chance > MOST_CHANCE:
        reason = "The best setting is not better than the one in force beyond noise."
        return current, Trial(adopted=False, reason=reason, estimate=choice.estimate)
    return settings[choice.best], Trial(
        adopted=True, reason="Better beyond noise on queries it was not chosen with.", estimate=choice.estimate
    )
