"""One revision's passages in memory, searched by words with rank-bm25: what answers when the engine that held them is gone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from search_index.bm25 import Bm25Settings, TermStatistics
from search_index.engine.filters import conditions
from search_index.engine.interface import DocumentFacts, Ids, IndexReader, Payload, Scored, Vector, Visibility
from search_index.engine.lexical import AT_ONCE, Lexical
from search_index.engine.matching import meets
from search_index.engine.stored_point import facts_of
from search_index.errors import NotFound, NotInMemory, RevisionUnknown
from search_index.fusion import best_first
from search_index.keeping import keeping
from search_index.model.filters import Filters


class MemoryReader(IndexReader):
    """See ``IndexReader``; of one revision, without vectors. It needs nothing of the reader it was copied from.

    Each tenant's passages are a corpus of their own, with the tenant's ``avgdl``, and a query brings the IDF of the release's own
    statistics: so a passage's score is the one that the engine's sparse arm gives it, but for the rounding of 32-bit floats.
    Use ``in_memory`` to make one.
    """

    def __init__(self, reader: IndexReader, revision: int, rows: pa.Table, payloads: dict[str, Payload]) -> None:
        self._revision = revision
        self._content, self._bm25, self._fields = reader.content, reader.bm25, list(reader.metadata_fields)
        self._ledger = _copied(reader.ledger())
        self._payloads = payloads
        self._corpora = {tenant: Lexical(rows.filter(pc.field("tenant") == tenant), self._bm25, tenant) for tenant in _tenants(rows)}
        self._statistics = {tenant: reader.statistics(revision, tenant) for tenant in self._corpora}
        self._facts = {str(payload["document_id"]): facts_of(payload) for payload in payloads.values()}
        self._seen = keeping(64, self._visible)

    @property
    def directory_revision(self) -> int:
        """The one revision."""
        return self._revision

    @property
    def content(self) -> str:
        """What the reader it was copied from says."""
        return self._content

    @property
    def bm25(self) -> Bm25Settings:
        """Likewise."""
        return self._bm25

    @property
    def metadata_fields(self) -> Sequence[str]:
        """Likewise."""
        return self._fields

    def check(self, revision: int) -> None:
        """Make sure that it is the one in memory."""
        if revision != self._revision:
            raise RevisionUnknown(
                f"Release {revision} is not in memory, where only release {self._revision} is while the engine does not answer.",
                "Ask for the live release, or again when `plumbline doctor` finds nothing wrong.",
            )

    def dense(self, vector: Vector, visibility: Visibility, limit: int) -> Scored:
        """Raises ``NotInMemory``: vectors are not copied."""
        raise _no_vectors()

    def dense_scores(self, vector: Vector, point_ids: Sequence[str]) -> Vector:
        """Raises ``NotInMemory``."""
        raise _no_vectors()

    def vectors(self, point_ids: Sequence[str]) -> npt.NDArray[np.float32]:
        """Raises ``NotInMemory``."""
        raise _no_vectors()

    def sparse(self, ids: Ids, weights: Vector, visibility: Visibility, limit: int) -> Scored:
        """Best visible points by rank-bm25: about a microsecond for each term of the query in each visible point."""
        corpus = self._corpora.get(visibility.tenant)
        if corpus is None or limit < 1 or not len(ids):
            return Scored([], np.empty(0, np.float32))
        points = [point for point in self._points(visibility) if point in corpus.positions]
        scores = corpus.scores(ids, weights, points)
        found = np.flatnonzero(scores)
        named = [points[position] for position in found]
        order = best_first(named, scores[found])[:limit]
        return Scored([named[position] for position in order], scores[found][order])

    def sparse_scores(self, ids: Ids, weights: Vector, point_ids: Sequence[str]) -> Vector:
        """The same for given points; 0 for one that is not there."""
        total = np.zeros(len(point_ids), np.float32)
        for corpus in self._corpora.values():
            mine = [i for i, point in enumerate(point_ids) if point in corpus.positions]
            total[mine] = corpus.scores(ids, weights, [point_ids[i] for i in mine])
        return total

    def payloads(self, point_ids: Sequence[str]) -> dict[str, Payload]:
        """Copies, so that nobody changes what is kept."""
        return {point: dict(self._payloads[point]) for point in point_ids if point in self._payloads}

    def find(
        self,
        visibility: Visibility,
        chunk_id: str | None = None,
        document_id: str | None = None,
        ordinals: tuple[int, int] | None = None,
    ) -> list[Payload]:
        """Visible payloads of one chunk or one document, in order."""
        if chunk_id is None and document_id is None:
            return []
        first, last = ordinals if ordinals is not None else (0, 2**53)
        found = [
            dict(payload)
            for payload in (self._payloads[point] for point in self._points(visibility))
            if (chunk_id is None or payload["chunk_id"] == chunk_id)
            and (document_id is None or payload["document_id"] == document_id)
            and first <= _ordinal(payload) <= last
        ]
        return sorted(found, key=lambda payload: (_ordinal(payload), str(payload["chunk_id"])))

    def count(self, visibility: Visibility) -> int:
        """How many points are visible, exactly."""
        return len(self._points(visibility))

    def documents(self, visibility: Visibility) -> list[str]:
        """Ids of the documents that have a visible point, rising."""
        return sorted({str(self._payloads[point]["document_id"]) for point in self._points(visibility)})

    def facts(self, revision: int) -> Mapping[str, DocumentFacts]:
        """Of every document in memory."""
        self.check(revision)
        return self._facts

    def statistics(self, revision: int, tenant: str) -> TermStatistics:
        """The release's own, of the tenant."""
        self.check(revision)
        return self._statistics.get(tenant) or TermStatistics.empty()

    def ledger(self) -> pa.Table:
        """Who may read what, of every point that the reader held in whatever revision: without terms, of which only the corpora know."""
        return self._ledger

    def close(self) -> None:
        """Forget everything now, whoever still refers to this reader. Nobody may be asking."""
        self._seen.cache_clear()
        self._payloads.clear()
        self._corpora.clear()

    def _points(self, seen: Visibility) -> tuple[str, ...]:
        """Ids of the points that are seen, in order of id; kept by all that decides it, so that nobody is given another's."""
        filters = seen.filters.model_dump_json(exclude_defaults=True)
        return self._seen(seen.revision, seen.tenant, seen.groups, seen.excluded_documents, filters)

    def _visible(self, revision: int, tenant: str, groups: frozenset[str], excluded: frozenset[str], filters: str) -> tuple[str, ...]:
        wanted = conditions(Visibility(revision, tenant, groups, Filters.model_validate_json(filters), excluded))
        if wanted is None:
            return ()
        return tuple(point for point, payload in self._payloads.items() if meets(payload, wanted))


def in_memory(reader: IndexReader, revision: int, most: int) -> MemoryReader:
    """Copy what ``revision`` shows to anyone, ``reader`` staying open until this is done.

    Args:
        most: passages that may be copied.

    Raises:
        NotInMemory: there are more.
        RevisionUnknown: the reader does not hold the revision.
    """
    reader.check(revision)
    rows = shown(reader.ledger(), revision)
    if rows.num_rows > most:
        raise NotInMemory(
            f"Release {revision} has {rows.num_rows:,} passages, and {most:,} at most are kept in memory.",
            "Set PLUMBLINE_FALLBACK_PASSAGES to more where there is memory for them (about 25 MB for a thousand).",
        )
    points: list[str] = rows["point_id"].to_pylist()
    payloads: dict[str, Payload] = {}
    for start in range(0, len(points), AT_ONCE):
        payloads |= reader.payloads(points[start : start + AT_ONCE])
    if len(payloads) != len(points):
        raise NotFound(f"{len(points) - len(payloads)} of {len(points)} points are not there.")
    return MemoryReader(reader, revision, rows, payloads)


def shown(ledger: pa.Table, revision: int) -> pa.Table:
    """The rows that a revision shows to anyone."""
    rows = ledger.filter((pc.field("valid_from") <= revision) & (pc.field("valid_to") > revision))
    return rows.filter(pc.greater(pc.list_value_length(rows["access"]), 0))


def _copied(ledger: pa.Table) -> pa.Table:
    """Of its own memory, whatever becomes of the file that the reader has mapped."""
    return ledger.drop_columns(["term_ids", "term_counts"]).filter(pc.is_valid(ledger["point_id"]))


def _tenants(rows: pa.Table) -> list[str]:
    return sorted(pc.unique(rows["tenant"]).to_pylist())


def _ordinal(payload: Payload) -> int:
    return int(str(payload.get("ordinal", 0)))


def _no_vectors() -> NotInMemory:
    return NotInMemory("There are no vectors in memory.", "Ask with mode `lexical` while the engine does not answer.")
