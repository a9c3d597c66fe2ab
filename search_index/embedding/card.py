"""``encoder.json``, the card of an exported model: from what it was made, how it was checked, and what identifies its vectors."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from search_index.errors import ModelMismatch
from search_index.model.release import digest_of

CARD = "encoder.json"
GRAPH = "graph.xml"
WEIGHTS = "graph.bin"
ONNX = "graph.onnx"
PROGRAM = "graph.pt2"
TOKENIZER = "tokenizer.json"

Engine = Literal["openvino", "onnxruntime", "torch"]
Device = Literal["cpu", "cuda"]
Precision = Literal["f32", "bf16", "f16"]

FILES: dict[Engine, tuple[str, ...]] = {"openvino": (GRAPH, WEIGHTS), "onnxruntime": (ONNX,), "torch": (PROGRAM,)}
"""What each engine reads, beside the tokenizer."""

_DECIDES_VECTORS = {
    "weights_digest", "config_digest", "tokenizer_digest", "limit", "pooling", "normalise",
    "runtime", "precision", "query_prompt", "document_prompt", "padding_side",
}  # fmt: skip


class Tried(BaseModel):
    """How one runtime did at one precision when the model was exported. Times are milliseconds a probe text."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    runtime: str
    precision: Precision
    min_cosine: float | None = Field(description="worst probe text, against sentence-transformers on torch; None where it did not run")
    cpu_ms: float | None
    wall_ms: float | None
    chosen: bool
    refused: str = Field("", description="why it cannot be used; empty where it could")


class EncoderCard(BaseModel):
    """What an exported folder holds. Flat but for ``tried``, so that all of it can be shown as the metadata of an asset."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    weights_digest: str = Field(description="sha256 of the model's weights file")
    config_digest: str = Field(description="sha256 over the model's configuration and vocabulary files")
    tokenizer_digest: str = Field(description="sha256 of tokenizer.json as exported")
    files: dict[str, str] = Field(description="sha256 of each exported file")
    dimension: int
    limit: int = Field(description="most tokens the model takes, special tokens and prompt included")
    pooling: str = Field(description="the model's modules, for instance Transformer+Pooling:mean+Normalize")
    normalise: Literal["l2"] = "l2"
    runtime: str = Field(description="library, minor version, and the device unless it is the CPU, for instance openvino 2026.4")
    engine: Engine = "openvino"
    device: Device = "cpu"
    precision: Precision
    query_prompt: str
    document_prompt: str
    pad_id: int
    padding_side: Literal["left", "right"]
    batch_invariant: bool = Field(description="a text's vector has the same bytes whatever else is in its batch")
    fidelity_min_cosine: float = Field(description="worst probe text, against sentence-transformers on torch")
    fidelity_mean_cosine: float
    cpu_ms_per_probe: float = Field(description="CPU milliseconds a probe text took on the machine that exported")
    torch_cpu_ms_per_probe: float = Field(description="the same for sentence-transformers on torch")
    wall_ms_per_probe: float = Field(0.0, description="wall milliseconds a probe text took; 0 in cards that did not note it")
    probes: int
    forced: bool = Field(False, description="the runtime was asked for by name, and no other was tried")
    tried: tuple[Tried, ...] = Field((), description="every runtime and precision that was measured; empty in cards that did not note it")

    def fingerprint(self) -> str:
        """sha256 over everything that decides a vector's value. Two encoders with the same one are interchangeable.

        ``runtime`` stands for ``engine`` and ``device`` too. What else was tried, and how fast it was, does not count: installing
        a runtime that is not chosen leaves every vector valid.
        """
        return digest_of(self.model_dump(mode="json", include=_DECIDES_VECTORS))


def vector_key(encoder_fingerprint: str, text: str) -> str:
    """The key of a text's vector: sha256 of the encoder's fingerprint and the exact text (contextual header included)."""
    return hashlib.sha256(f"{encoder_fingerprint}\n{text}".encode("utf-8", "surrogatepass")).hexdigest()


def file_digest(path: Path) -> str:
    """sha256 of a file's bytes, as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def card_of(folder: Path) -> EncoderCard | None:
    """The card of an exported folder, or None where there is none that can be read. The other files are not looked at."""
    try:
        return EncoderCard.model_validate_json((folder / CARD).read_bytes())
    except (OSError, ValidationError):
        return None


def checked_card(folder: Path) -> EncoderCard:
    """The card of an exported folder, once every file it names has its digest (some 0.1 s for 90 MB).

    Raises:
        ModelMismatch: the folder is half written, or a file is missing or damaged.
    """
    remedy = "Ingest again: the model is then exported anew."
    card = card_of(folder)
    if card is None:
        raise ModelMismatch(f"The model folder {folder} has no readable {CARD}.", remedy)
    for name in (*FILES[card.engine], TOKENIZER):
        expected, path = card.files.get(name), folder / name
        got = file_digest(path) if path.is_file() else "no file"
        if got != expected:
            raise ModelMismatch(f"{path} is damaged: expected sha256 {expected}, got {got}.", remedy)
    return card
