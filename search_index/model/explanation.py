"""Why a hit stands where it stands, in numbers that add up to its score."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class ArmShare(BaseModel):
    """What one arm says of a passage."""

    rank: int | None = Field(description="among the arm's own candidates, from 1; null where it was not one of them")
    raw: float = Field(description="the arm's own score: cosine or BM25")
    normalised: float = Field(description="what goes into the fusion: 0 to 1 by the best, or below 0 when centred; 1/(k + rank) in RRF")
    weight: float = Field(description="what it is multiplied with")


class FeedbackPart(BaseModel):
    """The query's vector was moved towards the first ranking's best passages before the dense arm gave its part."""

    top: int
    share: float


class RerankPart(BaseModel):
    """What the reranker did to the score."""

    score: float | None = Field(description="its own score, which replaces the fused one; null beyond the passages it read")
    shift: float = Field(description="by how much a passage it did not read was moved, to stay below those it did")


class DiversityPart(BaseModel):
    """Maximal marginal relevance: `(1 - diversity) * relevance - diversity * nearest`."""

    relevance: float = Field(description="the score, brought to 0 to 1 among the candidates")
    nearest: float = Field(description="largest cosine with a passage chosen before it; 0 for the first")
    value: float


class Explanation(BaseModel):
    """`fused` is the sum over the arms of `weight * normalised`, plus `verbatim`; `score` is `fused`, unless a reranker changed it."""

    method: Literal["convex", "rrf", "single"] = Field(description="how arms are combined; single where only one answered")
    arms: dict[Literal["dense", "sparse"], ArmShare]
    feedback: FeedbackPart | None
    verbatim: float = Field(description="what a passage gains that a long query quotes")
    fused: float
    rerank: RerankPart | None
    diversity: DiversityPart | None
    score: float
