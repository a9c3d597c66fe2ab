"""Learning how sure answers may be of themselves, and measuring whether they then are: calibration, skill and discrimination.

Every figure is of queries that the model measured had not seen: two halves, each predicted by what was learned on the other, over and
again with other halves, so that it does not hang on how one pair was drawn.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from search_index.confidence import SIGNALS, Calibration, Confidence, Logistic

Matrix = npt.NDArray[np.float64]
Labels = npt.NDArray[np.bool_]

LEAST_QUERIES = 60
LEAST_OF_A_KIND = 10
"""With fewer judged queries, or fewer that end well or badly, nothing can be learned that would hold."""
MOST_REFUSED = 0.03
"""Share of the judged queries that the threshold lies above; a few more of those to come will be."""
_STRENGTH = 0.1
"""Inverse of the L2 penalty: a few dozen queries must not bend nine weights."""
MOST_ELSEWHERE = 0.95
"""Where this share of the questions on other matters lies lower still, the threshold is put between the two."""
LEAST_SKILL, LEAST_AUROC = 0.05, 0.6
"""Out of fold; a probability that is no better than the mean would be believed, and say nothing."""
_REPEATS = 10
_ON_TOPIC = 0.1
"""So many of the questions from elsewhere are taken to be on topic here after all, those with the highest cosine."""


def enough_to_learn(relevant: Labels) -> bool:
    """Whether there are enough judged queries, and enough of both kinds."""
    good = int(relevant.sum())
    return len(relevant) >= LEAST_QUERIES and min(good, len(relevant) - good) >= LEAST_OF_A_KIND


def learn(judged: Matrix, relevant: Labels, elsewhere: Matrix) -> Confidence:
    """Learn from the signals of judged queries and of questions on other matters.

    Args:
        judged: shape (queries, signals), the hybrid answers to judged queries.
        relevant: shape (queries,), whether the top passage met a judgement.
        elsewhere: shape (questions, signals), the answers to questions that the index should hold nothing on.
    """
    off_topic = elsewhere[elsewhere[:, SIGNALS.index("best_cosine")].argsort()][: max(1, round((1 - _ON_TOPIC) * len(elsewhere)))]
    held = np.concatenate([np.ones(len(judged), dtype=np.bool_), np.zeros(len(off_topic), dtype=np.bool_)])
    answerable = _fitted(np.concatenate([judged, off_topic]), held, balanced="balanced", strength=1.0)
    probabilities, others = ([answerable.probability(row) for row in rows.tolist()] for rows in (judged, off_topic))
    return Confidence(
        relevant=_fitted(judged, relevant, balanced=None, strength=_STRENGTH),
        answerable=answerable,
        threshold=_between(float(np.quantile(probabilities, MOST_REFUSED)), float(np.quantile(others, MOST_ELSEWHERE))),
    )


def measure(judged: Matrix, relevant: Labels, elsewhere: Matrix, seed: int) -> Calibration:
    """Learn on each half and measure on the other, ``_REPEATS`` times; halves have as many relevant answers each."""
    stated, refused, base = np.zeros(len(judged)), np.zeros(len(judged)), np.zeros(len(judged))
    seen_through = np.zeros(len(elsewhere))
    for random in np.random.default_rng(seed).spawn(_REPEATS):
        halves, others = _halves(relevant, random), _halves(np.zeros(len(elsewhere), dtype=np.bool_), random)
        for half in (False, True):
            learned, held_out, unseen = halves == half, halves != half, others != half
            model = learn(judged[learned], relevant[learned], elsewhere[~unseen])
            stated[held_out] += [model.relevant.probability(row) / _REPEATS for row in judged[held_out].tolist()]
            refused[held_out] += [not model.is_answerable(row) for row in judged[held_out].tolist()]
            seen_through[unseen] += [not model.is_answerable(row) for row in elsewhere[unseen].tolist()]
            base[held_out] += relevant[learned].mean() / _REPEATS
    return _figures(stated, relevant, base, float(refused.mean()) / _REPEATS, float(seen_through.mean()) / _REPEATS)


def worth_stating(measured: Calibration) -> bool:
    """Whether callers gain by being told the probability that the first hit is relevant."""
    return measured.skill >= LEAST_SKILL and measured.auroc >= LEAST_AUROC


def calibration(model: Confidence, judged: Matrix, relevant: Labels, elsewhere: Matrix) -> Calibration:
    """How far ``model`` can be believed on these answers, which it must not have been learned from."""
    stated = np.array([model.relevant.probability(row) for row in judged.tolist()])
    refused, seen_through = (np.mean([not model.is_answerable(row) for row in rows.tolist()]) for rows in (judged, elsewhere))
    return _figures(stated, relevant, np.full(len(judged), relevant.mean()), float(refused), float(seen_through))


def _figures(stated: Matrix, relevant: Labels, base: Matrix, refused: float, seen_through: float) -> Calibration:
    brier = float(np.mean((stated - relevant) ** 2))
    bins = reliability(stated, relevant)
    return Calibration(
        queries=len(stated),
        ece=round(sum(abs(said - true) * count for said, true, count in bins) / len(stated), 5),
        brier=round(brier, 5),
        skill=round(1 - brier / float(np.mean((base - relevant) ** 2)), 5),
        auroc=round(auroc(stated, relevant), 5),
        refused=round(refused, 5),
        seen_through=round(seen_through, 5),
        bins=bins,
    )


def reliability(stated: Matrix, relevant: Labels) -> tuple[tuple[float, float, int], ...]:
    """(mean stated, share relevant, queries) of bins with equally many queries, as many bins as the cube root of the queries.

    That number balances the bins' own noise against what they blur; ten bins of a few queries each would show noise alone.
    """
    order = np.argsort(stated, kind="stable")
    parts = np.array_split(order, max(1, round(len(stated) ** (1 / 3))))
    return tuple((round(float(stated[part].mean()), 5), round(float(relevant[part].mean()), 5), len(part)) for part in parts)


def auroc(stated: Matrix, relevant: Labels) -> float:
    """Chance that a relevant answer is stated surer than another (Mann and Whitney); a tie counts half, one kind alone gives 0.5."""
    good, bad = stated[relevant], stated[~relevant]
    if not len(good) or not len(bad):
        return 0.5
    above = (good[:, None] > bad[None, :]).mean()
    return float(above + 0.5 * (good[:, None] == bad[None, :]).mean())


def _between(judged: float, elsewhere: float) -> float:
    """The threshold: midway, by the logarithm, where the two kinds lie apart; else what refuses few of the judged queries."""
    return round((judged * elsewhere) ** 0.5 if elsewhere < judged else judged, 9)


def _halves(kinds: Labels, random: np.random.Generator) -> Labels:
    """Which half each is in, every kind shared out evenly."""
    half = np.zeros(len(kinds), dtype=np.bool_)
    for kind in (False, True):
        places = random.permutation(np.flatnonzero(kinds == kind))
        half[places[: len(places) // 2]] = True
    return half


def _fitted(signals: Matrix, labels: Labels, *, balanced: str | None, strength: float) -> Logistic:
    from sklearn.linear_model import LogisticRegression

    means, scales = signals.mean(axis=0), signals.std(axis=0)
    scales = np.where(scales > 1e-9, scales, 1.0)
    model = LogisticRegression(C=strength, class_weight=balanced, max_iter=1000).fit((signals - means) / scales, labels)
    return Logistic(
        means=_floats(means), scales=_floats(scales), weights=_floats(model.coef_[0]), intercept=round(float(model.intercept_[0]), 9)
    )


def _floats(values: Sequence[float] | Matrix) -> tuple[float, ...]:
    """Rounded, so that a manifest has one spelling for them on every machine."""
    return tuple(round(float(value), 9) for value in values)
