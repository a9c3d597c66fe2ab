"""Reranking: the best of a hybrid ranking scored anew by a model that reads the query and a passage together.

What a release pins of it, and what does it. How its scores become a ranking is in ``fusion``; the model itself in ``cross_encoder``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field


class Reranking(BaseModel):
    """Which reranker a release answers with, and how many passages it scores anew."""

    model_config = ConfigDict(frozen=True)

    model: str = Field(pattern="^[0-9a-f]{64}$", description="sha256 over the model's files")
    name: str = Field(description="name of the folder it came from")
    top: int = Field(20, ge=1, le=1000, description="passages of the fused ranking that are scored anew")


class Reranker(Protocol):
    """Scores passages for a query. Safe to share between threads."""

    @property
    def digest(self) -> str:
        """sha256 over the model's files, as ``Reranking.model`` has it."""
        ...

    def scores(self, query: str, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        """How likely each text answers the query, shape (n,), each from 0 to 1. It depends on that text and the query alone."""
        ...
