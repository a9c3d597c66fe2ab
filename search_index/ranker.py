"""Ranking of points: each arm brings candidates, fusion orders them, and an arm that fails is left out by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from search_index.adapter import QueryAdapter
from search_index.arms import ALWAYS_OPEN, ArmGate, Work
from search_index.bm25 import TermStatistics, count_terms, query_weights
from search_index.deadline import NEVER, Deadline
from search_index.engine.interface import Ids, IndexReader, Scored, Vector, Visibility
from search_index.errors import ArmsUnavailable, DeadlineExceeded
from search_index.fusion import Feedback, Ranking, Scores, best_first, by_max, centred, convex, reciprocal_rank
from search_index.model.filters import Filters
from search_index.model.search import Arm, Degraded, Mode, Part, Stage
from search_index.verbatim import LEAST_WORDS, quotedness, words

QUOTED_AMONG: Final = 30
"""A passage that holds a query word for word is among so many best of the sparse arm (99 in 100 on quarterly reports)."""
ARMS: Final[dict[Mode, tuple[Arm, ...]]] = {
    "hybrid": ("dense", "sparse"),
    "dense": ("dense",),
    "sparse": ("sparse",),
    "lexical": ("sparse",),
}
"""What a reader is asked with. The searcher sees to it that in mode ``lexical`` that is the one in memory."""


class QueryEncoder(Protocol):
    """Turns a query into a vector."""

    def encode_query(self, text: str) -> npt.NDArray[np.float32]:
        """The query's vector, shape (dimension,), length 1."""
        ...


LATE: Final = "deadline"
"""The reason of what was left out because there was no time for it."""


@dataclass(frozen=True, slots=True)
class Trace:
    """What a fused ranking was reckoned from: nothing that was not there already, kept for who asks how a score came about.

    ``dense`` and ``sparse`` are normalised, in the order of ``ids``; None where ranks were fused, and not scores. ``verbatim`` is what
    was added for quoting.
    """

    near: list[str]
    worded: list[str]
    ids: list[str]
    dense: Scores | None
    sparse: Scores | None
    moved: bool
    verbatim: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ranked:
    """Points, best first.

    ``arms`` holds each arm's own scores, and a reranker's, for the points it brought or scored. ``exhausted`` says that no arm has
    more candidates. ``best_cosine`` and ``words_known`` are None where that arm did not answer; the second says whether anything that may
    be seen, whatever the filters, has a word of the query. ``trace`` is None where only one arm did.
    """

    ids: list[str]
    scores: list[float]
    arms: dict[Part, dict[str, float]]
    exhausted: bool
    best_cosine: float | None = None
    words_known: bool | None = None
    degraded: list[Degraded] = field(default_factory=list)
    trace: Trace | None = None


class _ArmFailed(Exception):
    def __init__(self, arm: Arm, cause: Exception) -> None:
        super().__init__(arm)
        self.arm: Arm = arm
        self.cause = cause


@contextmanager
def _asking(arm: Arm, gate: ArmGate, work: Work) -> Iterator[None]:
    try:
        with gate.asking(arm, work):
            yield
    except Exception as error:
        raise _ArmFailed(arm, error) from error


@dataclass(slots=True)
class _Dense:
    """The dense arm of one query: scores by id, as they become known, and how to get more."""

    reader: IndexReader
    gate: ArmGate
    vector: Vector
    known: dict[str, float] = field(default_factory=dict)

    def candidates(self, visibility: Visibility, depth: int) -> Scored:
        with _asking("dense", self.gate, "find"):
            found = self.reader.dense(self.vector, visibility, depth)
        self.known.update(zip(found.ids, found.scores.tolist(), strict=True))
        return found

    def scores(self, ids: Sequence[str]) -> Scores:
        if missing := [point for point in ids if point not in self.known]:
            with _asking("dense", self.gate, "score"):
                self.known.update(zip(missing, self.reader.dense_scores(self.vector, missing).tolist(), strict=True))
        return np.array([self.known[point] for point in ids])

    def moved(self, relevant: Sequence[str], weights: Scores, share: float) -> _Dense:
        """The arm of a query moved by ``share`` towards the weighted centroid of ``relevant``."""
        with _asking("dense", self.gate, "score"):
            centroid = (weights / weights.sum()) @ self.reader.vectors(relevant)
        return _Dense(self.reader, self.gate, ((1.0 - share) * self.vector + share * centroid).astype(np.float32))


@dataclass(slots=True)
class _Sparse:
    """The sparse arm of one query, likewise."""

    reader: IndexReader
    gate: ArmGate
    ids: Ids
    weights: Vector
    known: dict[str, float] = field(default_factory=dict)

    def candidates(self, visibility: Visibility, depth: int) -> Scored:
        with _asking("sparse", self.gate, "find"):
            found = self.reader.sparse(self.ids, self.weights, visibility, depth)
        self.known.update(zip(found.ids, found.scores.tolist(), strict=True))
        return found

    def scores(self, ids: Sequence[str]) -> Scores:
        if missing := [point for point in ids if point not in self.known]:
            with _asking("sparse", self.gate, "score"):
                self.known.update(zip(missing, self.reader.sparse_scores(self.ids, self.weights, missing).tolist(), strict=True))
        return np.array([self.known[point] for point in ids])


@dataclass(slots=True)
class _Asked:
    """What is being ranked, what was left out for want of time, and what the sparse arm answered, should the other fail."""

    query: str
    visibility: Visibility
    depth: int
    deadline: Deadline
    late: list[Stage] = field(default_factory=list)
    worded: tuple[_Sparse, Scored] | None = None

    def in_time(self, stage: Stage) -> bool:
        """Whether there is time to begin a stage; one for which there is not is put down as late, once."""
        if not self.deadline.passed:
            return True
        if stage not in self.late:
            self.late.append(stage)
        return False


@dataclass(frozen=True, slots=True)
class Ranker:
    """Ranks what is visible of an opened index."""

    reader: IndexReader
    encoder: QueryEncoder
    ranking: Ranking
    adapter: QueryAdapter | None = None
    gate: ArmGate = ALWAYS_OPEN

    def rank(self, query: str, mode: Mode, visibility: Visibility, depth: int, explained: int = 0, deadline: Deadline = NEVER) -> Ranked:
        """Rank what is visible, each arm bringing in ``depth`` candidates.

        Args:
            explained: for how many of the best every answering arm's own score is to be given.
            deadline: what would begin later is left out by name.

        Raises:
            RevisionUnknown: the reader does not hold the revision.
            ArmsUnavailable: every arm that ``mode`` asks for failed.
            DeadlineExceeded: the deadline passed before any arm had answered.
        """
        self.reader.check(visibility.revision)
        arms = list(ARMS[mode])
        asked = _Asked(query, visibility, depth, deadline)
        failed: list[_ArmFailed] = []
        while arms:
            try:
                ranked = self._ranked(asked, arms, explained)
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

    def _ranked(self, asked: _Asked, arms: Sequence[Arm], explained: int) -> Ranked:
        asked.late = []
        # The sparse arm is the quick one: asked first, it has answered when the other comes too late, or fails after a while.
        worded = self._words(asked) if "sparse" in arms else None
        meaning = self._meaning(asked) if "dense" in arms else None
        trace = None
        if meaning and worded:
            (dense, near), (sparse, found) = meaning, worded
            ids, scores, trace = self._fused(dense, sparse, near, found, asked)
            ids, scores = self._quoted(trace, ids, scores, asked)
            for arm in (dense, sparse):
                arm.scores(ids[:explained])
        elif only := meaning or worded:
            ids, scores = only[1].ids, only[1].scores.tolist()
        else:
            raise DeadlineExceeded("The time was over before any arm could be asked.", "Allow more with `deadline_ms`, or ask again.")
        return Ranked(
            ids=ids,
            scores=scores,
            arms={**({"dense": meaning[0].known} if meaning else {}), **({"sparse": worded[0].known} if worded else {})},
            exhausted=all(len(answered[1].ids) < asked.depth for answered in (meaning, worded) if answered),
            best_cosine=float(meaning[1].scores[0]) if meaning and meaning[1].ids else None,
            words_known=self._known(*worded, asked) if worded else None,
            degraded=[Degraded(arm=stage, reason=LATE) for stage in asked.late],
            trace=trace,
        )

    def _words(self, asked: _Asked) -> tuple[_Sparse, Scored] | None:
        if asked.worded is None and asked.in_time("sparse"):
            sparse = self._sparse(asked.query, asked.visibility)
            asked.worded = sparse, sparse.candidates(asked.visibility, asked.depth)
        return asked.worded

    def _known(self, sparse: _Sparse, found: Scored, asked: _Asked) -> bool:
        """Of what may be seen, not of the term statistics: those count words of passages that may not be read."""
        if found.ids or not len(sparse.ids):
            return bool(found.ids)
        with _asking("sparse", self.gate, "find"):
            return bool(self.reader.sparse(sparse.ids, sparse.weights, replace(asked.visibility, filters=Filters()), 1).ids)

    def _meaning(self, asked: _Asked) -> tuple[_Dense, Scored] | None:
        if not asked.in_time("dense"):
            return None
        dense = self._dense(asked.query)
        return (dense, dense.candidates(asked.visibility, asked.depth)) if asked.in_time("dense") else None

    def _dense(self, query: str) -> _Dense:
        with _asking("dense", self.gate, "encode"):
            vector = np.asarray(self.encoder.encode_query(query), dtype=np.float32)
            return _Dense(self.reader, self.gate, self.adapter.apply(vector) if self.adapter else vector)

    def _sparse(self, query: str, visibility: Visibility) -> _Sparse:
        # IDF is the asker's tenant's: what others hold weighs nothing here, and cannot be guessed from scores.
        with _asking("sparse", self.gate, "encode"):
            statistics = self.reader.statistics(visibility.revision, visibility.tenant)
            return _Sparse(self.reader, self.gate, *query_weights(query, statistics, self.reader.bm25.language))

    def _fused(self, dense: _Dense, sparse: _Sparse, near: Scored, worded: Scored, asked: _Asked) -> tuple[list[str], list[float], Trace]:
        fused = self._combined(near, worded, by_max, dense, sparse, moved=False)
        ids, scores = _ordered(fused[0].ids, fused[1])
        feedback = self.ranking.feedback
        if feedback is None or not ids or not asked.in_time("feedback"):
            return ids, scores.tolist(), fused[0]
        moved = _moved(dense, ids, scores, feedback)
        near = moved.candidates(asked.visibility, asked.depth)
        among = _union(near, worded)
        # The mean is of what the usual depth brings, so that going deeper for more documents changes no score.
        usual = {*near.ids[: self.ranking.depth], *worded.ids[: self.ranking.depth]}
        counted = np.fromiter((point in usual for point in among), dtype=np.bool_, count=len(among))
        fused = self._combined(near, worded, lambda scores: centred(scores, counted), moved, sparse, moved=True)
        ids, scores = _ordered(fused[0].ids, fused[1])
        return ids, scores.tolist(), fused[0]

    def _quoted(self, trace: Trace, ids: list[str], scores: list[float], asked: _Asked) -> tuple[list[str], list[float]]:
        """Lift passages that a long query seems to be copied from. Only what the sparse arm ranks high can be one."""
        query = words(asked.query)
        if not self.ranking.verbatim or len(query) < LEAST_WORDS or not asked.in_time("verbatim"):
            return ids, scores
        statistics = self.reader.statistics(asked.visibility.revision, asked.visibility.tenant)
        language = self.reader.bm25.language
        weights = word_weights(query, statistics, language)
        unit = self.ranking.verbatim * max(scores, default=0.0)
        for point, payload in self.reader.payloads(trace.worded[:QUOTED_AMONG]).items():
            trace.verbatim[point] = unit * quotedness(query, weights, str(payload["text"]))
        ids, lifted = _ordered(ids, np.array(scores) + np.array([trace.verbatim.get(point, 0.0) for point in ids]))
        return ids, lifted.tolist()

    def _combined(
        self, near: Scored, worded: Scored, normalise: Callable[[Scores], Scores], dense: _Dense, sparse: _Sparse, moved: bool
    ) -> tuple[Trace, Scores]:
        ids = _union(near, worded)
        if self.ranking.method == "rrf":
            if not moved:
                dense.scores(ids)
            return Trace(near.ids, worded.ids, ids, None, None, moved), reciprocal_rank([near.ids, worded.ids], ids, self.ranking.rrf_k)
        cosines, matches = normalise(dense.scores(ids)), by_max(sparse.scores(ids))
        trace = Trace(near.ids, worded.ids, ids, cosines, matches, moved)
        return trace, convex(cosines, matches, self.ranking.dense_weight)


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
