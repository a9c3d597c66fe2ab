"""Holds an exported graph against sentence-transformers on torch: same vectors, same bytes in any batch, at what CPU time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from search_index.embedding import Encoder, EncoderCard
from search_index.embedding.card import Precision

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

LEAST_COSINE = 0.999
_FASTER = 0.9
"""A lower precision has to save a tenth of the CPU time to be worth another set of vectors."""

_WORDS = "the gate holds a release until every check of its tables, contract and golden set has passed "
PROBES: tuple[str, ...] = (
    "",
    " ",
    ".",
    "a",
    "\n\t\n",
    "release",
    "How is a release rolled back?",
    "What does the freshness contract of the source say?",
    "Statin use after diagnosis of breast cancer: a population-based cohort study.",
    "p < 0.05; 95% CI [0.81, 1.27]; n = 4,210",
    "def publish(manifest: Manifest) -> None: ...",
    "https://example.org/a/b?c=d#e  user@example.org",
    "| revision | live |\n|---|---|\n| 12 | yes |",
    "UPPER CASE AND lower case",
    "Ünïcödé: naïve façade, Straße, Ærøskøbing",
    "Где хранится журнал аудита?",
    "索引 は どこ に あります か。",
    "مرحبا بالعالم",
    "emoji 🙂🚀 and a zero\u200bwidth space",
    "e\u0301 is not composed, \u00e9 is",
    "word " * 12,
    _WORDS * 2,
    _WORDS * 5,
    "Revision 7 was refused. " + _WORDS * 8,
    "antidisestablishmentarianism " * 30,
    _WORDS * 40,
)


@dataclass(frozen=True)
class Reference:
    """What sentence-transformers itself makes of the probes: unit vectors, shape (probes, dimension), and its CPU time."""

    documents: NDArray[np.float32]
    queries: NDArray[np.float32]
    cpu_ms: float


@dataclass(frozen=True)
class Measured:
    """How the graph did at one precision. Cosines are over all probes, as documents and as queries."""

    precision: Precision
    min_cosine: float
    mean_cosine: float
    batch_invariant: bool
    cpu_ms: float


def torch_reference(model: SentenceTransformer) -> Reference:
    """Encode the probes with sentence-transformers' own ``encode_document`` and ``encode_query``, one by one: unpadded."""
    probes = list(PROBES)
    queries = model.encode_query(probes, batch_size=1, normalize_embeddings=True, show_progress_bar=False)
    before = time.process_time()
    documents = model.encode_document(probes, batch_size=1, normalize_embeddings=True, show_progress_bar=False)
    spent = time.process_time() - before
    return Reference(np.asarray(documents, np.float32), np.asarray(queries, np.float32), spent / len(probes) * 1e3)


def measure_precisions(draft: EncoderCard, folder: Path, reference: Reference) -> list[Measured]:
    """Run the graph in ``folder`` over the probes at float32, and at bfloat16 where the CPU has it."""
    import openvino

    lower: tuple[Precision, ...] = ("bf16",) if "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES") else ()
    return [_measure(draft.model_copy(update={"precision": precision}), folder, reference) for precision in ("f32", *lower)]


def choose(measured: Sequence[Measured]) -> Measured:
    """Float32, the first, unless another is near enough to torch, keeps its bytes in any batch, and is clearly faster."""
    best = measured[0]
    for other in measured[1:]:
        if other.min_cosine >= LEAST_COSINE and other.batch_invariant and other.cpu_ms < best.cpu_ms * _FASTER:
            best = other
    return best


def _measure(card: EncoderCard, folder: Path, reference: Reference) -> Measured:
    encoder = Encoder.of(card, folder, threads=1)
    probes = list(PROBES)
    queries = np.stack([encoder.encode_query(text) for text in probes])
    before = time.process_time()
    documents = encoder.encode(probes)
    spent = time.process_time() - before
    alone = encoder.encode(probes, batch_tokens=1)
    repeated = encoder.encode(probes[::-1] * 2)[: len(probes)][::-1]
    pairs = ((documents, reference.documents), (queries, reference.queries))
    cosines = np.concatenate([(ours.astype(np.float64) * theirs).sum(1) for ours, theirs in pairs])
    return Measured(
        precision=card.precision,
        min_cosine=float(cosines.min()),
        mean_cosine=float(cosines.mean()),
        batch_invariant=documents.tobytes() == alone.tobytes() == repeated.tobytes(),
        cpu_ms=spent / len(probes) * 1e3,
    )
