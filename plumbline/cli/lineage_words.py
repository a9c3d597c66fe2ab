"""A node of the lineage graph in one line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from retrieval_service.provenance import (
    AnyNode,
    CheckNode,
    ChunkNode,
    DocumentNode,
    FileNode,
    ModelNode,
    ReleaseNode,
    RunNode,
    SourceNode,
    ToolNode,
)

_DIGEST = 12


def says(node: AnyNode) -> str:
    """What a node is, with the start of its digests; ids are whole."""
    match node:
        case FileNode():
            return f"file {node.uri}, sha256 {node.raw_sha256[:_DIGEST]}, modified {node.modified_at or 'unknown'}"
        case DocumentNode():
            return f"document {node.uri} ({node.title}), {node.document_id}"
        case ChunkNode():
            until = f" to {node.valid_to - 1}" if node.valid_to else " on"
            page = f", page {node.page}" if node.page else ""
            return f"chunk {node.chunk_id}, characters {node.span.start}-{node.span.end}{page}, releases {node.valid_from}{until}"
        case ToolNode():
            return f"{node.role} {node.fingerprint}"
        case ModelNode():
            return f"model {node.name or 'unnamed'}, weights {node.digest[:_DIGEST]}, encoder {node.encoder[:_DIGEST]}"
        case SourceNode():
            tables = (
                f"tables documents v{node.pin.documents.version}, chunks v{node.pin.chunks.version}, vectors v{node.pin.vectors.version}"
            )
            return f"source {node.source}, contract {node.pin.contract_version} ({node.pin.contract[:_DIGEST]}), {tables}"
        case ReleaseNode():
            counts = f", {node.counts.documents} documents, {node.counts.chunks} chunks" if node.counts else ""
            return f"release {node.revision}, {node.status}, published {node.published_at or 'never'}{counts}"
        case CheckNode():
            return f"check {node.check} of {node.subject}: {node.outcome} ({node.severity}), {node.summary}"
        case RunNode():
            return f"run {node.run_id}"
        case _:
            assert_never(node)


def checks_say(nodes: Sequence[AnyNode]) -> list[str]:
    """How many checks passed, in a line, and one line for each that did not."""
    checks = [node for node in nodes if isinstance(node, CheckNode)]
    failed = [says(check) for check in checks if check.outcome != "passed"]
    passed = len(checks) - len(failed)
    return [f"{passed} checks that passed"] * bool(passed) + failed
