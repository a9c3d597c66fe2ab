"""How sure an answer may be of itself: signals read off the ranking, and what a release learned they mean.

Two logistic models on the same signals: that the top passage is relevant (learned from judged queries), and that the index holds
anything on the matter at all (learned from judged queries against questions from other walks of life).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Final

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from search_index.bm25 import TermStatistics, count_terms

SIGNALS: Final = (
    "best_cosine", "top_cosine", "coverage", "agreement", "unknown", "dense_lead", "fused_lead", "sparse_lead", "firsts",
)  # fmt: skip
_TOP: Final = 10


class Logistic(BaseModel):
    """``1 / (1 + exp(-(intercept + weights · (signals - means) / scales)))``, one weight a signal."""

    model_config = ConfigDict(frozen=True)

    means: tuple[float, ...]
    scales: tuple[float, ...]
    weights: tuple[float, ...]
    intercept: float

    @model_validator(mode="after")
    def _one_each(self) -> Logistic:
        if {len(self.means), len(self.scales), len(self.weights)} != {len(SIGNALS)} or min(self.scales) <= 0:
            raise ValueError(f"there are {len(SIGNALS)} signals, each with a scale above zero")
        return self

    def probability(self, signals: Sequence[float]) -> float:
        """Of one answer with these signals, in the order of ``SIGNALS``."""
        terms = zip(signals, self.means, self.scales, self.weights, strict=True)
        score = self.intercept + sum(weight * (signal - mean) / scale for signal, mean, scale, weight in terms)
        return 1.0 / (1.0 + math.exp(-max(-60.0, min(60.0, score))))


class Calibration(BaseModel):
    """How far stated confidence can be believed, on queries that it was not learned from.

    ``bins`` are (mean confidence, share relevant, queries), equally many queries each.
    """

    model_config = ConfigDict(frozen=True)

    queries: int
    ece: float = Field(description="expected calibration error: mean distance of stated confidence and share relevant")
    brier: float = Field(description="mean squared distance of stated confidence and truth")
    skill: float = Field(description="Brier's, against always stating the share that is relevant")
    auroc: float = Field(description="chance that a right answer is stated surer than a wrong one")
    refused: float = Field(description="share of judged queries called unanswerable")
    seen_through: float = Field(description="share of questions on other matters called unanswerable")
    bins: tuple[tuple[float, float, int], ...]


class Confidence(BaseModel):
    """What a release learned about its own answers."""

    model_config = ConfigDict(frozen=True)

    relevant: Logistic = Field(description="that the top passage is relevant")
    answerable: Logistic = Field(description="that the index holds something on the matter")
    threshold: float = Field(ge=0, le=1, description="below this probability of being answerable there is no good answer")
    stated: bool = Field(True, description="whether the first is told: false where it was hardly better than always stating the mean")
    calibration: Calibration | None = Field(None, description="as measured when it was learned, out of fold")

    def is_answerable(self, signals: Sequence[float]) -> bool:
        """Whether the index seems to hold something on the matter."""
        return self.answerable.probability(signals) >= self.threshold


def signals_of(
    query: str,
    top_text: str,
    fused: Sequence[float],
    arms: tuple[Mapping[str, float], Mapping[str, float]],
    first: str,
    statistics: TermStatistics,
    language: str,
) -> tuple[float, ...]:
    """The signals of one hybrid answer, in the order of ``SIGNALS``.

    Args:
        top_text: text of the passage that came first.
        fused: scores of the ranking, best first; at least one.
        arms: each candidate's cosine, and each candidate's BM25 score, by id.
        first: id of the passage that came first.
        statistics: the release's own.
    """
    cosines, matches = arms
    dense, sparse = _best(cosines), _best(matches)
    asked = count_terms(query, language).ids
    known = statistics.idf(asked)
    # a term that no passage has is the rarest there can be, and the best sign that nothing here is on the matter
    rarity = np.where(known > 0, known, np.log1p((statistics.documents + 0.5) / 0.5))
    matched = rarity[np.isin(asked, count_terms(top_text, language).ids)].sum()
    return (
        dense[0][1] if dense else 0.0,
        cosines.get(first, 0.0),
        float(matched / rarity.sum()) if rarity.sum() > 0 else 0.0,
        len({name for name, _ in dense} & {name for name, _ in sparse}) / _TOP,
        float((known <= 0).mean()) if len(known) else 1.0,
        _lead([score for _, score in dense]),
        float(fused[0] - fused[1]) if len(fused) > 1 else 0.0,
        _lead([score for _, score in sparse]) / sparse[0][1] if sparse and sparse[0][1] > 0 else 0.0,
        float(bool(dense) and dense[0][0] == first) + float(bool(sparse) and sparse[0][0] == first),
    )


def _best(scores: Mapping[str, float]) -> list[tuple[str, float]]:
    return sorted(scores.items(), key=lambda found: (-found[1], found[0]))[:_TOP]


def _lead(scores: Collection[float]) -> float:
    """By how much the best is ahead of the mean of those behind it."""
    first, *rest = scores or (0.0,)
    return float(first - sum(rest) / len(rest)) if rest else 0.0
