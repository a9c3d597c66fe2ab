"""Embeds the texts that have no vector yet, in portions, so that a killed run loses one portion at most."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search_index.embedding import Encoder


@dataclass(frozen=True)
class EmbedReport:
    """What embedding did: ``embedded + reused`` is the number of keys asked for.

    ``embedded`` counts texts the encoder ran on, ``reused`` the keys that needed none: they had a vector, or share the text
    of another key. ``cpu_s`` is this process's CPU time, flushing included.
    """

    embedded: int
    reused: int
    cpu_s: float
    wall_s: float


def embed_missing(
    texts: Mapping[str, str],
    have: AbstractSet[str],
    encoder: Encoder,
    flush: Callable[[list[str], NDArray[np.float32]], None],
    flush_every: int = 2000,
    progress: Callable[[int], None] | None = None,
) -> EmbedReport:
    """Give every key of ``texts`` a vector, computing each distinct text once.

    Run again after a kill with ``have`` as it then is, the rest is embedded, and the vectors have the same bytes as those of
    one whole run: a text's vector does not depend on what it is embedded with.

    Args:
        texts: key to exact text.
        have: keys that have a vector already.
        flush: stores keys and their vectors, shape (len(keys), dimension), row by row; called in the order of ``texts``.
        flush_every: distinct texts between two flushes; bounds the memory and what a kill can lose.
        progress: called with the number of keys finished since the last call.
    """
    wall, cpu = time.perf_counter(), time.process_time()
    keys_of: dict[str, list[str]] = {}
    for key, text in texts.items():
        if key not in have:
            keys_of.setdefault(text, []).append(key)
    distinct = list(keys_of)
    for start in range(0, len(distinct), flush_every):
        portion = distinct[start : start + flush_every]
        vectors = encoder.encode(portion, progress=progress)
        owners = [(key, row) for row, text in enumerate(portion) for key in keys_of[text]]
        flush([key for key, _ in owners], vectors[[row for _, row in owners]])
        if progress is not None and len(owners) > len(portion):
            progress(len(owners) - len(portion))
    return EmbedReport(len(distinct), len(texts) - len(distinct), time.process_time() - cpu, time.perf_counter() - wall)
