"""Scores that are the same bits in every engine and every directory, and ties that do not depend on the order of storage."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from search_index.bm25 import Bm25Settings, term_weights
from search_index.engine.interface import Ids, Scored, Vector
from search_index.engine.ledger import Rows
from search_index.errors import ModelMismatch
from search_index.fusion import best_first

_MARGIN = 16


def unit_query(vector: Vector, dimension: int) -> Vector:
    """A query's vector at length 1.

    Raises:
        ModelMismatch: it is not of ``dimension``.
    """
    if vector.shape != (dimension,):
        raise ModelMismatch(f"The query has {vector.shape} numbers and the index {dimension}.", "Use the model the release was made with.")
    norm = float(np.linalg.norm(vector))
    return np.asarray(vector / norm if norm > 0 else vector, dtype=np.float32)


def term_scores(rows: Rows, bm25: Bm25Settings, ids: Ids, weights: Vector, positions: npt.NDArray[np.int64]) -> Vector:
    """BM25 of the points at ``positions`` from the ledger's terms, in their order; 0 for -1. Shape of ``positions``.

    Qdrant adds terms up in an order that depends on what else is in the segment. Adding them up in the order of the ledger
    makes a revision's scores the same bits wherever it is held.
    """
    owner, terms, counts = rows.terms(positions)
    average = rows.average_lengths(positions, bm25.avgdl)
    lengths = np.bincount(owner, weights=counts, minlength=len(positions)).astype(np.int64)
    rising = np.argsort(ids)
    position = np.minimum(np.searchsorted(ids[rising], terms), max(len(ids) - 1, 0))
    asked = np.flatnonzero(ids[rising][position] == terms) if len(ids) else np.empty(0, np.int64)
    owner, counts, position = owner[asked], counts[asked], position[asked]
    weighted = weights[rising][position].astype(np.float64) * term_weights(counts, lengths[owner], average[owner], bm25)
    return np.bincount(owner, weights=weighted, minlength=len(positions)).astype(np.float32)


def settled(fetch: Callable[[int], tuple[list[str], Vector]], limit: int) -> Scored:
    """The best ``limit`` by (-score, id).

    Asks for more until the last score fetched is clearly below the last one given, so that which of several equals make the
    cut does not depend on the order they were stored in.
    """
    size = limit + _MARGIN
    while True:
        ids, scores = fetch(size)
        order = best_first(ids, scores)
        if len(ids) < size or scores[order[-1]] < scores[order[limit - 1]] - 1e-5 * abs(scores[order[limit - 1]]):
            best = order[:limit]
            return Scored([ids[position] for position in best], scores[best])
        size *= 2
