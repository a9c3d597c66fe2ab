"""Drift: how far a source has moved from what it was, family by family, and how far it could have moved without being noticed.

Each comparison is a two-sample test that also states its power: the smallest effect that it would have found in ``POWER`` of cases at
these sizes. The size of the effect decides, and the p-value guards it: a huge sample does not cry wolf over nothing, nor a small one over
chance. Most rows of two releases are the same rows, which the tests do not know; so they err on the quiet side.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydantic import JsonValue as Json

ALPHA = 0.001
"""A source is looked at every day, in many ways: 1% would cry wolf every other week."""
POWER = 0.8
GREW = 0.585
"""By half, or shrunk by a third: the binary logarithm of 1.5."""
MOVED = 0.2
"""Of a distribution: the largest distance of the two cumulative shares."""
MIXED = 0.2
"""Cramér's V, between what Cohen (1988) calls small (0.1) and medium (0.3)."""
SHARE_MOVED = 0.1
"""Of a group of readers: by so large a share of the passages its part grows or shrinks."""
SHARE_LEAST = 5
"""Expected counts below it are no ground for chi-squared (Cochran 1954): rarer categories are pooled."""

EXACT_UP_TO = 400

Sample = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Shift:
    """One comparison of what was with what is.

    ``before`` and ``now`` are the sample sizes. ``detectable`` is the smallest effect that would have been found in ``POWER`` of cases;
    None where the samples are too small for the largest effect there can be.
    """

    measure: str
    test: str
    before: int
    now: int
    effect: float
    p_value: float
    threshold: float
    detectable: float | None

    @property
    def drifted(self) -> bool:
        """Whether it is large enough to matter, and not chance."""
        return self.effect >= self.threshold and self.p_value <= ALPHA

    @property
    def blind(self) -> bool:
        """Whether a drift that matters could well have been missed."""
        return self.detectable is None or self.detectable > self.threshold

    @property
    def says(self) -> str:
        """The comparison in a sentence."""
        found = "nothing, at these sizes" if self.detectable is None else f"{self.detectable:.3g} in 8 of 10 cases"
        return (
            f"{self.measure}: effect {self.effect:.3g} (drift from {self.threshold:.3g}), p = {self.p_value:.2g}, "
            f"{self.before:,} before and {self.now:,} now; would find {found}"
        )

    def evidence(self) -> dict[str, Json]:
        """For metadata: figures alone."""
        return {
            "measure": self.measure,
            "test": self.test,
            "before": self.before,
            "now": self.now,
            "effect": round(self.effect, 5),
            "p_value": float(f"{self.p_value:.3g}"),
            "threshold": self.threshold,
            "detectable": None if self.detectable is None else round(self.detectable, 5),
            "drifted": self.drifted,
            "blind": self.blind,
        }


def count_shift(measure: str, before: int, now: int) -> Shift:
    """Two counts, as of independent things that come at a steady rate.

    The effect is how often the count doubled or halved, ``|log2(now / before)|``, half a thing added to both. The p-value is the exact
    conditional test of two Poisson counts (Przyborowski and Wilenski 1940); its power is read off square roots of counts, whose variance
    is 1/4 whatever the rate (Bartlett 1936).
    """
    from scipy import stats

    effect = abs(math.log2((now + 0.5) / (before + 0.5)))
    p_value = float(stats.binomtest(now, before + now, 0.5).pvalue) if before + now else 1.0
    reach = (float(stats.norm.isf(ALPHA / 2)) + float(stats.norm.ppf(POWER))) * math.sqrt(0.5)
    detectable = 2 * math.log2((math.sqrt(before) + reach) / math.sqrt(before)) if before else None
    return Shift(measure, "two Poisson counts", before, now, effect, p_value, GREW, detectable)


def distribution_shift(measure: str, before: Sample, now: Sample) -> Shift:
    """Two samples of numbers: the two-sample Kolmogorov-Smirnov test, whose effect is the distance D of the two cumulative shares.

    A true distance is found at the point where it is: there the two shares differ by a normal deviate of standard deviation at most
    1/2 · sqrt(1/n + 1/m), which bounds the power from below (Massey 1950).
    """
    from scipy import stats

    n, m = len(before), len(now)
    if not n or not m:
        return Shift(measure, "Kolmogorov-Smirnov", n, m, 0.0, 1.0, MOVED, None)
    # The limit distribution calls four against four certain; the exact one takes long for many.
    found = stats.ks_2samp(before, now, method="exact" if max(n, m) <= EXACT_UP_TO else "asymp")
    spread = math.sqrt((n + m) / (n * m))
    detectable = (math.sqrt(-math.log(ALPHA / 2) / 2) + float(stats.norm.ppf(POWER)) / 2) * spread
    return Shift(
        measure, "Kolmogorov-Smirnov", n, m, float(found.statistic), float(found.pvalue), MOVED, detectable if detectable <= 1 else None
    )


def share_shift(measure: str, before: Mapping[str, int], now: Mapping[str, int]) -> Shift:
    """Two tallies of categories: chi-squared, with Cramér's V (from 0, the same shares, to 1, nothing in common) as its effect.

    Its power is that of the noncentral chi-squared distribution (Cohen 1988, chapter 7).
    """
    from scipy import stats

    n, m = sum(before.values()), sum(now.values())
    table = _pooled(before, now, n, m)
    if table.shape[1] < 2:  # all in one category, or too few to tell
        same = bool(n and m and len({*before, *now}) == 1)
        return Shift(measure, "chi-squared", n, m, 0.0, 1.0, MIXED, _detectable_mix(n + m, 1) if same else None)
    chi2, p_value, freedom, _ = stats.chi2_contingency(table, correction=False)
    tested = int(table.sum())
    return Shift(measure, "chi-squared", n, m, math.sqrt(chi2 / tested), float(p_value), MIXED, _detectable_mix(tested, int(freedom)))


def _pooled(before: Mapping[str, int], now: Mapping[str, int], n: int, m: int) -> npt.NDArray[np.int64]:
    """Categories as columns, the two samples as rows; those too rare to be tested are summed up in the last."""
    both = Counter(before) + Counter(now)
    least = SHARE_LEAST * (n + m) / max(1, min(n, m))
    own = [name for name, count in both.most_common() if count >= least]
    rare = [sum([tally.get(name, 0) for name in both if name not in own]) for tally in (before, now)]
    columns = [[tally.get(name, 0) for tally in (before, now)] for name in own]
    if sum(rare) >= least:
        columns.append(rare)
    return np.array(columns, dtype=np.int64).reshape(len(columns), 2).T


def _detectable_mix(total: int, freedom: int) -> float | None:
    from scipy import optimize, stats

    critical = float(stats.chi2.isf(ALPHA, freedom))

    def power(effect: float) -> float:
        return float(stats.ncx2.sf(critical, freedom, total * effect * effect))

    if total == 0 or power(1.0) < POWER:
        return None
    return float(optimize.brentq(lambda effect: power(effect) - POWER, 1e-6, 1.0))


@dataclass(frozen=True)
class AccessShift:
    """Who may read, before and now: each group's share of the passages. It is no sample, so there is nothing to test."""

    before: Mapping[str, float]
    now: Mapping[str, float]

    @property
    def gained(self) -> list[str]:
        """Groups that may read something, and could read nothing."""
        return sorted(self.now.keys() - self.before.keys())

    @property
    def lost(self) -> list[str]:
        """Groups that can read nothing any more."""
        return sorted(self.before.keys() - self.now.keys())

    @property
    def moved(self) -> dict[str, float]:
        """By how much each group's share changed, the largest change first; those that did not are left out."""
        change = {group: self.now.get(group, 0.0) - self.before.get(group, 0.0) for group in {*self.before, *self.now}}
        return {group: by for group, by in sorted(change.items(), key=lambda each: (-abs(each[1]), each[0])) if by}

    @property
    def effect(self) -> float:
        """The largest change of a share."""
        return max(map(abs, self.moved.values()), default=0.0)

    @property
    def drifted(self) -> bool:
        """Whether a group gained or lost a source, or much of it."""
        return bool(self.gained or self.lost) or self.effect >= SHARE_MOVED


def access_shift(before: Mapping[str, int], now: Mapping[str, int], passages_before: int, passages_now: int) -> AccessShift:
    """From how many passages each group may read; a passage counts for each of its groups."""
    return AccessShift(
        {group: count / passages_before for group, count in before.items() if count},
        {group: count / passages_now for group, count in now.items() if count},
    )
