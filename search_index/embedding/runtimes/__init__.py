"""The libraries that can run an exported graph. Each is imported only for a card that names it."""

from __future__ import annotations

from pathlib import Path

from search_index.embedding.card import EncoderCard
from search_index.embedding.runtimes.interface import Features, Opened, Session, Vectors
from search_index.errors import ModelMismatch

__all__ = ["Features", "Opened", "Session", "Vectors", "open_runtime"]

_INSTALL = {
    "openvino": "pip install openvino",
    "onnxruntime": 'pip install "plumbline[onnxruntime]"',
    "torch": "pip install torch",
}


def open_runtime(card: EncoderCard, folder: Path, threads: int) -> Opened:
    """Load the graph in ``folder`` on the runtime that its card names.

    Args:
        threads: how many sessions will run side by side on the CPU.

    Raises:
        ModelMismatch: the runtime is not installed here, has no such device, or cannot read the graph.
    """
    try:
        if card.engine == "openvino":
            from search_index.embedding.runtimes.on_openvino import open_graph
        elif card.engine == "onnxruntime":
            from search_index.embedding.runtimes.on_onnxruntime import open_graph
        else:
            from search_index.embedding.runtimes.on_torch import open_graph
        return open_graph(card, folder, threads)
    except ModuleNotFoundError as error:
        raise ModelMismatch(
            f"The model in {folder} was exported for {card.runtime}, and {error.name} is not installed here.",
            f"Install it: {_INSTALL[card.engine]}. Or set PLUMBLINE_RUNTIME=openvino and ingest again.",
        ) from error
