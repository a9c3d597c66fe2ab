"""Reading one revision of the server engine, and those before it that it answers for."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from qdrant_client import models

from search_index.bm25 import Bm25Settings, TermStatistics
from search_index.engine import ledger as ledgers
from search_index.engine.filters import Between, Condition, Conditions, OneOf, conditions
from search_index.engine.interface import DocumentFacts, Ids, IndexReader, Payload, Scored, Vector, Visibility
from search_index.engine.scoring import settled, term_scores, unit_query
from search_index.engine.server_client import REBUILD
from search_index.engine.server_collection import Collection
from search_index.engine.server_filters import as_filter, visible_at
from search_index.engine.server_ledger import LedgerFolders, ServerAbout
from search_index.engine.stored_point import DENSE, EXACT_BELOW, SPARSE, facts_of
from search_index.errors import HomeDamaged, NotFound, RevisionUnknown, ServerUnavailable
from search_index.keeping import keeping
from search_index.model.search import OPEN_END

_LOOK_EVERY_S = 1.0


class ServerReader(IndexReader):
    """See ``IndexReader``. The client is the engine's and stays open; a closed reader refuses calls.

    Later revisions are staged into the same collection meanwhile. What they add is filtered out, and where they end a point, its payload
    still says what it said at this revision.

    Raises:
        ServerUnavailable: the server does not answer.
        HomeDamaged: the collection or the ledger is not what it was.
    """

    def __init__(self, index: str, about: ServerAbout, ledger: pa.Table, collection: Collection, folders: LedgerFolders) -> None:
        self._index, self._about, self._ledger = index, about, ledger
        self._stored, self._folders = collection, folders
        self._rows = ledgers.Rows(ledger)
        self._saved = folders.statistics(index, about.revision)
        self._closed = False
        self._whole_until: dict[int, float] = {}
        self._statistics = keeping(16, self._load_statistics)
        self._facts = keeping(2, self._read_facts)

    @property
    def directory_revision(self) -> int:
        """The revision it was opened as."""
        return self._about.revision

    @property
    def content(self) -> str:
        """The ledger's hash, computed again when it was opened."""
        return self._about.content

    @property
    def bm25(self) -> Bm25Settings:
        """The settings the stored term weights were made with."""
        return self._about.bm25

    @property
    def metadata_fields(self) -> Sequence[str]:
        """Those that have an index."""
        return list(self._about.fields)

    def check(self, revision: int) -> None:
        """Make sure that ``revision`` is its own or one that it answers for, and that none of that one's points went since.

        The points of a release that is no longer retained are deleted in time. Who has not swapped since is told so, within a second.
        """
        self._about.check(revision)
        if revision != self._about.revision and time.monotonic() >= self._whole_until.get(revision, 0.0):
            self._check_older(revision)

    def dense(self, vector: Vector, visibility: Visibility, limit: int) -> Scored:
        """Nearest points: all compared where the tenant has few or few are visible, through the HNSW graph where many are."""
        wanted = conditions(visibility)
        if wanted is None or limit < 1:
            return Scored([], np.empty(0, np.float32))
        query, stored = unit_query(vector, self._about.dimension).tolist(), self._open()
        few = self._rows.held(visibility.tenant) < EXACT_BELOW or stored.count(wanted, exact=False) < EXACT_BELOW
        seen = as_filter(wanted)

        def fetch(size: int) -> tuple[list[str], Vector]:
            params = models.SearchParams(exact=True) if few else models.SearchParams(hnsw_ef=max(128, size))
            hits = stored.nearest(DENSE, query, seen, size, params)
            return [point for point, _ in hits], np.array([score for _, score in hits], dtype=np.float32)

        return settled(fetch, limit)

    def sparse(self, ids: Ids, weights: Vector, visibility: Visibility, limit: int) -> Scored:
        """Best points by BM25, found by Qdrant and scored from the ledger."""
        wanted = conditions(visibility)
        if wanted is None or limit < 1 or not len(ids):
            return Scored([], np.empty(0, np.float32))
        query, stored, seen = models.SparseVector(indices=ids.tolist(), values=weights.tolist()), self._open(), as_filter(wanted)

        def fetch(size: int) -> tuple[list[str], Vector]:
            found = [point for point, _ in stored.nearest(SPARSE, query, seen, size)]
            return found, term_scores(self._rows, self.bm25, ids, weights, self._rows.positions(found))

        return settled(fetch, limit)

    def dense_scores(self, vector: Vector, point_ids: Sequence[str]) -> Vector:
        """Cosine of each point, the same bits as ``dense`` gives."""
        if not point_ids:
            return np.empty(0, np.float32)
        among = models.Filter(must=[models.HasIdCondition(has_id=self._held(point_ids))])
        query = unit_query(vector, self._about.dimension).tolist()
        scores = dict(self._open().nearest(DENSE, query, among, len(point_ids), models.SearchParams(exact=True)))
        return np.array([scores.get(point, 0.0) for point in point_ids], dtype=np.float32)

    def sparse_scores(self, ids: Ids, weights: Vector, point_ids: Sequence[str]) -> Vector:
        """BM25 of each point, the same bits as ``sparse`` gives."""
        self._open()
        return term_scores(self._rows, self.bm25, ids, weights, self._rows.positions(point_ids))

    def vectors(self, point_ids: Sequence[str]) -> npt.NDArray[np.float32]:
        """Stored vectors, shape (len(point_ids), dimension)."""
        records = self._open().retrieve(self._held(point_ids), False, [DENSE])
        stored = {str(record.id): record.vector[DENSE] for record in records if isinstance(record.vector, dict)}
        if missing := [point for point in point_ids if point not in stored]:
            raise NotFound(f"{len(missing)} of {len(point_ids)} points are not there, {missing[0]} for one.")
        return np.array([stored[point] for point in point_ids], dtype=np.float32).reshape(len(point_ids), self._about.dimension)

    def payloads(self, point_ids: Sequence[str]) -> dict[str, Payload]:
        """Payloads by point id, ``valid_from`` and ``valid_to`` as this revision knows them."""
        return {str(record.id): self._payload(record) for record in self._open().retrieve(self._held(point_ids), True, [])}

    def find(
        self,
        visibility: Visibility,
        chunk_id: str | None = None,
        document_id: str | None = None,
        ordinals: tuple[int, int] | None = None,
    ) -> list[Payload]:
        """Visible payloads of one chunk or one document, in order."""
        wanted = conditions(visibility)
        if wanted is None or (chunk_id is None and document_id is None):
            return []
        named: list[Condition] = [
            OneOf(key, (value,)) for key, value in (("chunk_id", chunk_id), ("document_id", document_id)) if value is not None
        ]
        if ordinals is not None:
            named.append(Between("ordinal", at_least=ordinals[0], at_most=ordinals[1]))
        found = [self._payload(record) for record in self._scrolled(Conditions((*wanted.must, *named), wanted.must_not), payload=True)]
        return sorted(found, key=lambda payload: (int(str(payload.get("ordinal", 0))), str(payload["chunk_id"])))

    def count(self, visibility: Visibility) -> int:
        """How many points are visible, exactly."""
        wanted = conditions(visibility)
        return 0 if wanted is None else self._open().count(wanted)

    def documents(self, visibility: Visibility) -> list[str]:
        """Ids of the documents that have a visible point; a request for each thousand points that are seen."""
        wanted = conditions(visibility)
        if wanted is None:
            return []
        rows = self._rows.positions([str(record.id) for record in self._scrolled(wanted, payload=False)])
        return sorted(pc.unique(self._ledger["document_id"].take(pa.array(rows[rows >= 0]))).to_pylist())

    def facts(self, revision: int) -> Mapping[str, DocumentFacts]:
        """Read off one point of each document, once a revision."""
        self.check(revision)
        return self._facts(revision)

    def statistics(self, revision: int, tenant: str) -> TermStatistics:
        """The tenant's term statistics that were current at ``revision``."""
        self.check(revision)
        return self._statistics(revision, tenant)

    def ledger(self) -> pa.Table:
        """The ledger; stays readable after ``close``."""
        return self._ledger

    def close(self) -> None:
        """Refuse further calls; those under way end by themselves."""
        self._closed = True

    def _check_older(self, revision: int) -> None:
        rows = self._ledger
        expected = int(pc.sum(pc.and_(pc.less_equal(rows["valid_from"], revision), pc.greater(rows["valid_to"], revision))).as_py() or 0)
        with contextlib.suppress(ServerUnavailable):  # the arms will say so, and whoever asks may do without them
            if self._open().count(visible_at(revision)) != expected:
                raise RevisionUnknown(f"Revision {revision} is not retained any more.", "Ask for one that is.")
            self._whole_until[revision] = time.monotonic() + _LOOK_EVERY_S

    def _open(self) -> Collection:
        if self._closed:
            raise HomeDamaged(f"The reader of revision {self._about.revision} was closed.", "Open it again.")
        return self._stored

    def _held(self, point_ids: Sequence[str]) -> list[models.ExtendedPointId]:
        """Those of the points that the ledger has: the collection may hold staged ones, and some that are about to be deleted."""
        return [point for point, row in zip(point_ids, self._rows.positions(point_ids).tolist(), strict=True) if row >= 0]

    def _scrolled(self, wanted: Conditions, *, payload: bool) -> Iterator[models.Record]:
        yield from self._open().scroll(wanted, payload=payload)

    def _payload(self, record: models.Record) -> Payload:
        payload: Payload = dict(record.payload or {})
        ends = payload.get("valid_to")
        # A later revision has ended it, or is being staged and may never be published.
        return {**payload, "valid_to": OPEN_END} if isinstance(ends, int) and ends > self._about.revision else payload

    def _read_facts(self, revision: int) -> Mapping[str, DocumentFacts]:
        ledger = self._ledger.select(["point_id", "document_id", "valid_from", "valid_to"])
        held = ledger.filter(pc.and_(pc.less_equal(ledger["valid_from"], revision), pc.greater(ledger["valid_to"], revision)))
        one_each = dict(zip(held["document_id"].to_pylist(), held["point_id"].to_pylist(), strict=True))
        records = self._open().retrieve(list(one_each.values()), ["document_id", "source", "modified_ts", "metadata"], [])
        return {str(payload["document_id"]): facts_of(payload) for payload in (record.payload or {} for record in records)}

    def _load_statistics(self, revision: int, tenant: str) -> TermStatistics:
        before = [saved for saved in self._saved if saved <= revision]
        if not before:
            raise HomeDamaged(f"The term statistics of revision {revision} are missing.", REBUILD)
        return self._folders.load_statistics(self._index, self._about.revision, before[-1]).get(tenant, TermStatistics.empty())
