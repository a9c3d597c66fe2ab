"""torch on a CUDA device, from an exported program: neither transformers nor the model's own code is needed to run it.

Torch takes seconds and some hundred megabytes to import, which is why it is offered for a device alone: a service whose
model was exported for it needs torch, and the device, for its queries.
"""

from __future__ import annotations

from pathlib import Path

from search_index.embedding.card import PROGRAM, EncoderCard, Precision
from search_index.embedding.runtimes.interface import Features, Opened, Session, Vectors
from search_index.errors import ModelMismatch

BATCH_TOKENS = 16_384
INPUTS = "inputs"
"""Beside the program in its file: the names of its inputs, with commas between them."""


def precisions() -> tuple[Precision, ...]:
    """Float32, and what the device multiplies faster."""
    return ("f32", "bf16", "f16")


def open_graph(card: EncoderCard, folder: Path, threads: int) -> Opened:
    """Load the program onto the card's device. ``threads`` counts on the CPU alone: one device is fed by one thread."""
    import torch
    from torch.export.passes import move_to_device_pass

    if card.device == "cuda" and not torch.cuda.is_available():
        raise ModelMismatch(
            f"{card.name} was exported for {card.runtime}, and torch finds no CUDA device.",
            "Use a machine that has one, or set PLUMBLINE_RUNTIME=openvino and ingest again.",
        )
    beside = {INPUTS: ""}
    program = move_to_device_pass(torch.export.load(folder / PROGRAM, extra_files=beside), card.device)
    module, inputs = program.module(), tuple(beside[INPUTS].split(","))
    # float32 stays float32: torch's default lets matrices use no TF32, and autocast is off for it.
    lower = {"f32": None, "bf16": torch.bfloat16, "f16": torch.float16}[card.precision]

    def run(features: Features) -> Vectors:
        with torch.inference_mode(), torch.autocast(card.device, lower, enabled=lower is not None):
            found = module(*(torch.from_numpy(features[name]).to(card.device) for name in inputs))
            # At a lower precision the graph's own normalisation ends some thousandths off.
            unit = found if lower is None else torch.nn.functional.normalize(found.float(), dim=1)
            vectors: Vectors = unit.cpu().numpy()
        return vectors

    def session() -> Session:
        return run

    return Opened(inputs, session, threads if card.device == "cpu" else 1, BATCH_TOKENS)
