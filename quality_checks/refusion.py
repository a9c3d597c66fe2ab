"""A query's hybrid ranking under many settings at once, from arms that are worked out once: the ranker's arithmetic over arrays.

A test holds that these are the rankings of ``search_index.ranker``, which stays the only one that answers anybody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from quality_checks.passages_in_memory import PassagesInMemory, Positions, Vectors, best_positions
from search_index.adapter import QueryAdapter
from search_index.fusion import Ranking, Scores, by_max, centred, convex, reciprocal_rank


@dataclass(frozen=True, eq=False)
class Arms:
    """One query's two arms over every passage in memory; scores are of shape (passages,).

    ``worded`` has the positions that hold any of its terms, best first.
    """

    vector: Vectors
    dense: npt.NDArray[np.float32]
    sparse: npt.NDArray[np.float32]
    worded: Positions
    quoted: dict[int, float]


def arms_of(passages: PassagesInMemory, query: str, vector: Vectors, adapter: QueryAdapter | None = None) -> Arms:
    """Ask both arms.

    Args:
        vector: the query's as it was encoded, shape (dimension,), length 1.
        adapter: what moves it first.
    """
    vector = adapter.apply(vector) if adapter else vector
    sparse = passages.sparse(query)
    held = np.flatnonzero(sparse > 0)
    worded = held[np.argsort(-sparse[held], kind="stable")]
    return Arms(vector, passages.vectors @ vector, sparse, worded, passages.quoted(query, worded))


def rankings(passages: PassagesInMemory, arms: Arms, settings: Sequence[Ranking], documents: int) -> list[Positions]:
    """Positions, best first, under each of the settings, as ``Searcher.rank_documents`` goes through them.

    Args:
        documents: the arms go deeper until they hold so many distinct documents or have nothing more.
    """
    depths = [max(ranking.depth, documents) for ranking in settings]
    found = _ranked(passages, arms, settings, depths)
    wanting = [at for at, order in enumerate(found) if not _enough(passages, arms, order, depths[at], documents)]
    while wanting:
        for at in wanting:
            depths[at] *= 2
        deeper = _ranked(passages, arms, [settings[at] for at in wanting], [depths[at] for at in wanting])
        for at, order in zip(wanting, deeper, strict=True):
            found[at] = order
        wanting = [at for at in wanting if not _enough(passages, arms, found[at], depths[at], documents)]
    return found


def _enough(passages: PassagesInMemory, arms: Arms, order: Positions, depth: int, documents: int) -> bool:
    exhausted = len(passages.ids) < depth and len(arms.worded) < depth
    return exhausted or len({passages.documents[position] for position in order}) >= documents


def _ranked(passages: PassagesInMemory, arms: Arms, settings: Sequence[Ranking], depths: Sequence[int]) -> list[Positions]:
    near = {depth: best_positions(arms.dense, depth) for depth in set(depths)}
    firsts = [_first(passages, arms, ranking, near[depth], depth) for ranking, depth in zip(settings, depths, strict=True)]
    moving = [at for at, ranking in enumerate(settings) if ranking.feedback is not None and len(firsts[at][0])]
    queries = [_moved(passages, arms, settings[at], *firsts[at]) for at in moving]
    moved: dict[int, npt.NDArray[np.float32]] = {}
    if queries:
        scores = passages.vectors @ np.stack(queries, axis=1)
        moved = {at: np.ascontiguousarray(scores[:, column]) for column, at in enumerate(moving)}
    found = []
    for at, (ranking, depth) in enumerate(zip(settings, depths, strict=True)):
        order, values = firsts[at] if at not in moved else _second(passages, arms, ranking, moved[at], depth)
        found.append(_lifted(arms, ranking, order, values))
    return found


def _first(passages: PassagesInMemory, arms: Arms, ranking: Ranking, near: Positions, depth: int) -> tuple[Positions, Scores]:
    among = np.union1d(near, arms.worded[:depth])
    return _combined(passages, arms, ranking, near, depth, among, by_max(arms.dense[among].astype(np.float64)))


def _moved(passages: PassagesInMemory, arms: Arms, ranking: Ranking, order: Positions, values: Scores) -> Vectors:
    """The query's vector moved towards the first ranking's best, at length 1 as the engine makes it."""
    assert ranking.feedback is not None
    top = np.maximum(values[: ranking.feedback.top], 0.0)
    weights = top if top.sum() > 0 else np.ones(len(top))
    centroid = (weights / weights.sum()) @ passages.vectors[order[: ranking.feedback.top]]
    vector = ((1.0 - ranking.feedback.share) * arms.vector + ranking.feedback.share * centroid).astype(np.float32)
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-12), dtype=np.float32)


def _second(
    passages: PassagesInMemory, arms: Arms, ranking: Ranking, moved: npt.NDArray[np.float32], depth: int
) -> tuple[Positions, Scores]:
    near = best_positions(moved, depth)
    among = np.union1d(near, arms.worded[:depth])
    usual = np.isin(among, np.union1d(near[: ranking.depth], arms.worded[: ranking.depth]))
    return _combined(passages, arms, ranking, near, depth, among, centred(moved[among].astype(np.float64), usual))


def _combined(
    passages: PassagesInMemory, arms: Arms, ranking: Ranking, near: Positions, depth: int, among: Positions, dense: Scores
) -> tuple[Positions, Scores]:
    if ranking.method == "rrf":
        named = [[passages.ids[position] for position in arm] for arm in (near, arms.worded[:depth])]
        values = reciprocal_rank(named, [passages.ids[position] for position in among], ranking.rrf_k)
    else:
        values = convex(dense, by_max(arms.sparse[among].astype(np.float64)), ranking.dense_weight)
    order = np.argsort(-values, kind="stable")
    return among[order], values[order]


def _lifted(arms: Arms, ranking: Ranking, order: Positions, values: Scores) -> Positions:
    if not ranking.verbatim or not arms.quoted:
        return order
    unit = ranking.verbatim * float(values.max(initial=0.0))
    gains = np.array([arms.quoted.get(int(position), 0.0) for position in order])
    rising = np.argsort(order, kind="stable")
    lifted = (values + unit * gains)[rising]
    return order[rising][np.argsort(-lifted, kind="stable")]
