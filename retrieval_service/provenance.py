"""Lineage as an answer: nodes are things and what made them, edges say how they hang together. Ids, digests and counts; no text."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from search_index.model.release import Counts, Held, Outcome, Severity, SourcePin, Status
from search_index.model.search import Span

Relation = Literal[
    "read_from",
    "parsed_by",
    "part_of",
    "cut_by",
    "embedded_by",
    "made_by",
    "holds",
    "published_by",
    "built_on",
    "made_of",
    "decided_by",
    "judged",
    "ran_in",
]


class Node(BaseModel):
    """One thing in the graph; ``key`` is what edges name it by."""

    model_config = ConfigDict(frozen=True)

    key: str


class FileNode(Node):
    """The file as it was when it was read."""

    kind: Literal["file"] = "file"
    uri: str
    raw_sha256: str
    modified_at: datetime | None


class DocumentNode(Node):
    """A document."""

    kind: Literal["document"] = "document"
    document_id: str
    uri: str
    source: str
    title: str


class ChunkNode(Node):
    """A passage, and the revisions it can be seen in: from ``valid_from`` up to, not including, ``valid_to`` (null: still)."""

    kind: Literal["chunk"] = "chunk"
    chunk_id: str
    span: Span
    page: int | None
    section: tuple[str, ...]
    vector_key: str
    valid_from: int
    valid_to: int | None


class ToolNode(Node):
    """What parsed a document or cut it: name and version, or fingerprint."""

    kind: Literal["tool"] = "tool"
    role: Literal["parser", "chunker"]
    fingerprint: str


class ModelNode(Node):
    """The embedding model."""

    kind: Literal["model"] = "model"
    name: str | None = Field(description="null when no release that is still known names it")
    digest: str
    encoder: str


class SourceNode(Node):
    """A source as one release holds it: its data contract and the exact tables."""

    kind: Literal["source"] = "source"
    source: str
    pin: SourcePin


class ReleaseNode(Node):
    """A release."""

    kind: Literal["release"] = "release"
    revision: int
    status: Status
    published_at: datetime | None
    index: str | None
    counts: Counts | None
    held: tuple[Held, ...]
    reasons: tuple[str, ...]


class CheckNode(Node):
    """What one check found. Its evidence is in ``GET /v1/releases/{revision}``."""

    kind: Literal["check"] = "check"
    check: str
    subject: str
    outcome: Outcome
    severity: Severity
    summary: str
    at: datetime


class RunNode(Node):
    """A Dagster run."""

    kind: Literal["run"] = "run"
    run_id: str


AnyNode: TypeAlias = Annotated[
    FileNode | DocumentNode | ChunkNode | ToolNode | ModelNode | SourceNode | ReleaseNode | CheckNode | RunNode, Field(discriminator="kind")
]


class Edge(BaseModel):
    """``subject`` stands in ``relation`` to ``object``: `chunk:... part_of document:...`."""

    model_config = ConfigDict(frozen=True)

    subject: str
    relation: Relation
    object: str


class Lineage(BaseModel):
    """Everything known about where one chunk, document or release came from."""

    subject: str = Field(description="key of the node that was asked for")
    nodes: list[AnyNode]
    edges: list[Edge]
