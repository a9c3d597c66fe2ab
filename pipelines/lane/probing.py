"""Probing a lane's vectors: a few of its passages are embedded again."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from pipelines.workspace import Workspace
from quality_checks.contracts import Contract
from quality_checks.finding import Finding
from quality_checks.probes import PRECISE_FROM, SAME_FROM, made_again, of_one_model, probed
from search_index.model.release import SourcePin


def probed_vectors(workspace: Workspace, contract: Contract, published: SourcePin | None, rows: str) -> dict[str, Finding]:
    """What each of ``VECTOR_CHECKS`` finds.

    Args:
        rows: digest of the vectors, by which the probes are drawn.
    """
    lake, name = workspace.lake, contract.name
    chunks = lake.read_source("chunks", name, columns=["vector_key", "header", "text"])
    keys: list[str] = sorted(set(chunks["vector_key"].to_pylist()))
    standing: list[str] = []
    if published is not None:
        standing = lake.read_source("chunks", name, columns=["vector_key"], version=published.chunks.version)["vector_key"].to_pylist()
    chosen = probed(keys, standing, rows)
    stored = lake.vectors(chosen)
    chosen = [key for key in chosen if key in stored]  # one that is missing fails a check of its own
    texts = encoder_texts(chunks.filter(pc.is_in(chunks["vector_key"], pa.array(chosen, pa.string()))))
    again = workspace.encoder.encode([texts[key] for key in chosen]) if chosen else np.empty((0, 0), np.float32)
    vectors = [np.frombuffer(stored[key], dtype=np.float32) for key in chosen]
    return {
        "vectors_of_this_model": _of_this_model(workspace, keys),
        "vectors_made_again": made_again(chosen, vectors, again, SAME_FROM),
        "vectors_precise": made_again(chosen, vectors, again, PRECISE_FROM),
    }


def encoder_texts(chunks: pa.Table) -> dict[str, str]:
    """What was sent to the encoder, by vector key; wants the columns ``vector_key``, ``header`` and ``text``."""
    columns = (chunks[column].to_pylist() for column in ("vector_key", "header", "text"))
    return {key: f"{header}\n{text}" if header else text for key, header, text in zip(*columns, strict=True)}


def _of_this_model(workspace: Workspace, keys: list[str]) -> Finding:
    if not keys:
        return of_one_model([], [], [], "", 0)
    where = ds.field("prefix").isin(sorted({key[:1] for key in keys}))
    rows = workspace.lake.read("vectors", columns=["vector_key", "encoder", "vector"], where=where)
    rows = rows.filter(pc.is_in(rows["vector_key"], pa.array(keys, pa.string())))
    dimensions = pc.fill_null(pc.list_value_length(rows["vector"]), 0).to_pylist()
    pin = workspace.model_pin
    return of_one_model(rows["encoder"].to_pylist(), dimensions, rows["vector_key"].to_pylist(), pin.encoder, pin.dimension)
