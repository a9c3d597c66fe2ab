"""ONNX Runtime: on the CPU, or on CUDA with the package onnxruntime-gpu."""

from __future__ import annotations

from pathlib import Path

from search_index.embedding.card import ONNX, EncoderCard, Precision
from search_index.embedding.runtimes.interface import Features, Opened, Session, Vectors
from search_index.errors import ModelMismatch

BATCH_TOKENS = 512
CUDA_BATCH_TOKENS = 16_384
_ERRORS_ONLY = 3


def precisions() -> tuple[Precision, ...]:
    """Float32 alone: a lower one would need another graph."""
    return ("f32",)


def open_graph(card: EncoderCard, folder: Path, threads: int) -> Opened:
    """Load the graph. On the CPU each call runs on the thread that makes it, and on no other."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    if card.device == "cuda":
        onnxruntime.preload_dlls()  # CUDA's libraries lie in packages of their own, where the loader does not look
        # TF32 has the mantissa of float16: it would not be the precision that the card says.
        providers = [("CUDAExecutionProvider", {"use_tf32": "0"})]
    else:
        providers = [("CPUExecutionProvider", {})]
    try:
        loaded = onnxruntime.InferenceSession(folder / ONNX, options, providers=providers)
    except Exception as error:  # its errors share no class but this one
        raise ModelMismatch(f"ONNX Runtime cannot load {folder / ONNX}: {error}", "Ingest again, or use another runtime.") from error
    if providers[0][0] not in loaded.get_providers():
        raise ModelMismatch(
            f"ONNX Runtime has no {card.device} to run {card.name} on.", "Use a machine that has, or PLUMBLINE_RUNTIME=openvino."
        )

    def run(features: Features) -> Vectors:
        try:
            vectors: Vectors = loaded.run(None, dict(features))[0]
        except Exception as error:
            raise ModelMismatch(f"ONNX Runtime failed to run {card.name}: {error}", "Use PLUMBLINE_RUNTIME=openvino.") from error
        return vectors

    def session() -> Session:
        return run  # threads may share the one session

    inputs = tuple(each.name for each in loaded.get_inputs())
    return Opened(inputs, session, threads, BATCH_TOKENS) if card.device == "cpu" else Opened(inputs, session, 1, CUDA_BATCH_TOKENS)
