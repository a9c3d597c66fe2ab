"""Why a hit stands where it stands: the numbers that its score was reckoned from."""

from __future__ import annotations

from search_index.answering.diversity import Chosen
from search_index.fusion import Ranking, Scores
from search_index.model.explanation import ArmShare, DiversityPart, Explanation, FeedbackPart, RerankPart
from search_index.model.search import Arm
from search_index.ranker import Ranked, Trace


def explained(point: str, fused: Ranked, final: Ranked, ranking: Ranking, chosen: tuple[Chosen, int] | None) -> Explanation:
    """The explanation of one point of a ranking.

    Args:
        fused: the ranking before a reranker.
        final: after it; the same where there was none.
        chosen: how diversity chose, and which choice this point was; None where it did not.
    """
    before = fused.scores[fused.ids.index(point)]
    after = final.scores[final.ids.index(point)]
    anew = final.arms.get("rerank")
    trace = fused.trace
    shares = _single(point, fused) if trace is None else _both(point, fused, trace, ranking)
    return Explanation(
        method="single" if trace is None else ranking.method,
        arms=shares,
        feedback=FeedbackPart(top=ranking.feedback.top, share=ranking.feedback.share)
        if trace and trace.moved and ranking.feedback
        else None,
        verbatim=trace.verbatim.get(point, 0.0) if trace else 0.0,
        fused=before,
        rerank=RerankPart(score=anew.get(point), shift=0.0 if point in anew else after - before) if anew is not None else None,
        diversity=_diversity(*chosen) if chosen is not None else None,
        score=after,
    )


def _single(point: str, ranked: Ranked) -> dict[Arm, ArmShare]:
    """Of the one arm that answered: its score is the score."""
    arm: Arm = "dense" if "dense" in ranked.arms else "sparse"
    raw = ranked.arms[arm][point]
    return {arm: ArmShare(rank=ranked.ids.index(point) + 1, raw=raw, normalised=raw, weight=1.0)}


def _both(point: str, ranked: Ranked, trace: Trace, ranking: Ranking) -> dict[Arm, ArmShare]:
    place = trace.ids.index(point)
    return {
        "dense": _share(ranked.arms["dense"][point], _rank(point, trace.near), trace.dense, place, ranking.dense_weight, ranking.rrf_k),
        "sparse": _share(
            ranked.arms["sparse"][point], _rank(point, trace.worded), trace.sparse, place, 1 - ranking.dense_weight, ranking.rrf_k
        ),
    }


def _share(raw: float, rank: int | None, normalised: Scores | None, place: int, weight: float, rrf_k: int) -> ArmShare:
    if normalised is None:
        return ArmShare(rank=rank, raw=raw, normalised=1.0 / (rrf_k + rank) if rank is not None else 0.0, weight=1.0)
    return ArmShare(rank=rank, raw=raw, normalised=float(normalised[place]), weight=weight)


def _rank(point: str, ids: list[str]) -> int | None:
    return ids.index(point) + 1 if point in ids else None


def _diversity(chosen: Chosen, position: int) -> DiversityPart:
    return DiversityPart(
        relevance=float(chosen.relevance[position]), nearest=float(chosen.nearest[position]), value=float(chosen.value[position])
    )
