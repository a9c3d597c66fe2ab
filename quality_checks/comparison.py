"""Two rankings of the same queries side by side: by how much one is better, how sure that is, and where it lost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue as Json

from quality_checks.evaluation import SEED, ModeResult
from quality_checks.metrics import PairedDifference, evaluate_run, paired_difference

MEASURE = "ndcg@10"
FEW_QUERIES = 100
"""With fewer, what loss could have been seen at all is said beside what was seen."""
LOSERS_SHOWN = 20


@dataclass(frozen=True)
class Comparison:
    """nDCG@10 of two rankings on the labels that resolve for both, by query.

    ``unshared`` counts labels that only one of them can be judged by; they count for neither.
    """

    before: dict[str, float]
    after: dict[str, float]
    unshared: int

    @property
    def difference(self) -> PairedDifference:
        """How much better ``after`` is.

        Raises:
            ValueError: there is no query.
        """
        return paired_difference(self.before, self.after, SEED)

    def losers(self, most: int = LOSERS_SHOWN) -> list[dict[str, Json]]:
        """The queries that lost, the greatest loss first."""
        lost = sorted((self.after[query] - self.before[query], query) for query in self.before)
        return [
            {"query": query, "was": round(self.before[query], 4), "is": round(self.after[query], 4)}
            for change, query in lost[:most]
            if change < 0
        ]

    def evidence(self) -> dict[str, Json]:
        """The difference in figures; with few queries the loss that they could have shown, too."""
        if not self.before:
            return {"queries": 0, "unshared_labels": self.unshared}
        found = self.difference
        seen: dict[str, Json] = {
            "queries": found.n,
            "unshared_labels": self.unshared,
            "difference": round(found.mean, 5),
            "ci95": [round(found.lo, 5), round(found.hi, 5)],
        }
        if found.n < FEW_QUERIES:
            seen["detectable_loss"] = round(found.detectable_loss, 5) if math.isfinite(found.detectable_loss) else None
        return seen

    def problem(self, tolerance: float) -> str | None:
        """Why ``after`` is worse, None where it is not: its interval lies below zero, or it loses more than ``tolerance`` on average."""
        if not self.before:
            return None
        found = self.difference
        if found.hi >= 0 and found.mean >= -tolerance:
            return None
        return f"nDCG@10 changes by {found.mean:+.3f} (95% interval {found.lo:+.3f} to {found.hi:+.3f}, {found.n} queries)"


def compare(before: ModeResult, after: ModeResult) -> Comparison:
    """Judge both on the labels that both have.

    A passage that meets only a label of its own is passed over, as if nobody had judged or shown it: it can neither lift its
    ranking nor push down what follows it.
    """
    shared: dict[str, dict[str, int]] = {}
    unshared = 0
    for query in sorted(before.qrels.keys() | after.qrels.keys()):
        ours, theirs = after.qrels.get(query, {}), before.qrels.get(query, {})
        both = {unit: grade for unit, grade in ours.items() if unit in theirs}
        unshared += len(ours.keys() ^ theirs.keys())
        if both:
            shared[query] = both
    return Comparison(_judged(before, shared), _judged(after, shared), unshared)


def _judged(result: ModeResult, shared: Mapping[str, Mapping[str, int]]) -> dict[str, float]:
    run: dict[str, Sequence[tuple[str, float]]] = {}
    for query, grades in shared.items():
        own = result.qrels[query].keys() - grades.keys()
        run[query] = [(unit, score) for unit, score in result.run[query] if unit not in own]
    return evaluate_run(run, shared, (MEASURE,))[MEASURE]
