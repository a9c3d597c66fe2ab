"""The passages of one revision in memory, so that a ranking can be worked out again under many settings without searching.

Both arms are exact here. Above ``EXACT_BELOW`` visible points the engine's dense arm is approximate, and may miss one passage in a hundred.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from search_index.bm25 import TermStatistics, query_weights, term_weights
from search_index.engine.interface import IndexReader
from search_index.ranker import QUOTED_AMONG, word_weights
from search_index.verbatim import LEAST_WORDS, quotedness, words

Positions = npt.NDArray[np.int64]
Vectors = npt.NDArray[np.float32]
AT_ONCE = 2000


@dataclass(frozen=True, eq=False)
class Postings:
    """Which passages hold which terms, by rising term: those of ``terms[i]`` are at ``starts[i]`` up to ``starts[i + 1]``."""

    terms: npt.NDArray[np.uint32]
    starts: Positions
    owners: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float64]
    passages: int

    def scores(self, ids: npt.NDArray[np.uint32], weights: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """BM25 of every passage, shape (passages,); added up in the order of the reader, so to the same bits."""
        total = np.zeros(self.passages)
        for term, weight in zip(ids, weights.astype(np.float64), strict=True):
            at = int(np.searchsorted(self.terms, term))
            if at < len(self.terms) and self.terms[at] == term:
                held = slice(int(self.starts[at]), int(self.starts[at + 1]))
                total[self.owners[held]] += weight * self.weights[held]
        return total.astype(np.float32)


@dataclass(frozen=True, eq=False)
class PassagesInMemory:
    """What a revision shows to some groups of a tenant, in order of point id, so that a lower position is a lower id.

    ``documents`` has each passage's document id and ``vectors`` shape (passages, dimension).
    """

    reader: IndexReader
    revision: int
    tenant: str
    ids: list[str]
    documents: list[str]
    vectors: Vectors
    postings: Postings

    @cached_property
    def by_document(self) -> dict[str, list[int]]:
        """Positions of each document's passages."""
        found: dict[str, list[int]] = {}
        for position, document in enumerate(self.documents):
            found.setdefault(document, []).append(position)
        return found

    @cached_property
    def statistics(self) -> TermStatistics:
        """The revision's own, of the tenant."""
        return self.reader.statistics(self.revision, self.tenant)

    def sparse(self, query: str) -> npt.NDArray[np.float32]:
        """The sparse arm's score of every passage, shape (passages,)."""
        return self.postings.scores(*query_weights(query, self.statistics, self.reader.bm25.language))

    def quoted(self, query: str, worded: Positions) -> dict[int, float]:
        """How much each of the sparse arm's best looks like what the query was copied from; see ``search_index.verbatim``."""
        asked = words(query)
        if len(asked) < LEAST_WORDS:
            return {}
        weights = word_weights(asked, self.statistics, self.reader.bm25.language)
        best = {self.ids[position]: int(position) for position in worded[:QUOTED_AMONG]}
        payloads = self.reader.payloads(list(best))
        return {best[point]: quotedness(asked, weights, str(payload["text"])) for point, payload in payloads.items()}


def visible_rows(ledger: pa.Table, revision: int, tenant: str, groups: frozenset[str]) -> pa.Table:
    """The rows of a ledger that ``groups`` of a tenant see at ``revision``."""
    current = pc.and_(pc.less_equal(ledger["valid_from"], revision), pc.greater(ledger["valid_to"], revision))
    rows = ledger.filter(pc.and_(current, pc.equal(ledger["tenant"], tenant))).combine_chunks()
    access = rows["access"].combine_chunks()
    if not len(access):
        return rows
    allowed = pc.is_in(access.flatten(), pa.array(sorted(groups), pa.string()))
    return rows.take(pc.unique(pc.list_parent_indices(access).filter(allowed))).combine_chunks()


def passages_in_memory(reader: IndexReader, revision: int, tenant: str, groups: frozenset[str]) -> PassagesInMemory:
    """Read what ``groups`` of a tenant see at ``revision``: about 2 kB a passage at 384 dimensions.

    Raises:
        RevisionUnknown: the reader does not hold it.
    """
    reader.check(revision)
    rows = visible_rows(reader.ledger(), revision, tenant, groups)
    ids = rows["point_id"].to_pylist()
    read = [reader.vectors(ids[start : start + AT_ONCE]) for start in range(0, len(ids), AT_ONCE)]
    vectors = np.concatenate(read) if read else np.empty((0, 0), np.float32)
    return PassagesInMemory(reader, revision, tenant, ids, rows["document_id"].to_pylist(), vectors, _postings(reader, rows, tenant))


def _postings(reader: IndexReader, rows: pa.Table, tenant: str) -> Postings:
    if not rows.num_rows:
        return Postings(np.empty(0, np.uint32), np.zeros(1, np.int64), np.empty(0, np.int32), np.empty(0), 0)
    listed = rows["term_ids"].combine_chunks()
    terms = listed.flatten().to_numpy(zero_copy_only=False)
    counts = rows["term_counts"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    owners = np.repeat(np.arange(rows.num_rows, dtype=np.int32), pc.list_value_length(listed).to_numpy(zero_copy_only=False))
    lengths = np.bincount(owners, weights=counts, minlength=rows.num_rows).astype(np.int64)
    weights = term_weights(counts, lengths[owners], reader.bm25.avgdl[tenant], reader.bm25)
    order = np.argsort(terms, kind="stable")
    distinct, starts = np.unique(terms[order], return_index=True)
    return Postings(distinct, np.append(starts, len(terms)), owners[order], weights[order], rows.num_rows)


def best_positions(scores: npt.NDArray[np.float32], limit: int) -> Positions:
    """The ``limit`` best, by falling score and, where those are equal, rising position. Shape (at most limit,)."""
    limit = min(limit, len(scores))
    if not limit:
        return np.empty(0, np.int64)
    least = np.partition(scores, len(scores) - limit)[len(scores) - limit]
    among = np.flatnonzero(scores >= least)
    return among[np.argsort(-scores[among], kind="stable")][:limit]
