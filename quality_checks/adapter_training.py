"""Trains a query adapter contrastively: a query's judged passages against all others, the matrix kept near the identity.

The loss of a query is the mean over its positives of ``log(1 + sum over negatives of exp(s_n - s_p))`` with ``s`` the cosines times
``SCALE``: InfoNCE (van den Oord, Li and Vinyals 2018) for one positive at a time, against every negative there is.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from quality_checks.judged_queries import Encode, JudgedQuery
from quality_checks.passages_in_memory import PassagesInMemory, Positions, Vectors

if TYPE_CHECKING:
    from torch import Tensor

SCALE: Final = 20.0
"""Inverse temperature of the softmax over cosines."""
PULL: Final = 8e-5
"""Weight of the squared distance to the identity."""
BATCH: Final = 64
ROUND: Final = 50
"""Batches from one look at the held-out queries to the next, so that training costs the same however many queries there are."""
LEARNING_RATE: Final = 1e-3
MOST_NEGATIVES: Final = 50_000
"""Of more passages than this, a seeded sample stands for those that nobody judged."""
_NEVER: Final = -1e9


@dataclass(frozen=True, eq=False)
class Examples:
    """Queries to learn from, and the passages they are held against.

    ``queries`` has shape (queries, dimension) and ``passages`` (passages, dimension), all of length 1. For each query, as rows of
    ``passages``: ``positives`` are to come first, each as much as its grade says, and ``judged`` has them and whatever else is no negative.
    """

    queries: Vectors
    weights: Vectors
    passages: Vectors
    positives: list[Positions]
    grades: list[Vectors]
    judged: list[Positions]


def examples_of(passages: PassagesInMemory, queries: Sequence[JudgedQuery], encode: Encode, seed: int) -> Examples:
    """What ``queries`` teach.

    Of a judged document with several passages the one nearest to the query is taken, since a document scores as its best passage; the
    others are no negatives.
    """
    vectors = np.stack([encode(query.text) for query in queries])
    positives, grades = [], []
    for query, vector in zip(queries, vectors, strict=True):
        nearest: dict[str, tuple[float, int]] = {}
        for position, units in query.units.items():
            cosine = float(passages.vectors[position] @ vector)
            for unit in units:
                nearest[unit] = max(nearest.get(unit, (-np.inf, -1)), (cosine, position))
        positives.append(np.array([position for _, position in nearest.values()], np.int64))
        grades.append(np.array([query.qrels[unit] for unit in nearest], np.float32))
    judged = [np.array(sorted(query.units), np.int64) for query in queries]
    rows = _candidates(len(passages.ids), judged, seed)
    at = np.zeros(len(passages.ids), np.int64)
    at[rows] = np.arange(len(rows))
    return Examples(
        vectors,
        np.array([query.weight for query in queries], np.float32),
        np.ascontiguousarray(passages.vectors[rows]),
        [at[each] for each in positives],
        grades,
        [at[each] for each in judged],
    )


def _candidates(passages: int, judged: Sequence[Positions], seed: int) -> Positions:
    """All passages, or every judged one and a sample of the others."""
    if passages <= MOST_NEGATIVES:
        return np.arange(passages)
    sample = np.random.default_rng(seed).choice(passages, MOST_NEGATIVES, replace=False)
    return np.unique(np.concatenate([sample, *judged]))


def trained(examples: Examples, seed: int) -> Iterator[Vectors]:
    """The matrix after each round of batches, shape (dimension, dimension), for as long as one asks.

    The same examples and seed give the same bytes, however many CPUs there are: it runs on one thread, which on a busy machine is also the
    faster way.
    """
    import torch
    from torch.nn.functional import normalize

    queries, there = torch.from_numpy(examples.queries), torch.from_numpy(examples.passages)
    identity = torch.eye(queries.shape[1])
    matrix = identity.clone().requires_grad_()
    optimizer = torch.optim.Adam([matrix], lr=LEARNING_RATE)
    batches = _batches(len(queries), seed)
    while True:
        with _one_thread():
            for batch in islice(batches, ROUND):
                scores = SCALE * (normalize(queries[torch.from_numpy(batch)] @ matrix, dim=1) @ there.T)
                loss = _loss(scores, examples, batch) + PULL * ((matrix - identity) ** 2).sum()
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
        yield matrix.detach().numpy().copy()


def _batches(queries: int, seed: int) -> Iterator[Positions]:
    """All queries in a drawn order, then in another, and so on."""
    drawn = np.random.default_rng(seed)
    while True:
        order = drawn.permutation(queries)
        for start in range(0, queries, BATCH):
            yield order[start : start + BATCH]


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _loss(scores: Tensor, examples: Examples, batch: Positions) -> Tensor:
    """The weighted mean loss of a batch, whose queries have ``scores`` with every passage, shape (queries, passages)."""
    import torch
    from torch.nn.functional import softplus

    longest = max(len(examples.positives[at]) for at in batch)
    positives, shares = np.zeros((len(batch), longest), np.int64), np.zeros((len(batch), longest), np.float32)
    negatives: npt.NDArray[np.float32] = np.zeros(scores.shape, np.float32)
    for row, at in enumerate(batch):
        count = len(examples.positives[at])
        positives[row, :count] = examples.positives[at]
        shares[row, :count] = examples.grades[at] / examples.grades[at].sum()
        negatives[row, examples.judged[at]] = _NEVER
    against = torch.logsumexp(scores + torch.from_numpy(negatives), dim=1, keepdim=True)
    each = softplus(against - scores.gather(1, torch.from_numpy(positives)))
    weights = torch.from_numpy(examples.weights[batch] / examples.weights.mean())
    return ((each * torch.from_numpy(shares)).sum(dim=1) * weights).sum() / len(batch)
