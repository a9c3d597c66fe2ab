"""Proof that the encoder sees all of every chunk: tokens counted again, apart from the chunker, with the model's own tokenizer."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.chunking.token_counter import TokenCounter
from pipelines.workspace import Workspace
from search_index.embedding.card import TOKENIZER
from search_index.model.release import SourcePin

FITS_ENCODER = "chunk_fits_encoder"
"""The check that reads what is found here."""
_COLUMNS = ["chunk_id", "vector_key", "header", "tokens"]
_PORTION = 2000


def fits_encoder(workspace: Workspace, source: str, chunks: pa.Table, published: SourcePin | None) -> list[bool]:
    """For each row whether its header and text have the tokens it says, special tokens included, and no more than the model reads.

    Rows that the published head holds were counted when it was gated by this check, and are not counted again: ``chunk_id``
    stands for the text, and ``vector_key`` for the encoder, its tokenizer and its limit.

    Args:
        chunks: the rows of the chunks table, all columns.
        published: what the head holds of the source.
    """
    counted: set[tuple[str, ...]] = set()
    if published is not None and FITS_ENCODER in published.checks:
        counted = set(_keys(workspace.lake.read_source("chunks", source, columns=_COLUMNS, version=published.chunks.version)))
    fits = [key in counted for key in _keys(chunks)]
    to_count = [row for row, known in enumerate(fits) if not known]
    if not to_count:
        return fits
    counter = TokenCounter.from_file(workspace.encoder_folder / TOKENIZER)
    for start in range(0, len(to_count), _PORTION):
        portion = to_count[start : start + _PORTION]
        rows = chunks.select(["header", "text", "tokens"]).take(pa.array(portion)).to_pylist()
        counts = counter.counts([f"{row['header']}\n{row['text']}" if row["header"] else str(row["text"]) for row in rows])
        for at, row, count in zip(portion, rows, counts, strict=True):
            fits[at] = count == row["tokens"] and count <= workspace.passage_tokens
    return fits


def _keys(chunks: pa.Table) -> list[tuple[str, ...]]:
    columns = (pc.cast(chunks[name], pa.string()).to_pylist() for name in _COLUMNS)
    return list(zip(*columns, strict=True))
