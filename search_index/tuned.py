"""What a release says of how its ranking was chosen: from which judgements, with what gain, and why not where nothing was gained."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from search_index.reranking import Reranking


class Estimate(BaseModel):
    """nDCG@10 before and after a change, on queries that the change was not chosen with; ``ci95`` is of the paired difference."""

    model_config = ConfigDict(frozen=True)

    queries: int
    before: float
    after: float
    difference: float
    ci95: tuple[float, float]

    @property
    def gains(self) -> bool:
        """Whether the change is better beyond noise."""
        return self.ci95[0] > 0


class Trial(BaseModel):
    """One thing that was tried, whether it was adopted, and why it was or was not."""

    model_config = ConfigDict(frozen=True)

    adopted: bool
    reason: str
    estimate: Estimate | None = None


class Tuned(BaseModel):
    """The last time a ranking was tuned: on what, and what came of it."""

    model_config = ConfigDict(frozen=True)

    golden: str = Field(description="digest of the golden sets it was chosen with, those for training included")
    index: str = Field(description="fingerprint of the index it was chosen on")
    revision: int = Field(description="the revision whose passages it was chosen on")
    chunks: int = Field(description="how many passages that revision had")
    reranking: Reranking | None = Field(None, description="what reranked the answers that confidence was learned from")
    fusion: Trial
    adapter: Trial
