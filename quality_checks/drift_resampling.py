"""Drift of what has no distribution to look up: vocabularies and vectors, tested by relabelling what was drawn.

Both are *divergences* of two weighted mixtures of the same pooled items, so one matrix product works out thousands of relabellings. The
p-value is that of a permutation test (Phipson and Smyth 2010: never zero). The power is a seeded simulation: samples of the same sizes are
drawn from the pooled items, the second with weights tilted more and more along the items' main axis (exponential tilting), until the
permutation test's critical value is passed in ``POWER`` of the draws.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from quality_checks.drift import ALPHA, POWER, Shift, count_shift

SEED = 20_240_229
VECTORS = 300
"""Of each side; so many find a shift that matters, and cost a CPU second."""
DOCUMENTS = 300
TERMS = 3000
"""The commonest of the two samples; all rarer ones count as one term."""
RELABELLED = 1999
"""Enough to tell a chance of one in a thousand."""
WORDS_MOVED = 0.03
"""Jensen-Shannon divergence in bits (0: the same vocabulary, 1: no word in common) beyond what chance gives. A third of the documents
replaced by some on another subject moves it about so far."""
VECTORS_MOVED = 0.01
"""Energy coefficient of inhomogeneity (0: one distribution, 1: two points) beyond what chance gives. As far as a third replaced; another
model of the same size moves it nine times as far."""
_DRAWN = 100
_TILTS = np.concatenate([np.linspace(0.1, 1.0, 10), np.linspace(1.25, 4.0, 12)])
_BLOCK = 250

Vectors = npt.NDArray[np.float32]
Weights = npt.NDArray[np.float64]
Divergence = Callable[[Weights, Weights], Weights]
"""Of mixtures: weights of the pooled items, shapes (rows, items), each row adding up to 1; gives one number a row."""


@dataclass(frozen=True)
class Terms:
    """How often each term stands in each of some documents: parallel arrays. ``document`` counts from 0 to ``documents`` - 1."""

    documents: int
    document: npt.NDArray[np.int64]
    ids: npt.NDArray[np.uint32]
    counts: npt.NDArray[np.uint32]


@dataclass(frozen=True)
class QueryWindow:
    """The queries of one period, as a log gives them: a vector and the terms of each. No query's words are needed."""

    vectors: Vectors
    terms: Terms


def query_shifts(before: QueryWindow, now: QueryWindow) -> list[Shift]:
    """How people ask now, against how they asked: how often, in which words, about what."""
    return [
        count_shift("queries", before.terms.documents, now.terms.documents),
        vocabulary_shift("words of queries", before.terms, now.terms),
        vector_shift("vectors of queries", before.vectors, now.vectors),
    ]


def vector_shift(measure: str, before: Vectors, now: Vectors) -> Shift:
    """Two samples of vectors, shapes (n, dimension) and (m, dimension): the energy test (Székely and Rizzo 2013).

    Vectors of another dimension are of another space: the largest effect there is, without a test.
    """
    if len(before) and len(now) and before.shape[1] != now.shape[1]:
        return Shift(measure, "energy distance", len(before), len(now), 1.0, 0.0, VECTORS_MOVED, 0.0)
    before, now = drawn(before), drawn(now)
    if len(before) < 2 or len(now) < 2:
        return Shift(measure, "energy distance", len(before), len(now), 0.0, 1.0, VECTORS_MOVED, None)
    pooled = np.concatenate([before, now]).astype(np.float64)
    lengths = (pooled**2).sum(axis=1)
    distances = np.sqrt(np.maximum(lengths[:, None] + lengths[None, :] - 2 * pooled @ pooled.T, 0.0))

    def energy(first: Weights, second: Weights) -> Weights:
        apart = first - second
        within = -((apart @ distances) * apart).sum(axis=1)
        across = 2 * ((first @ distances) * second).sum(axis=1)
        shares: Weights = np.divide(within, across, out=np.zeros_like(within), where=across > 0)
        return shares

    return _resampled(measure, "energy distance", len(before), len(now), energy, pooled, VECTORS_MOVED)


def vocabulary_shift(measure: str, before: Terms, now: Terms) -> Shift:
    """Two samples of documents by their terms: the Jensen-Shannon divergence of the two vocabularies.

    Documents are relabelled and not words, since words come in clusters: a test that took each for itself would find drift always.
    """
    from scipy import sparse

    n, m = before.documents, now.documents
    if n < 2 or m < 2 or not len(before.ids) or not len(now.ids):
        return Shift(measure, "Jensen-Shannon divergence", n, m, 0.0, 1.0, WORDS_MOVED, None)
    rows = np.concatenate([before.document, now.document + n])
    counts = np.concatenate([before.counts, now.counts]).astype(np.float64)
    known, columns = np.unique(np.concatenate([before.ids, now.ids]), return_inverse=True)
    if len(known) > TERMS:
        place = np.full(len(known), TERMS - 1)
        common = np.argsort(-np.bincount(columns, counts), kind="stable")[: TERMS - 1]
        place[common] = np.arange(TERMS - 1)
        columns = place[columns]
    table = sparse.csr_array((counts, (rows, columns)), shape=(n + m, min(len(known), TERMS)))

    def divergence(first: Weights, second: Weights) -> Weights:
        p, q = (np.asarray(each @ table) for each in (first, second))
        p, q = p / p.sum(axis=1, keepdims=True), q / q.sum(axis=1, keepdims=True)
        return _entropy((p + q) / 2) - (_entropy(p) + _entropy(q)) / 2

    shares = table.toarray()
    shares /= np.maximum(shares.sum(axis=1, keepdims=True), 1)
    return _resampled(measure, "Jensen-Shannon divergence", n, m, divergence, np.sqrt(shares), WORDS_MOVED)


def drawn(vectors: Vectors) -> Vectors:
    """At most ``VECTORS`` of them, always the same ones."""
    if len(vectors) <= VECTORS:
        return vectors
    return vectors[np.sort(np.random.default_rng(SEED).choice(len(vectors), VECTORS, replace=False))]


def terms_of(documents: Sequence[Mapping[int, int]]) -> Terms:
    """From each document's count by term id."""
    each = [(at, term, count) for at, counted in enumerate(documents) for term, count in counted.items()]
    columns = np.array(each, dtype=np.int64).reshape(len(each), 3)
    return Terms(len(documents), columns[:, 0], columns[:, 1].astype(np.uint32), columns[:, 2].astype(np.uint32))


def _entropy(shares: Weights) -> Weights:
    """In bits, a row at a time."""
    logs = np.log2(shares, out=np.zeros_like(shares), where=shares > 0)
    entropy: Weights = -(shares * logs).sum(axis=1)
    return entropy


def _main_axis(items: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Each item's place along the direction in which they differ most, in standard deviations. Shape (items,)."""
    centred = items - items.mean(axis=0)
    gram = centred @ centred.T
    _, vectors = np.linalg.eigh(gram)
    axis = vectors[:, -1] * np.sign(vectors[np.argmax(np.abs(vectors[:, -1])), -1])
    spread = float(axis.std())
    return (axis - axis.mean()) / spread if spread else np.zeros(len(items))


def _resampled(measure: str, test: str, n: int, m: int, divergence: Divergence, items: npt.NDArray[np.float64], threshold: float) -> Shift:
    """``items`` are the pooled ones in coordinates, the first ``n`` of them from before; shape (n + m, dimensions)."""
    from threadpoolctl import threadpool_limits

    random = np.random.default_rng(SEED)
    labels = np.concatenate([np.ones(n), np.zeros(m)])
    with threadpool_limits(1):  # for products of this size threads wait for each other longer than they work
        observed = float(divergence(labels[None, :] / n, (1 - labels)[None, :] / m)[0])
        by_chance = []
        for start in range(0, RELABELLED, _BLOCK):
            relabelled = random.permuted(np.tile(labels, (min(_BLOCK, RELABELLED - start), 1)), axis=1)
            by_chance.append(divergence(relabelled / n, (1 - relabelled) / m))
        chance = np.concatenate(by_chance)
        detectable = _detectable(n, m, divergence, _main_axis(items), float(np.quantile(chance, 1 - ALPHA)), random)
    p_value = (1 + int(np.count_nonzero(chance >= observed - 1e-12))) / (1 + RELABELLED)
    return Shift(measure, test, n, m, max(0.0, observed - float(chance.mean())), p_value, threshold, detectable)


def _detectable(
    n: int, m: int, divergence: Divergence, axis: npt.NDArray[np.float64], critical: float, random: np.random.Generator
) -> float | None:
    """The divergence of the first tilt that is found in ``POWER`` of the draws; None where the strongest is not."""
    items = len(axis)
    even = np.full(items, 1 / items)
    for tilt in _TILTS:
        tilted = np.exp(tilt * axis - (tilt * axis).max())
        tilted /= tilted.sum()
        first = random.multinomial(n, even, size=_DRAWN) / n
        second = random.multinomial(m, tilted, size=_DRAWN) / m
        if np.mean(divergence(first, second) > critical) >= POWER:
            return float(divergence(even[None, :], tilted[None, :])[0])
    return None
