"""Traces a whole sentence-transformers model, tokenizer apart, into one graph a runtime: token ids in, unit vectors out."""

from __future__ import annotations

import io
import tempfile
import warnings
from collections.abc import Set as AbstractSet
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from search_index.embedding.card import GRAPH, ONNX, PROGRAM, Engine
from search_index.embedding.runtimes.on_torch import INPUTS
from search_index.errors import ModelMismatch

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from torch import Tensor
    from torch.nn import Module

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


def write_graphs(model: SentenceTransformer, facts: GraphFacts, folder: Path, engines: AbstractSet[Engine]) -> dict[Engine, ModelMismatch]:
    """Write what each engine reads into ``folder``, weights in float32. Batch size and length stay open.

    Returns:
        Why, for each engine that cannot have this model.
    """
    features = model.preprocess(list(_EXAMPLE))
    example = tuple(features[name] for name in facts.inputs)
    whole, failed = _unit_vectors(model, facts), dict[Engine, ModelMismatch]()
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        # Tracing warns of every branch it cannot follow. Whether one mattered is what the fidelity check finds out.
        warnings.simplefilter("ignore")
        if engines & {"openvino", "onnxruntime"}:
            failed.update(_write_onnx(whole, example, facts, folder, engines))
        if "torch" in engines:
            try:
                _write_program(whole, example, facts, folder)
            except (RuntimeError, ValueError) as error:
                failed["torch"] = ModelMismatch(f"torch.export cannot follow the model: {error}", _NOT_ONE_GRAPH)
    return failed


def _unit_vectors(model: SentenceTransformer, facts: GraphFacts) -> Module:
    import torch

    class UnitVectors(torch.nn.Module):
        """All of the model's modules in a row, and the L2 normalisation that cosine similarity needs."""

        def __init__(self, whole: SentenceTransformer) -> None:
            super().__init__()
            self.whole = whole

        def forward(self, *tensors: torch.Tensor) -> torch.Tensor:
            vectors: torch.Tensor = self.whole(dict(zip(facts.inputs, tensors, strict=True)))["sentence_embedding"]
            return torch.nn.functional.normalize(vectors, p=2.0, dim=1)

    return UnitVectors(model).eval()


def _write_onnx(
    whole: Module, example: tuple[Tensor, ...], facts: GraphFacts, folder: Path, engines: AbstractSet[Engine]
) -> dict[Engine, ModelMismatch]:
    """Write the trace as ONNX, and for OpenVINO in its own format: as large, compiled in half the time, its weights mapped."""
    import torch

    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        onnx = Path(scratch) / ONNX
        with torch.inference_mode():
            torch.onnx.export(
                whole,
                example,
                str(onnx),
                input_names=list(facts.inputs),
                output_names=["sentence_embedding"],
                dynamic_axes={name: {0: "batch", 1: "length"} for name in facts.inputs},
                opset_version=_OPSET,
                dynamo=False,
            )
        if "openvino" in engines:
            import openvino

            openvino.save_model(openvino.convert_model(onnx), folder / GRAPH, compress_to_fp16=False)
        if "onnxruntime" not in engines:
            return {}
        if len(list(Path(scratch).iterdir())) > 1:
            return {"onnxruntime": ModelMismatch("The model does not fit in one ONNX file, which ends at 2 GB.", "Use OpenVINO.")}
        onnx.rename(folder / ONNX)
    return {}


def _write_program(whole: Module, example: tuple[Tensor, ...], facts: GraphFacts, folder: Path) -> None:
    import torch

    open_ended = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    with torch.no_grad():
        program = torch.export.export(whole, example, dynamic_shapes={"tensors": tuple(open_ended for _ in example)}, strict=False)
    torch.export.save(program, folder / PROGRAM, extra_files={INPUTS: ",".join(facts.inputs)})


def _described(module: object) -> str:
    mode = getattr(module, "pooling_mode", None)
    return type(module).__name__ + (f":{mode if isinstance(mode, str) else '+'.join(mode)}" if mode else "")
