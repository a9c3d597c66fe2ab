"""What a runtime offers the encoder: features in, unit vectors out, one session a thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
Features = Mapping[str, NDArray[np.int64]]
"""By input name, each of shape (rows, length)."""
Session = Callable[[Features], Vectors]
"""Unit vectors, shape (rows, dimension), in memory of the caller's own: the next call does not write over it."""


@dataclass(frozen=True)
class Opened:
    """An exported graph, loaded.

    Attributes:
        inputs: names of the features that the graph takes.
        session: makes a session for the calling thread. Sessions of one graph may run at the same time.
        threads: how many sessions are worth running side by side.
        batch_tokens: padded tokens in one call above which nothing is won.
    """

    inputs: tuple[str, ...]
    session: Callable[[], Session]
    threads: int
    batch_tokens: int
