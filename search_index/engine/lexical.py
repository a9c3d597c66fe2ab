"""A tenant's passages as rank-bm25 keeps them: the yardstick of the sparse arm, and what stands in for it."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from search_index.bm25 import Bm25Settings
from search_index.engine.interface import Ids, Vector

if TYPE_CHECKING:
    from rank_bm25 import BM25Okapi

AT_ONCE: Final = 500
"""Passages read in one go while copying, so that searches get their turn in between."""


class Lexical:
    """BM25 over passages of one tenant, each term's IDF given with the question. Safe for use by many threads at once.

    Args:
        rows: the passages, with the columns ``point_id``, ``term_ids`` and ``term_counts``; one at least.
        settings: of the index, so that a score is the one of the sparse arm, but for the rounding of 32-bit floats.
    """

    def __init__(self, rows: pa.Table, settings: Bm25Settings, tenant: str) -> None:
        self.positions = {point: position for position, point in enumerate(rows["point_id"].to_pylist())}
        self._okapi = _okapi(_words(rows), settings, settings.avgdl[tenant])

    def scores(self, ids: Ids, weights: Vector, points: Sequence[str]) -> Vector:
        """BM25 of points that are in the corpus, shape (len(points),)."""
        if not points:
            return np.empty(0, np.float32)
        okapi = copy.copy(self._okapi)  # shares the passages: only the IDF is this query's
        okapi.idf = dict(zip(ids.tolist(), weights.tolist(), strict=True))
        return np.asarray(okapi.get_batch_scores(ids.tolist(), [self.positions[point] for point in points]), dtype=np.float32)


def _words(rows: pa.Table) -> Iterator[list[int]]:
    """Each passage's terms, as often as they occur; a term is one object wherever it does."""
    known: dict[int, int] = {}
    for start in range(0, rows.num_rows, AT_ONCE):
        some = rows.slice(start, AT_ONCE)
        for terms, counts in zip(some["term_ids"].to_pylist(), some["term_counts"].to_pylist(), strict=True):
            yield [known.setdefault(term, term) for term, count in zip(terms, counts, strict=True) for _ in range(count)]


def _okapi(corpus: Iterable[list[int]], settings: Bm25Settings, avgdl: float) -> BM25Okapi:
    from rank_bm25 import BM25Okapi

    class GivenIdf(BM25Okapi):  # type: ignore[misc]
        """Okapi whose IDF comes with each question."""

        def _calc_idf(self, nd: dict[int, int]) -> None:
            self.idf: dict[int, float] = {}

    okapi = GivenIdf(corpus, k1=settings.k1, b=settings.b)
    okapi.avgdl = avgdl
    return okapi
