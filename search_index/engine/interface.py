"""What every engine does: stage a revision as a difference, publish or discard it, and answer for any revision it holds.

A revision is staged against the *head* (the revision published last), looked at through ``candidate.reader()``, then
published or discarded. Nothing outside this package knows of directories or collections. Every call is idempotent: an
interrupted one is repeated, and what it left half done is removed by ``recover``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import JsonValue as Json

from search_index.bm25 import Bm25Settings, TermStatistics
from search_index.model.search import Filters

Payload: TypeAlias = dict[str, Json]
Vector: TypeAlias = npt.NDArray[np.float32]
Ids: TypeAlias = npt.NDArray[np.uint32]

POINTS = pa.schema(
    [
        pa.field("point_id", pa.string(), nullable=False),
        pa.field("chunk_id", pa.string(), nullable=False),
        pa.field("document_id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("tenant", pa.string(), nullable=False),
        pa.field("payload", pa.string(), nullable=False),
        pa.field("payload_digest", pa.string(), nullable=False),
        pa.field("vector_key", pa.string(), nullable=False),
        pa.field("access", pa.list_(pa.string()), nullable=False),
        pa.field("vector", pa.list_(pa.float32()), nullable=False),
        pa.field("term_ids", pa.list_(pa.uint32()), nullable=False),
        pa.field("term_counts", pa.list_(pa.uint32()), nullable=False),
    ]
)
"""Points to be added. ``payload`` is a JSON object: ``uri``, ``title``, ``text``, ``header``, ``start``, ``end``, ``ordinal``,
``page_first``, ``page_last``, ``section``, ``modified_ts`` (epoch seconds), ``modified_at``, ``metadata``, ``raw_sha256``,
``parser``, ``chunker``, ``model_digest``, ``encoder``, ``run_id``. The engine adds ``chunk_id``, ``document_id``, ``source``,
``tenant``, ``vector_key`` and ``access`` from their columns, ``valid_from`` and ``valid_to``. Vectors are brought to length 1."""

LEDGER = pa.schema(
    [
        pa.field("point_id", pa.string(), nullable=False),
        pa.field("chunk_id", pa.string(), nullable=False),
        pa.field("document_id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("tenant", pa.string(), nullable=False),
        pa.field("payload_digest", pa.string(), nullable=False),
        pa.field("payload_sha256", pa.string(), nullable=False),
        pa.field("vector_key", pa.string(), nullable=False),
        pa.field("vector_sha256", pa.string(), nullable=False),
        pa.field("access", pa.list_(pa.string()), nullable=False),
        pa.field("term_ids", pa.list_(pa.uint32()), nullable=False),
        pa.field("term_counts", pa.list_(pa.uint32()), nullable=False),
        pa.field("valid_from", pa.int64(), nullable=False),
        pa.field("valid_to", pa.int64(), nullable=False),
    ]
)
"""Every point an index holds, of all retained revisions, sorted by ``point_id``. ``payload_digest`` is the caller's;
``payload_sha256`` is of the payload as stored, without ``valid_to``; ``vector_sha256`` of the float32 bytes as stored."""


@dataclass(frozen=True, slots=True)
class Delta:
    """What one revision changes: points that become visible (schema ``POINTS``) and ids of points that stop being so."""

    added: pa.Table
    retired: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Visibility:
    """What a query may see: one tenant's, of these groups. Applied inside every arm and every read path; without groups nothing is."""

    revision: int
    tenant: str
    groups: frozenset[str]
    filters: Filters = field(default_factory=Filters)
    excluded_documents: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Scored:
    """Point ids, best first, and their scores; equal scores are in order of id."""

    ids: list[str]
    scores: Vector


@dataclass(frozen=True, slots=True)
class DocumentFacts:
    """What is known of a document without its text. ``modified_ts`` is in epoch seconds."""

    source: str
    modified_ts: float | None
    metadata: Mapping[str, Json]


class IndexReader(Protocol):
    """Answers for every revision one directory or collection holds. Safe for use by many threads at once."""

    @property
    def directory_revision(self) -> int:
        """The newest revision it holds."""
        ...

    @property
    def content(self) -> str:
        """Hash of every point's id, payload, vector, terms and validity, to be held against the manifest's ``content``."""
        ...

    @property
    def bm25(self) -> Bm25Settings:
        """The settings the stored term weights were made with."""
        ...

    @property
    def metadata_fields(self) -> Sequence[str]:
        """Names of metadata fields that points of any revision have, whoever may read them: not to be shown before that is looked at.

        Where there are more than 64, some may be left out.
        """
        ...

    def check(self, revision: int) -> None:
        """Make sure that this reader answers for ``revision``.

        Raises:
            RevisionUnknown: it is newer than this reader, or some of its points have been vacuumed.
        """
        ...

    def dense(self, vector: Vector, visibility: Visibility, limit: int) -> Scored:
        """The visible points nearest to ``vector``, shape (dimension,), by cosine."""
        ...

    def sparse(self, ids: Ids, weights: Vector, visibility: Visibility, limit: int) -> Scored:
        """The visible points that hold any of the terms ``ids``, by BM25; ``weights`` are the query's, IDF included."""
        ...

    def dense_scores(self, vector: Vector, point_ids: Sequence[str]) -> Vector:
        """Cosine of each point with ``vector``, in the order asked; 0 for a point that is not there."""
        ...

    def sparse_scores(self, ids: Ids, weights: Vector, point_ids: Sequence[str]) -> Vector:
        """BM25 of each point, in the order asked; 0 for one without any of the terms, or that is not there."""
        ...

    def vectors(self, point_ids: Sequence[str]) -> npt.NDArray[np.float32]:
        """Stored vectors, shape (len(point_ids), dimension). Raises ``NotFound`` where one is not there."""
        ...

    def payloads(self, point_ids: Sequence[str]) -> dict[str, Payload]:
        """Payloads by point id. Of ids a search gave; nothing is filtered here."""
        ...

    def find(
        self,
        visibility: Visibility,
        chunk_id: str | None = None,
        document_id: str | None = None,
        ordinals: tuple[int, int] | None = None,
    ) -> list[Payload]:
        """Visible payloads of one chunk or one document, in order of ``ordinal``; ``ordinals`` are the first and last wanted."""
        ...

    def count(self, visibility: Visibility) -> int:
        """How many points are visible, exactly."""
        ...

    def documents(self, visibility: Visibility) -> list[str]:
        """Ids of the documents that have a visible point, rising."""
        ...

    def facts(self, revision: int) -> Mapping[str, DocumentFacts]:
        """Of every document of ``revision``, by id. To be looked up for ids that ``documents`` gave: nothing is filtered here."""
        ...

    def statistics(self, revision: int, tenant: str) -> TermStatistics:
        """The term statistics of a tenant in ``revision``; of nothing where it has none there. Raises ``RevisionUnknown``."""
        ...

    def ledger(self) -> pa.Table:
        """Every point held, schema ``LEDGER``, sorted by point id."""
        ...

    def close(self) -> None:
        """Let running calls finish, then release everything. Calls that come later raise ``HomeDamaged``. Idempotent."""
        ...


class Candidate(Protocol):
    """A revision that was staged and that nobody sees yet."""

    @property
    def index(self) -> str:
        """The index it belongs to."""
        ...

    @property
    def revision(self) -> int:
        """The revision it would become."""
        ...

    @property
    def content(self) -> str:
        """Hash of what the revision holds, see ``IndexReader.content``."""
        ...

    @property
    def answers_for(self) -> list[int] | None:
        """Older revisions it answers for as well: those that were to be retained and that the head still held. None: all it ever had."""
        ...

    def reader(self) -> IndexReader:
        """Search the candidate as it will be served. Works before and after ``publish``; the caller closes it."""
        ...

    def ledger(self) -> pa.Table:
        """What its reader's ``ledger`` gives, without opening what is searched."""
        ...

    def publish(self) -> None:
        """Make it durable under its own name. The catalog moves the pointer afterwards."""
        ...

    def discard(self) -> None:
        """Remove whatever was staged, published or not."""
        ...


@dataclass(frozen=True, slots=True)
class Kept:
    """What of an engine's directories or collections has to stay.

    ``published`` are the (index, revision) of every release the catalog knows as published, ``retained`` those of them that are to
    be answered for, ``reserves`` how many of an index to keep, at least 1.
    """

    published: frozenset[tuple[str, int]]
    retained: frozenset[tuple[str, int]]
    reserves: int


@dataclass(frozen=True, slots=True)
class Superseded:
    """A directory or collection that nothing needs any more. ``size`` is in bytes."""

    index: str
    revision: int
    size: int
    why: str


class Engine(Protocol):
    """Keeps indexes. An index is named by the fingerprint of model, chunkers and BM25 settings."""

    def stage(
        self,
        index: str,
        head: int | None,
        revision: int,
        delta: Delta,
        bm25: Bm25Settings,
        dimension: int,
        retained: Sequence[int] | None,
    ) -> Candidate:
        """Build ``revision`` as ``head`` with ``delta`` applied; readers of ``head`` notice nothing.

        Args:
            head: revision this index was published at last; None builds it from nothing.
            retained: older revisions that are to be answered for; points that none of them can see, nor any from now on, are deleted.
                None keeps all.

        Raises:
            WrongUsage: the delta does not fit the head: it adds a point that is there, or retires one that is not current; or the
                settings are not the head's, but for tenants that came in, or lack a tenant of a point that is added.
            DiskFull: there is less room than the copy and the change will take. Nothing is left behind.
            HomeDamaged: the head's files are missing or cannot be read.
        """
        ...

    def open(self, index: str, revision: int, head: int | None = None) -> IndexReader:
        """A reader that answers for ``revision``: the newest there is that holds it, so it answers for its neighbours too.

        Args:
            head: the revision published last; anything newer was never pointed at and is not looked at. A service gives it
                always; without it the newest of all is taken.

        Raises:
            RevisionUnknown: nothing holds it.
            HomeDamaged: its files cannot be read, or are not what was published.
        """
        ...

    def ledger(self, index: str, revision: int, head: int | None = None) -> pa.Table:
        """What the ``ledger`` of the reader that ``open`` gives holds, without opening what is searched. Raises the same."""
        ...

    def recover(self, keep: Kept) -> list[str]:
        """Remove what was half built, and what ``superseded`` lists.

        Only to be called while holding the writer's lease. Returns what was done, a sentence each.
        """
        ...

    def superseded(self, keep: Kept) -> list[Superseded]:
        """What was built and never pointed at, what newer directories of an index hold as well, and indexes with nothing to be kept."""
        ...

    def verify(self, index: str, revision: int) -> list[str]:
        """Hold every stored point against the ledger. Returns what is wrong, a sentence each, with counts and ids."""
        ...

    def size_of(self, index: str, revision: int) -> int:
        """Bytes on disk, or at least what is known of them."""
        ...

    def close(self) -> None:
        """Let go of connections that readers share. What is asked for afterwards makes new ones. Idempotent."""
        ...
