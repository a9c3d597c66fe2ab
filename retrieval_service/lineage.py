"""Builds the lineage graph from what points, releases and verdicts say of themselves."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final

from pydantic import BaseModel

from retrieval_service.provenance import (
    AnyNode,
    CheckNode,
    ChunkNode,
    DocumentNode,
    Edge,
    FileNode,
    Lineage,
    ModelNode,
    Relation,
    ReleaseNode,
    RunNode,
    SourceNode,
    ToolNode,
)
from search_index.engine.interface import IndexReader, Visibility
from search_index.errors import NotFound, RevisionUnknown
from search_index.model.document import document_id
from search_index.model.release import ReleaseRecord, Verdict
from search_index.model.search import OPEN_END, Span


class StoredPoint(BaseModel):
    """The part of a point's payload that lineage is about."""

    chunk_id: str
    document_id: str
    source: str
    uri: str
    title: str
    start: int
    end: int
    page_first: int | None
    section: tuple[str, ...]
    modified_at: datetime | None
    raw_sha256: str
    parser: str
    chunker: str
    model_digest: str
    encoder: str
    run_id: str
    vector_key: str
    valid_from: int
    valid_to: int


OF_THE_WHOLE: Final = "It is about the whole release, which takes the scope `governance`."


class Graph:
    """Gathers nodes and edges, each once, in the order they were first met."""

    def __init__(self) -> None:
        self._nodes: dict[str, AnyNode] = {}
        self._edges: dict[Edge, None] = {}

    def add(self, node: AnyNode) -> str:
        """Put a node in, unless one with its key is there; returns the key."""
        self._nodes.setdefault(node.key, node)
        return node.key

    def link(self, subject: str, relation: Relation, target: str) -> None:
        """Put an edge in."""
        self._edges.setdefault(Edge(subject=subject, relation=relation, object=target))

    def about(self, subject: str) -> Lineage:
        """The graph as an answer about one of its nodes."""
        return Lineage(subject=subject, nodes=list(self._nodes.values()), edges=list(self._edges))


def add_point(graph: Graph, point: StoredPoint, releases: Iterable[ReleaseRecord]) -> tuple[str, str]:
    """A point with all it came from, and those of ``releases`` that were published and hold it. Returns chunk's and document's keys."""
    document = graph.add(
        DocumentNode(
            key=f"document:{point.document_id}", document_id=point.document_id, uri=point.uri, source=point.source, title=point.title
        )
    )
    file = graph.add(
        FileNode(key=f"file:{point.raw_sha256}:{point.uri}", uri=point.uri, raw_sha256=point.raw_sha256, modified_at=point.modified_at)
    )
    chunk = graph.add(
        ChunkNode(
            key=f"chunk:{point.chunk_id}@{point.valid_from}",
            chunk_id=point.chunk_id,
            span=Span(start=point.start, end=point.end),
            page=point.page_first,
            section=point.section,
            vector_key=point.vector_key,
            valid_from=point.valid_from,
            valid_to=point.valid_to if point.valid_to < OPEN_END else None,
        )
    )
    holders = [r for r in releases if r.published_at and point.valid_from <= r.revision < point.valid_to]
    pins = (r.manifest.model for r in holders if r.manifest and r.manifest.model.encoder == point.encoder)
    name = next((pin.name for pin in pins), None)
    model = graph.add(ModelNode(key=f"model:{point.encoder}", name=name, digest=point.model_digest, encoder=point.encoder))
    graph.link(document, "read_from", file)
    graph.link(chunk, "part_of", document)
    graph.link(document, "parsed_by", graph.add(ToolNode(key=f"parser:{point.parser}", role="parser", fingerprint=point.parser)))
    graph.link(chunk, "cut_by", graph.add(ToolNode(key=f"chunker:{point.chunker}", role="chunker", fingerprint=point.chunker)))
    graph.link(chunk, "embedded_by", model)
    graph.link(chunk, "made_by", _run(graph, point.run_id))
    for record in holders:
        graph.link(add_release(graph, record), "holds", chunk)
    return chunk, document


def add_release(graph: Graph, record: ReleaseRecord) -> str:
    """A release, the run that published it and the release it was built on. Returns its key."""
    manifest = record.manifest
    release = graph.add(
        ReleaseNode(
            key=f"release:{record.revision}",
            revision=record.revision,
            status=record.status,
            published_at=record.published_at,
            index=manifest.index if manifest else None,
            counts=manifest.counts if manifest else None,
            held=tuple(manifest.held) if manifest else (),
            reasons=tuple(record.reasons),
        )
    )
    graph.link(release, "published_by" if record.published_at else "made_by", _run(graph, record.run_id))
    return release


def add_parts(graph: Graph, record: ReleaseRecord) -> None:
    """The sources, with contract and tables, and the model that a release was made of."""
    release, manifest = add_release(graph, record), record.manifest
    if manifest is None:
        return
    for source, pin in sorted(manifest.sources.items()):
        graph.link(release, "made_of", graph.add(SourceNode(key=f"source:{source}@{record.revision}", source=source, pin=pin)))
    model = ModelNode(
        key=f"model:{manifest.model.encoder}", name=manifest.model.name, digest=manifest.model.digest, encoder=manifest.model.encoder
    )
    graph.link(release, "embedded_by", graph.add(model))


def add_verdicts(graph: Graph, record: ReleaseRecord, verdicts: Iterable[Verdict], sources: frozenset[str] | None) -> None:
    """The checks that decided a release: those on the whole, and on ``sources`` (None: on all of them)."""
    release = add_release(graph, record)
    manifest = record.manifest
    for verdict in verdicts:
        on_source = manifest is not None and verdict.subject in manifest.sources
        if sources is not None and verdict.subject not in sources | {"candidate"}:
            continue
        check = graph.add(
            CheckNode(
                key=f"check:{verdict.check}:{verdict.subject}:{verdict.inputs_digest[:16]}",
                check=verdict.check,
                subject=verdict.subject,
                outcome=verdict.outcome,
                severity=verdict.severity,
                summary=verdict.summary,
                at=verdict.at,
            )
        )
        graph.link(release, "decided_by", check)
        graph.link(check, "ran_in", _run(graph, verdict.run_id))
        if on_source and manifest is not None:
            pin = manifest.sources[verdict.subject]
            source = graph.add(SourceNode(key=f"source:{verdict.subject}@{record.revision}", source=verdict.subject, pin=pin))
            graph.link(release, "made_of", source)
            graph.link(check, "judged", source)


def without_wholes(found: Lineage) -> Lineage:
    """The same graph for whoever may not look at releases: what these hold as a whole counts documents that may not be read."""

    def told(node: AnyNode) -> AnyNode:
        if isinstance(node, ReleaseNode):
            return node.model_copy(update={"counts": None, "held": (), "reasons": ()})
        if isinstance(node, CheckNode) and node.subject == "candidate":
            return node.model_copy(update={"summary": OF_THE_WHOLE})
        return node

    return found.model_copy(update={"nodes": [told(node) for node in found.nodes]})


def _run(graph: Graph, run_id: str) -> str:
    return graph.add(RunNode(key=f"run:{run_id}", run_id=run_id))


def points_of(id: str, reader: IndexReader, revisions: Iterable[int], sight: Callable[[int], Visibility]) -> list[StoredPoint]:
    """Every version of the passages of a chunk or document that may be seen in these revisions.

    Args:
        id: a chunk id, a document id, or a document's address (``source:path``).
        revisions: those that are no longer retained are passed over.
        sight: what whoever asks may see of a revision.

    Errors:
        NotFound: there is none. One that may not be read is not told from one that does not exist.
    """
    source, separator, path = id.partition(":")
    wanted = document_id(source, path) if separator else id
    found: dict[tuple[str, int], StoredPoint] = {}
    for revision in revisions if separator or _is_uuid(id) else []:
        try:
            reader.check(revision)
        except RevisionUnknown:
            continue
        visible = sight(revision)
        payloads = (not separator and reader.find(visible, chunk_id=wanted)) or reader.find(visible, document_id=wanted)
        for point in map(StoredPoint.model_validate, payloads):
            found.setdefault((point.chunk_id, point.valid_from), point)
    if not found:
        raise NotFound(
            f"No chunk, document or release {id} can be seen.",
            "Give a chunk id, a document id or address (`source:path`) from a search, or a revision number.",
        )
    return list(found.values())


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False
