"""Holds exported graphs against sentence-transformers on torch: same vectors, same bytes in any batch, at what cost."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from search_index.embedding import Encoder, EncoderCard
from search_index.embedding.card import Precision, Tried
from search_index.embedding.runtimes.offers import Offer
from search_index.errors import ModelMismatch

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

LEAST_COSINE = 0.999
_FASTER = 0.9
"""Another runtime or precision has to save a tenth of the cost to be worth another set of vectors."""
_TIMED = 3
"""Times the probes are encoded; the fastest counts, since whatever else the machine does can only slow one down."""
_DEVICE_REPEATS = 32
"""A device is timed on so many times the probes, because it is fed in larger batches."""

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
    """How a runtime did at one precision. Cosines are over all probes, as documents and as queries; times are a probe's.

    ``batch_invariant``: a text's bytes do not depend on its batch. Where they do, every text is run by itself, and the times
    are of that. ``repeatable``: run as it will be, a text has the same bytes every time.
    """

    runtime: str
    on_device: bool
    precision: Precision
    min_cosine: float
    mean_cosine: float
    batch_invariant: bool
    repeatable: bool
    cpu_ms: float
    wall_ms: float

    @property
    def refused(self) -> str:
        """Why it cannot be used; empty where it can."""
        if self.min_cosine < LEAST_COSINE:
            return f"the worst cosine to torch is {self.min_cosine:.6f}, at least {LEAST_COSINE} is wanted"
        return "" if self.repeatable else "the same text has other bytes when it is encoded again"

    def cost_ms(self, cpus: int) -> float:
        """Milliseconds of a machine with so many CPUs: a CPU runtime shares its work among them, a device waits for nobody."""
        return self.wall_ms if self.on_device else self.cpu_ms / cpus


def torch_reference(model: SentenceTransformer) -> Reference:
    """Encode the probes with sentence-transformers' own ``encode_document`` and ``encode_query``, one by one: unpadded."""
    probes = list(PROBES)
    queries = model.encode_query(probes, batch_size=1, normalize_embeddings=True, show_progress_bar=False)
    before = time.process_time()
    documents = model.encode_document(probes, batch_size=1, normalize_embeddings=True, show_progress_bar=False)
    spent = time.process_time() - before
    return Reference(np.asarray(documents, np.float32), np.asarray(queries, np.float32), spent / len(probes) * 1e3)


def measure(draft: EncoderCard, offer: Offer, folder: Path, reference: Reference) -> tuple[list[Measured], list[Tried]]:
    """Run the offered runtime's graph in ``folder`` over the probes, at each precision it has.

    Returns:
        What ran, and why the rest did not: one runtime that fails leaves the others to choose from.
    """
    measured, failed = [], []
    for precision in offer.precisions():
        change = {"runtime": offer.label, "engine": offer.engine, "device": offer.device, "precision": precision}
        try:
            measured.append(_measure(draft.model_copy(update=change), folder, reference))
        except (ModelMismatch, RuntimeError) as error:
            failed.append(failure(offer, precision, error))
    return measured, failed


def failure(offer: Offer, precision: Precision, error: Exception) -> Tried:
    """The entry of a runtime that could not be measured."""
    why = " ".join(str(error).split())[:300] or type(error).__name__
    return Tried(runtime=offer.label, precision=precision, min_cosine=None, cpu_ms=None, wall_ms=None, chosen=False, refused=why)


def choose(measured: Sequence[Measured], before: tuple[str, str], cpus: int) -> Measured | None:
    """The fastest that is faithful and repeatable, if it is clearly faster than what stays otherwise.

    What stays is what was chosen for this model ``before``, as runtime and precision, or else the first: two measurements
    of the same machine never agree, and each change of mind embeds every passage anew. None where nothing can be used.
    """
    usable = [each for each in measured if not each.refused]
    if not usable:
        return None
    stays = next((each for each in usable if (each.runtime, each.precision) == before), usable[0])
    fastest = min(usable, key=lambda each: each.cost_ms(cpus))
    return fastest if fastest.cost_ms(cpus) < stays.cost_ms(cpus) * _FASTER else stays


def tried(measured: Sequence[Measured], chosen: Measured | None) -> list[Tried]:
    """What was measured, as the card keeps it."""
    return [
        Tried(
            runtime=each.runtime,
            precision=each.precision,
            min_cosine=each.min_cosine,
            cpu_ms=each.cpu_ms,
            wall_ms=each.wall_ms,
            chosen=each is chosen,
            refused=each.refused,
        )
        for each in measured
    ]


def _measure(card: EncoderCard, folder: Path, reference: Reference) -> Measured:
    probes = list(PROBES)
    encoder = Encoder.of(card.model_copy(update={"batch_invariant": True}), folder, threads=1)
    documents = encoder.encode(probes)
    alone = encoder.encode(probes, batch_tokens=1)
    batch_invariant = documents.tobytes() == alone.tobytes() == _in_other_batches(encoder, probes).tobytes()
    if not batch_invariant:
        encoder = Encoder.of(card.model_copy(update={"batch_invariant": False}), folder, threads=1)
        documents = encoder.encode(probes)
    queries = np.stack([encoder.encode_query(text) for text in probes])
    pairs = ((documents, reference.documents), (queries, reference.queries))
    cosines = np.concatenate([(ours.astype(np.float64) * theirs).sum(1) for ours, theirs in pairs])
    cpu_ms, wall_ms = _timed(encoder, probes * (1 if card.device == "cpu" else _DEVICE_REPEATS))
    return Measured(
        runtime=card.runtime,
        on_device=card.device != "cpu",
        precision=card.precision,
        min_cosine=float(cosines.min()),
        mean_cosine=float(cosines.mean()),
        batch_invariant=batch_invariant,
        repeatable=batch_invariant or documents.tobytes() == _in_other_batches(encoder, probes).tobytes(),
        cpu_ms=cpu_ms,
        wall_ms=wall_ms,
    )


def _in_other_batches(encoder: Encoder, probes: list[str]) -> NDArray[np.float32]:
    """The probes' vectors once more, in other places of larger batches."""
    return encoder.encode(probes[::-1] * 2)[: len(probes)][::-1]


def _timed(encoder: Encoder, texts: list[str]) -> tuple[float, float]:
    """CPU and wall milliseconds a text, each of the fastest of some rounds."""
    cpu, wall = [], []
    for _ in range(_TIMED):
        began = time.process_time(), time.perf_counter()
        encoder.encode(texts)
        cpu.append(time.process_time() - began[0])
        wall.append(time.perf_counter() - began[1])
    return min(cpu) / len(texts) * 1e3, min(wall) / len(texts) * 1e3
