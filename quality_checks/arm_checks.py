"""Checks on each arm of a staged index: that it holds every point it should, and finds what an exhaustive look finds."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from quality_checks.finding import EXAMPLES, Finding, share_of
from search_index.bm25 import count_terms
from search_index.engine.interface import Ids, IndexReader, Payload, Vector, Visibility
from search_index.engine.lexical import Lexical
from search_index.errors import NotFound
from search_index.model.search import Filters

PROBES = 10
"""How many chunks each arm is asked about."""
YARDSTICK_CHUNKS = 2_000
"""rank-bm25 keeps a dictionary a chunk and looks at each for every query: of more chunks it is given so many, the changed ones first."""
TERMS_PROBES = 200
RECALL_PROBES = 20
LEAST_RECALL = 0.95
"""Share of the true ten nearest that the dense arm has to find, on average over the probes."""
_PORTION = 1000
_DOCUMENTS_FILTERED = 1000


@dataclass(frozen=True)
class Staged:
    """A staged index as the checks look at it: each tenant's points as somebody of that tenant who is in every group.

    ``current`` are the ledger's points that are valid in the staged revision, ``changed`` those of them that it added.
    """

    reader: IndexReader
    revision: int
    groups: frozenset[str]
    current: pa.Table
    changed: pa.Table

    def seen_by(self, tenant: str) -> Visibility:
        """What somebody in every group of a tenant sees."""
        return Visibility(self.revision, tenant, self.groups)

    @property
    def tenants(self) -> list[str]:
        """Those that have a current point."""
        return sorted(pc.unique(self.current["tenant"]).to_pylist())

    @property
    def readable(self) -> pa.Table:
        """The changed points that anyone may read: no search shows the others."""
        return self.changed.filter(pc.greater(pc.list_value_length(self.changed["access"]), 0))


def dense_arm_complete(staged: Staged, wanted: Callable[[Sequence[str]], Mapping[str, memoryview]]) -> Finding:
    """Every added point has the vector that the tables have for its text.

    Args:
        wanted: the vectors of the tables, float32 bytes by vector key.
    """
    points, keys = staged.changed["point_id"].to_pylist(), staged.changed["vector_key"].to_pylist()
    wrong: list[str] = []
    tables = wanted(keys)
    for start in range(0, len(points), _PORTION):
        ids, of = points[start : start + _PORTION], keys[start : start + _PORTION]
        stored = _stored_vectors(staged.reader, ids)
        for point, key in zip(ids, of, strict=True):
            mine = np.frombuffer(tables[key], dtype=np.float32) if key in tables else None
            if mine is None or point not in stored or not _same_direction(mine, stored[point]):
                wrong.append(point)
    return _failed(wrong, len(points), "points have no vector, or another than the tables")


def _stored_vectors(reader: IndexReader, points: Sequence[str]) -> dict[str, Vector]:
    """The vectors of those of the points that have one."""
    try:
        return dict(zip(points, reader.vectors(points), strict=True))
    except NotFound:  # it names one; which others are missing is found by halves
        if len(points) == 1:
            return {}
        middle = len(points) // 2
        return _stored_vectors(reader, points[:middle]) | _stored_vectors(reader, points[middle:])


def _same_direction(one: Vector, other: Vector) -> bool:
    if one.shape != other.shape:
        return False
    lengths = float(np.linalg.norm(one) * np.linalg.norm(other))
    return bool(float(one @ other) > (1 - 1e-5) * lengths) if lengths else not one.any() and not other.any()


def sparse_arm_complete(staged: Staged) -> Finding:
    """The sparse arm finds every added point by a term of its own.

    Few terms are asked for at once: of each point the one that most points hold, so that a question or two reach them all.
    """
    rows = staged.readable
    found = set().union(*(_found_by_terms(staged, rows.filter(pc.equal(rows["tenant"], tenant)), tenant) for tenant in staged.tenants))
    points, terms = rows["point_id"].to_pylist(), rows["term_ids"].to_pylist()
    bare = [point for point, ids in zip(points, terms, strict=True) if not ids]
    lost = [point for point, ids in zip(points, terms, strict=True) if ids and point not in found]
    # White space and stop words alone have no terms; where that is more than the odd passage, the terms were lost.
    if len(bare) > 0.1 * len(points) and len(bare) >= PROBES:
        lost += bare
    return _failed(lost, len(points), "points are not found by their own terms")


def _found_by_terms(staged: Staged, rows: pa.Table, tenant: str) -> set[str]:
    """Points that the sparse arm gives for the commonest terms of a tenant's ``rows``."""
    known, counts = np.unique(_terms_of(rows), return_counts=True)
    common = [int(ids[int(np.argmax(counts[np.searchsorted(known, ids)]))]) for ids in rows["term_ids"].to_pylist() if ids]
    asked = np.unique(np.array(common, dtype=np.uint32))
    if not len(asked):
        return set()
    documents, seen = pc.unique(rows["document_id"]).to_pylist(), staged.seen_by(tenant)
    if len(documents) <= _DOCUMENTS_FILTERED:
        seen = replace(seen, filters=Filters(documents=documents))
    # Any weight above nought reaches a point; the limit leaves none out.
    return set(staged.reader.sparse(asked, np.ones(len(asked), np.float32), seen, staged.current.num_rows + 1).ids)


def terms_are_the_texts(staged: Staged) -> Finding:
    """The stored terms of a sample of the added points are those of their text, counted again."""
    chosen = drawn(staged.changed["point_id"].to_pylist(), TERMS_PROBES)
    rows = staged.changed.filter(pc.is_in(staged.changed["point_id"], pa.array(chosen, pa.string())))
    payloads = staged.reader.payloads(chosen)
    wrong = []
    for row in rows.select(["point_id", "term_ids", "term_counts"]).to_pylist():
        again = count_terms(indexed_text(payloads[row["point_id"]]), staged.reader.bm25.language) if row["point_id"] in payloads else None
        if again is None or (again.ids.tolist(), again.counts.tolist()) != (row["term_ids"], row["term_counts"]):
            wrong.append(row["point_id"])
    return _failed(wrong, len(chosen), "points have other terms than their text")


def indexed_text(payload: Payload) -> str:
    """What BM25 sees of a point: header and text."""
    header, text = str(payload.get("header") or ""), str(payload.get("text") or "")
    return f"{header}\n{text}" if header else text


def sparse_agrees_with_rank_bm25(staged: Staged) -> Finding:
    """The sparse arm gives chunks the scores that rank-bm25 gives them, and its first ten miss none that rank-bm25 puts above them.

    It is what answers in mode ``lexical`` too, so that is gated by this. Each probe asks for the rarest terms of one chunk, among the
    chunks of its own tenant. Scores may differ by a thousandth: the index
    keeps 32-bit floats. In how many points the terms occur is counted in all of the tenant's, whatever the number of chunks that
    rank-bm25 is given.
    """
    chosen = drawn(staged.readable["point_id"].to_pylist(), YARDSTICK_CHUNKS)
    rest = set(staged.current["point_id"].to_pylist()) - set(chosen)
    chosen += drawn(sorted(rest), YARDSTICK_CHUNKS - len(chosen))
    considered = staged.current.filter(pc.is_in(staged.current["point_id"], pa.array(chosen, pa.string())))
    if considered.num_rows == 0:
        return Finding(None, {"probes": 0})
    rows = considered.select(["point_id", "tenant", "term_ids"]).to_pylist()
    probes = [rows[i] for i in evenly(len(rows), PROBES) if rows[i]["term_ids"]]
    wrong = []
    for tenant in sorted({probe["tenant"] for probe in probes}):
        yardstick = _Yardstick(staged, considered, tenant)
        wrong += [probe["point_id"] for probe in probes if probe["tenant"] == tenant and not yardstick.agrees(probe["term_ids"])]
    problem = f"{len(wrong)} of {len(probes)} probes are scored differently" if wrong else None
    return Finding(problem, {"probes": len(probes), "chunks": len(rows), "disagreeing": [*wrong[:EXAMPLES]]})


class _Yardstick:
    """rank-bm25 over one tenant's part of the chunks that are considered."""

    def __init__(self, staged: Staged, considered: pa.Table, tenant: str) -> None:
        self._staged, self._tenant = staged, tenant
        mine = considered.filter(pc.equal(considered["tenant"], tenant))
        current = staged.current.filter(pc.equal(staged.current["tenant"], tenant))
        self._points: list[str] = mine["point_id"].to_pylist()
        self._readable = {p for p, groups in zip(self._points, mine["access"].to_pylist(), strict=True) if groups}
        self._lexical = Lexical(mine, staged.reader.bm25, tenant)
        self._statistics = staged.reader.statistics(staged.revision, tenant)
        self._everywhere, self._count = _terms_of(current), current.num_rows

    def agrees(self, term_ids: Sequence[int]) -> bool:
        """Whether the sparse arm does, asked for the rarest of these terms."""
        terms, reader, points = np.asarray(term_ids, dtype=np.uint32), self._staged.reader, self._points
        rarest = terms[np.argsort(-self._statistics.idf(terms), kind="stable")[:8]]
        lucene = np.array([_lucene_idf(self._count, int((self._everywhere == term).sum())) for term in rarest])
        weights = self._statistics.idf(rarest).astype(np.float32)
        reference = self._lexical.scores(rarest, lucene, points)
        order = np.argsort(-reference, kind="stable")[:PROBES]
        exact = reader.sparse_scores(rarest, weights, [points[j] for j in order])
        answered = reader.sparse(rarest, weights, self._staged.seen_by(self._tenant), PROBES)
        least = float(answered.scores[-1]) * 1.001 + 1e-3 if len(answered.scores) >= PROBES else 1e-3
        missed = [j for j in order if reference[j] > least and points[j] in self._readable and points[j] not in answered.ids]
        same = np.allclose(exact, reference[order], rtol=1e-3, atol=1e-3) and np.allclose(weights, lucene, rtol=1e-3)
        return not missed and bool(same)


def _lucene_idf(points: int, holding: int) -> float:
    return math.log(1 + (points - holding + 0.5) / (holding + 0.5))


def _terms_of(points: pa.Table) -> Ids:
    """The terms of all points, one after the other: a point names each of its terms once."""
    return np.asarray(points["term_ids"].combine_chunks().flatten(), dtype=np.uint32)


def dense_finds_itself(staged: Staged) -> Finding:
    """A point asked for with its own vector comes back, or one whose vector is the same."""
    readable = staged.current.filter(pc.greater(pc.list_value_length(staged.current["access"]), 0))
    points, tenants = readable["point_id"].to_pylist(), readable["tenant"].to_pylist()
    probes = evenly(len(points), PROBES)
    lost = []
    for i in probes:
        vector = staged.reader.vectors([points[i]])[0]
        answered = staged.reader.dense(vector, staged.seen_by(tenants[i]), PROBES)
        if points[i] not in answered.ids and not (len(answered.scores) and float(answered.scores[0]) > 0.9999 and np.any(vector)):
            lost.append(points[i])
    problem = f"{len(lost)} of {len(probes)} chunks are not found by their own vector" if lost else None
    return Finding(problem, {"probes": len(probes), "lost": [*lost[:EXAMPLES]]})


def dense_recall(staged: Staged) -> Finding:
    """The dense arm's ten nearest of a point are the ten nearest of all of its tenant, nearly: equally near ones count as each other.

    Points that this revision added are asked for, fewer where it added few: each question looks at every point there is.
    """
    shown = staged.current.filter(pc.greater(pc.list_value_length(staged.current["access"]), 0)).select(["point_id", "tenant"])
    readable = shown["point_id"].to_pylist()
    tenant_of = dict(zip(readable, shown["tenant"].to_pylist(), strict=True))
    added = staged.readable["point_id"].to_pylist()
    small = len(added) * 20 < len(readable)
    chosen = drawn(added or readable, RECALL_PROBES // 4 if small else RECALL_PROBES)
    found = []
    for point in chosen:
        vector = staged.reader.vectors([point])[0]
        mine = [other for other, tenant in tenant_of.items() if tenant == tenant_of[point]]
        every = np.sort(staged.reader.dense_scores(vector, mine))[::-1][:PROBES]
        answered = staged.reader.dense(vector, staged.seen_by(tenant_of[point]), PROBES).scores
        found.append(float((answered >= every[-1] - 1e-5).sum()) / len(every))
    recall = float(np.mean(found)) if found else 1.0
    problem = f"the dense arm finds {recall:.1%} of the ten nearest" if recall < LEAST_RECALL else None
    return Finding(problem, {"probes": len(chosen), "points": len(readable), "recall@10": round(recall, 4)})


def drawn(ids: Sequence[str], count: int) -> list[str]:
    """``count`` of the ids at random, and always the same ones: ordered by their sha256."""
    return list(ids) if len(ids) <= count else sorted(ids, key=lambda name: hashlib.sha256(name.encode()).digest())[: max(count, 0)]


def evenly(count: int, wanted: int) -> list[int]:
    """``wanted`` positions of ``count``, evenly apart."""
    return sorted({round(x) for x in np.linspace(0, count - 1, min(count, wanted))}) if count else []


def _failed(wrong: Sequence[str], rows: int, what: str) -> Finding:
    problem = f"{len(wrong)} of {rows} {what}" if wrong else None
    return Finding(problem, {"rows": rows, "failed": len(wrong), "percent": share_of(len(wrong), rows), "ids": [*sorted(wrong)[:EXAMPLES]]})
