"""OpenVINO on the CPU: the format that loads fastest, its weights mapped and not read."""

from __future__ import annotations

from pathlib import Path

from search_index.embedding.card import GRAPH, EncoderCard, Precision
from search_index.embedding.runtimes.interface import Features, Opened, Session, Vectors

BATCH_TOKENS = 512
"""Nothing is won above some hundred, and memory grows by 85 kB a token and thread."""


def precisions() -> tuple[Precision, ...]:
    """Float32, and bfloat16 where the CPU has it."""
    import openvino

    return ("f32", "bf16") if "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES") else ("f32",)


def open_graph(card: EncoderCard, folder: Path, threads: int) -> Opened:
    """Compile the graph. Each stream runs on a single thread."""
    import openvino

    settings = {
        "INFERENCE_PRECISION_HINT": card.precision,
        "NUM_STREAMS": str(threads),
        "INFERENCE_NUM_THREADS": str(threads),
        # Two processes that pin would both take the first cores and leave the others idle.
        "ENABLE_CPU_PINNING": "NO",
    }
    compiled = openvino.Core().compile_model(folder / GRAPH, "CPU", settings)

    def session() -> Session:
        # One infer request a thread: a shared one answers "Infer Request is busy".
        request = compiled.create_infer_request()

        def run(features: Features) -> Vectors:
            # Not the request's own output buffer: the next inference writes over it.
            vectors: Vectors = request.infer(dict(features), share_inputs=True, share_outputs=False)[0]
            return vectors

        return run

    return Opened(tuple(port.any_name for port in compiled.inputs), session, threads, BATCH_TOKENS)
