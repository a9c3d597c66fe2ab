"""Ranking of points: each arm brings candidates, fusion orders them, and an arm that fails is left out by name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from search_index.adapter import QueryAdapter
from search_index.bm25 import TermStatistics, count_terms, query_weights
from search_index.engine.interface import Ids, IndexReader, Scored, Vector, Visibility
from search_index.errors import ArmsUnavailable
from search_index.fusion import Feedback, Ranking, Scores, best_first, by_max, centred, convex, reciprocal_rank
from search_index.model.search import Arm, Degraded, Mode, Part
from search_index.verbatim import LEAST_WORDS, quotedness, words

QUOTED_AMONG: Final = 30
"""A passage that holds a query word for word is among so many best of the sparse arm (99 in 100 on quarterly reports)."""
ARMS: Final[dict[Mode, tuple[Arm, ...]]] = {"hybrid": ("dense", "sparse"), "dense": ("dense",), "sparse": ("sparse",)}


class QueryEncoder(Protocol):
    """Turns a query into a vector."""

    def encode_query(self, text: str) -> npt.NDArray[np.float32]:
        """The query's vector, shape (dimension,), length 1."""
        ...


@dataclass(frozen=True, slots=True)
class Ranked:
    """Points, best first.

    ``arms`` holds each arm's own scores, and a reranker's, for the points it brought or scored. ``exhausted`` says that no arm has
    more candidates. ``best_cosine`` and ``known_terms`` are None where that arm did not answer.
    """

    ids: list[str]
    scores: list[float]
    arms: dict[Part, dict[str, float]]
    exhausted: bool
    best_cosine: float | None = None
    known_terms: int | None = None
    degraded: list[Degraded] = field(default_factory=list)


class _ArmFailed(Exception):
    def __init__(self, arm: Arm, cause: Exception) -> None:
        super().__init__(arm)
        self.arm: Arm = arm
        self.cause = cause


@contextmanager
def _asking(arm: Arm) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise _ArmFailed(arm, error) from error


@dataclass(slots=True)
class _Dense:
    """The dense arm of one query: scores by id, as they become known, and how to get more."""

    reader: IndexReader
    vector: Vector
    known: dict[str, float] = field(default_factory=dict)

    def candidates(self, visibility: Visibility, depth: int) -> Scored:
        with _asking("dense"):
            found = self.reader.dense(self.vector, visibility, depth)
        self.known.update(zip(found.ids, found.scores.tolist(), strict=True))
        return found

    def scores(self, ids: Sequence[str]) -> Scores:
        if missing := [point for point in ids if point not in self.known]:
            with _asking("dense"):
                self.known.update(zip(missing, self.reader.dense_scores(self.vector, missing).tolist(), strict=True))
        return np.array([self.known[point] for point in ids])

    def moved(self, relevant: Sequence[str], weights: Scores, share: float) -> _Dense:
        """The arm of a query moved by ``share`` towards the weighted centroid of ``relevant``."""
        with _asking("dense"):
            centroid = (weights / weights.sum()) @ self.reader.vectors(relevant)
        return _Dense(self.reader, ((1.0 - share) * self.vector + share * centroid).astype(np.float32))


@dataclass(slots=True)
class _Sparse:
    """The sparse arm of one query, likewise."""

    reader: IndexReader
    ids: Ids
    weights: Vector
    known: dict[str, float] = field(default_factory=dict)

    def candidates(self, visibility: Visibility, depth: int) -> Scored:
        with _asking("sparse"):
            found = self.reader.sparse(self.ids, self.weights, visibility, depth)
        self.known.update(zip(found.ids, found.scores.tolist(), strict=True))
        return found

    def scores(self, ids: Sequence[str]) -> Scores:
        if missing := [point for point in ids if point not in self.known]:
            with _asking("sparse"):
                self.known.update(zip(missing, self.reader.sparse_scores(self.ids, self.weights, missing).tolist(), strict=True))
        return np.array([self.known[point] for point in ids])


@dataclass(frozen=True, slots=True)
class Ranker:
    """Ranks what is visible of an opened index."""

    reader: IndexReader
    encoder: QueryEncoder
    ranking: Ranking
    adapter: QueryAdapter | None = None

    def rank(self, query: str, mode: Mode, visibility: Visibility, depth: int, explained: int = 0) -> Ranked:
        """Rank what is visible, each arm bringing in ``depth`` candidates.

        Args:
            explained: for how many of the best every answering arm's own score is to be given.

        Raises:
            RevisionUnknown: the reader does not hold the revision.
            ArmsUnavailable: every arm that ``mode`` asks for failed.
        """
        self.reader.check(visibility.revision)
        arms = list(ARMS[mode])
        failed: list[_ArmFailed] = []
        while arms:
            try:
                ranked = self._ranked(query, arms, visibility, depth, explained)
            except _ArmFailed as failure:
                arms.remove(failure.arm)
                failed.append(failure)
                continue
            ranked.degraded.extend(_degraded(failed))
            return ranked
        named = ", ".join(f"{each.arm} ({each.reason})" for each in _degraded(failed))
        raise ArmsUnavailable(f"No arm of the {mode} search answered: {named}.", "Look at what `plumbline doctor` says.") from failed[
            -1
        ].cause

    def _ranked(self, query: str, arms: Sequence[Arm], visibility: Visibility, depth: int, explained: int) -> Ranked:
        dense = self._dense(query) if "dense" in arms else None
        sparse = self._sparse(query, visibility.revision) if "sparse" in arms else None
        near = dense.candidates(visibility, depth) if dense else None
        worded = sparse.candidates(visibility, depth) if sparse else None
        if dense and sparse and near and worded:
            ids, scores = self._fused(dense, sparse, near, worded, visibility, depth)
            ids, scores = self._quoted(query, visibility.revision, worded, ids, scores)
            for arm in (dense, sparse):
                arm.scores(ids[:explained])
        else:
            only = near or worded or Scored([], np.empty(0, np.float32))
            ids, scores = only.ids, only.scores.tolist()
        return Ranked(
            ids=ids,
            scores=scores,
            arms={**({"dense": dense.known} if dense else {}), **({"sparse": sparse.known} if sparse else {})},
            exhausted=all(len(found.ids) < depth for found in (near, worded) if found is not None),
            best_cosine=float(near.scores[0]) if near and near.ids else None,
            known_terms=len(sparse.ids) if sparse else None,
        )

    def _dense(self, query: str) -> _Dense:
        with _asking("dense"):
            vector = np.asarray(self.encoder.encode_query(query), dtype=np.float32)
            return _Dense(self.reader, self.adapter.apply(vector) if self.adapter else vector)

    def _sparse(self, query: str, revision: int) -> _Sparse:
        with _asking("sparse"):
            return _Sparse(self.reader, *query_weights(query, self.reader.statistics(revision), self.reader.bm25.language))

    def _fused(
        self, dense: _Dense, sparse: _Sparse, near: Scored, worded: Scored, visibility: Visibility, depth: int
    ) -> tuple[list[str], list[float]]:
        ids = _union(near, worded)
        scores = self._combined(near, worded, ids, by_max(dense.scores(ids)), sparse)
        ids, scores = _ordered(ids, scores)
        feedback = self.ranking.feedback
        if feedback is None or not ids:
            return ids, scores.tolist()
        moved = _moved(dense, ids, scores, feedback)
        near = moved.candidates(visibility, depth)
        ids = _union(near, worded)
        # The mean is of what the usual depth brings, so that going deeper for more documents changes no score.
        usual = {*near.ids[: self.ranking.depth], *worded.ids[: self.ranking.depth]}
        among = np.fromiter((point in usual for point in ids), dtype=np.bool_, count=len(ids))
        ids, scores = _ordered(ids, self._combined(near, worded, ids, centred(moved.scores(ids), among), sparse))
        return ids, scores.tolist()

    def _quoted(self, query: str, revision: int, worded: Scored, ids: list[str], scores: list[float]) -> tuple[list[str], list[float]]:
        """Lift passages that a long query seems to be copied from. Only what the sparse arm ranks high can be one."""
        asked = words(query)
        if not self.ranking.verbatim or len(asked) < LEAST_WORDS:
            return ids, scores
        statistics, language = self.reader.statistics(revision), self.reader.bm25.language
        weights = word_weights(asked, statistics, language)
        gains = dict.fromkeys(ids, 0.0)
        unit = self.ranking.verbatim * max(scores, default=0.0)
        for point, payload in self.reader.payloads(worded.ids[:QUOTED_AMONG]).items():
            gains[point] = unit * quotedness(asked, weights, str(payload["text"]))
        ids, lifted = _ordered(ids, np.array(scores) + np.array([gains[point] for point in ids]))
        return ids, lifted.tolist()

    def _combined(self, near: Scored, worded: Scored, ids: list[str], dense: Scores, sparse: _Sparse) -> Scores:
        if self.ranking.method == "rrf":
            return reciprocal_rank([near.ids, worded.ids], ids, self.ranking.rrf_k)
        return convex(dense, by_max(sparse.scores(ids)), self.ranking.dense_weight)


def word_weights(asked: Sequence[str], statistics: TermStatistics, language: str) -> dict[str, float]:
    """How much each word of a query tells: the IDF of its stems. Stop words tell nothing and are left out."""
    return {word: float(statistics.idf(stems).sum()) for word in asked if len(stems := count_terms(word, language).ids)}


def _union(near: Scored, worded: Scored) -> list[str]:
    return list(dict.fromkeys([*near.ids, *worded.ids]))


def _ordered(ids: list[str], scores: Scores) -> tuple[list[str], Scores]:
    order = best_first(ids, scores)
    return [ids[position] for position in order], scores[order]


def _moved(dense: _Dense, ids: Sequence[str], scores: Scores, feedback: Feedback) -> _Dense:
    top = np.maximum(scores[: feedback.top], 0.0)
    weights = top if top.sum() > 0 else np.ones(len(top))
    return dense.moved(ids[: feedback.top], weights, feedback.share)


def _degraded(failed: Sequence[_ArmFailed]) -> list[Degraded]:
    """Named by the class of the error: its message could quote text."""
    return [Degraded(arm=failure.arm, reason=type(failure.cause).__name__) for failure in failed]
