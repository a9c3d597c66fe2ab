"""What the checks of a step are shown: the rows it wrote, and beside them what can be told only with other tables in hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.lane.counting_again import fits_encoder
from pipelines.lane.cutting import chunker_of
from pipelines.near_duplicates import duplicates_of
from pipelines.workspace import Workspace
from quality_checks.contracts import Contract
from search_index.model.release import SourcePin, Stage

_OF_DOCUMENTS = ["document_id", "uri", "status", "access", "minhash", "text"]


def judged_rows(workspace: Workspace, contract: Contract, stage: Stage, published: SourcePin | None) -> tuple[pa.Table, list[str]]:
    """The rows to check, as ``quality_checks.columns.derive`` wants them, and what the stage before expects of them."""
    if stage == "documents":
        return _documents(workspace, contract)
    return _chunks(workspace, contract, published) if stage == "chunks" else _vectors(workspace, contract)


def _documents(workspace: Workspace, contract: Contract) -> tuple[pa.Table, list[str]]:
    lake, name, groups = workspace.lake, contract.name, sorted(contract.access_groups)
    documents = lake.read_source("documents", name)
    manifest = lake.read_source("manifests", name, columns=["document_id", "raw_sha256"])
    listed = dict(zip(manifest["document_id"].to_pylist(), manifest["raw_sha256"].to_pylist(), strict=True))
    # A web server may give other bytes each time it is asked (a time of day, a token): there they say nothing.
    fixed = contract.website is None and contract.server_type != "http"
    bytes_of = zip(documents["document_id"].to_pylist(), documents["raw_sha256"].to_pylist(), strict=True)
    worked_out = {
        "access_ok": [sorted(access or ()) == groups for access in documents["access"].to_pylist()],
        "bytes_ok": [not fixed or listed.get(document) == digest for document, digest in bytes_of],
    }
    for column, values in worked_out.items():
        documents = documents.append_column(column, pa.array(values, pa.bool_()))
    return documents, list(listed)


def _chunks(workspace: Workspace, contract: Contract, published: SourcePin | None) -> tuple[pa.Table, list[str]]:
    lake, name = workspace.lake, contract.name
    chunks = lake.read_source("chunks", name)
    documents = lake.read_source("documents", name, columns=_OF_DOCUMENTS)
    documents = documents.filter(pc.equal(documents["status"], "ok"))
    duplicates = duplicates_of(documents, contract.near_duplicates)
    texts = dict(zip(documents["document_id"].to_pylist(), documents["text"].to_pylist(), strict=True))
    groups = dict(zip(documents["document_id"].to_pylist(), documents["access"].to_pylist(), strict=True))
    of, starts, ends, said, access = (chunks[c].to_pylist() for c in ("document_id", "start", "end", "text", "access"))
    also_at = zip(of, chunks["also_at"].to_pylist(), strict=True)
    overlap_ok, covered = _laid_out(of, starts, ends, texts, chunker_of(contract, workspace.passage_tokens).overlap_tokens)
    worked_out: dict[str, Sequence[bool]] = {
        "document_text_slice_ok": [texts.get(d, "")[start:end] == text for d, start, end, text in zip(of, starts, ends, said, strict=True)],
        "places_ok": [tuple(places or ()) == duplicates.also_at.get(document, ()) for document, places in also_at],
        "encoder_fits": fits_encoder(workspace, name, chunks, published),
        "access_ok": [sorted(mine or ()) == sorted(groups.get(d) or ()) for d, mine in zip(of, access, strict=True)],
        "overlap_ok": overlap_ok,
        "covered": covered,
    }
    for column, values in worked_out.items():
        chunks = chunks.append_column(column, pa.array(values, pa.bool_()))
    return chunks, [document for document in texts if document not in duplicates.left_out]


def _laid_out(
    of: Sequence[str], starts: Sequence[int], ends: Sequence[int], texts: dict[str, str], overlap_tokens: int
) -> tuple[list[bool], list[bool]]:
    """For each chunk whether it repeats no more of the one before than it may, and whether its document's chunks leave nothing out.

    A word has at least one token, so what has more words than the overlap may have tokens is too long; counting tokens would
    tell a little more, and cost as much as the chunker does.
    """
    overlap_ok, covered = [True] * len(of), [True] * len(of)
    by_document: dict[str, list[int]] = {}
    for row, document in enumerate(of):
        by_document.setdefault(document, []).append(row)
    for document, rows in by_document.items():
        text, reached, before = texts.get(document, ""), 0, -1
        whole = True
        for row in sorted(rows, key=lambda row: (starts[row], ends[row])):
            start, end = starts[row], ends[row]
            whole = whole and not text[reached:start].strip()
            shared = text[start:reached] if start < reached else ""
            within = len(shared) <= overlap_tokens or len(shared.split()) <= overlap_tokens
            overlap_ok[row] = within and start > before and end > reached
            before, reached = start, max(reached, end)
        if not whole or text[reached:].strip():
            for row in rows:
                covered[row] = False
    return overlap_ok, covered


def _vectors(workspace: Workspace, contract: Contract) -> tuple[pa.Table, list[str]]:
    lake = workspace.lake
    keys = sorted(set(lake.read_source("chunks", contract.name, columns=["vector_key"])["vector_key"].to_pylist()))
    vectors = lake.vectors(keys)
    present = [key for key in keys if key in vectors]
    found = [np.frombuffer(vectors[key], dtype=np.float32) for key in present]
    offsets = np.cumsum([0, *(len(vector) for vector in found)], dtype=np.int32)
    values = pa.ListArray.from_arrays(pa.array(offsets), pa.array(np.concatenate(found) if found else np.empty(0, np.float32)))
    return pa.table({"vector_key": pa.array(present, pa.string()), "vector": values}), keys
