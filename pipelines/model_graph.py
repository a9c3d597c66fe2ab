"""Traces a whole sentence-transformers model, tokenizer apart, into one OpenVINO graph: token ids in, unit vectors out."""

from __future__ import annotations

import io
import tempfile
import warnings
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from search_index.embedding.card import GRAPH
from search_index.errors import ModelMismatch

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_OPSET = 17
_KNOWN_INPUTS = ("input_ids", "attention_mask", "token_type_ids")
# Of different length, so that the trace meets padding.
_EXAMPLE = ("hello world", "a second text, which is somewhat longer than the first one")
_NOT_ONE_GRAPH = "Use a model that is a transformer with pooling, such as all-MiniLM-L6-v2."


@dataclass(frozen=True)
class GraphFacts:
    """What running the graph needs to know about the model, read from it. ``limit`` is in tokens, special ones included."""

    inputs: tuple[str, ...]
    tokenizer: str
    limit: int
    dimension: int
    pooling: str
    query_prompt: str
    document_prompt: str
    pad_id: int
    padding_side: Literal["left", "right"]


def graph_facts(model: SentenceTransformer, name: str) -> GraphFacts:
    """Read the facts off a loaded model.

    Raises:
        ModelMismatch: the model is not one that a graph of token ids to one vector can stand for.
    """
    from tokenizers import Tokenizer

    features = model.preprocess(list(_EXAMPLE))
    inputs = tuple(each for each in _KNOWN_INPUTS if each in features)
    backend = getattr(model.tokenizer, "backend_tokenizer", None)
    if inputs[:2] != _KNOWN_INPUTS[:2] or features["input_ids"].ndim != 2 or not isinstance(backend, Tokenizer):
        raise ModelMismatch(f"{name} does not turn token ids and an attention mask into a vector.", _NOT_ONE_GRAPH)
    prompts = {key: prompt or "" for key, prompt in model.prompts.items()}
    default = prompts.get(model.default_prompt_name or "", "")
    # The names and their order are those of SentenceTransformer.encode_query and encode_document.
    document = next((prompts[key] for key in ("document", "passage", "corpus") if key in prompts), default)
    query = prompts.get("query", default)
    if (query or document) and not all(getattr(module, "include_prompt", True) for module in model):
        raise ModelMismatch(f"{name} leaves its prompt out of the pooling, which one graph cannot do.", _NOT_ONE_GRAPH)
    tokenizer = Tokenizer.from_str(backend.to_str())
    tokenizer.no_truncation()
    tokenizer.no_padding()
    dimension, limit = model.get_embedding_dimension(), model.max_seq_length
    if not dimension or not limit:
        raise ModelMismatch(f"{name} does not say how many tokens it takes or how many dimensions its vectors have.", _NOT_ONE_GRAPH)
    return GraphFacts(
        inputs=inputs,
        tokenizer=tokenizer.to_str(),
        limit=int(limit),
        dimension=int(dimension),
        pooling="+".join(_described(module) for module in model),
        query_prompt=query,
        document_prompt=document,
        pad_id=int(model.tokenizer.pad_token_id or 0),
        padding_side="left" if model.tokenizer.padding_side == "left" else "right",
    )


def write_graph(model: SentenceTransformer, facts: GraphFacts, folder: Path) -> None:
    """Write ``graph.xml`` and ``graph.bin`` (float32 weights) into ``folder``. Batch size and length stay open.

    The OpenVINO format, not ONNX: as large, compiled in half the time, and its weights are mapped and not read.
    """
    import openvino
    import torch

    class UnitVectors(torch.nn.Module):
        """All of the model's modules in a row, and the L2 normalisation that cosine similarity needs."""

        def __init__(self, whole: SentenceTransformer) -> None:
            super().__init__()
            self.whole = whole

        def forward(self, *tensors: torch.Tensor) -> torch.Tensor:
            vectors: torch.Tensor = self.whole(dict(zip(facts.inputs, tensors, strict=True)))["sentence_embedding"]
            return torch.nn.functional.normalize(vectors, p=2.0, dim=1)

    features = model.preprocess(list(_EXAMPLE))
    with tempfile.TemporaryDirectory(dir=folder) as scratch, warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        # Tracing warns of every branch it cannot follow. Whether one mattered is what the fidelity check finds out.
        warnings.simplefilter("ignore")
        onnx = Path(scratch) / "graph.onnx"
        with torch.inference_mode():
            torch.onnx.export(
                UnitVectors(model),
                tuple(features[name] for name in facts.inputs),
                str(onnx),
                input_names=list(facts.inputs),
                output_names=["sentence_embedding"],
                dynamic_axes={name: {0: "batch", 1: "length"} for name in facts.inputs},
                opset_version=_OPSET,
                dynamo=False,
            )
        openvino.save_model(openvino.convert_model(onnx), folder / GRAPH, compress_to_fp16=False)


def _described(module: object) -> str:
    mode = getattr(module, "pooling_mode", None)
    return type(module).__name__ + (f":{mode if isinstance(mode, str) else '+'.join(mode)}" if mode else "")
