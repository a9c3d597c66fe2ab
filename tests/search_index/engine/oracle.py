"""``qdrant-client`` in local mode as an engine: slow, in memory, written by other people, and so a witness of what is right."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from qdrant_client import QdrantClient, models

from search_index.bm25 import Bm25Settings, TermCounts, TermStatistics, document_weights
from search_index.engine import ledger as ledgers
from search_index.engine import tenant_statistics
from search_index.engine.filters import Absent, Between, Condition, Conditions, Either, OneOf, conditions
from search_index.engine.interface import (
    LEDGER,
    Candidate,
    Delta,
    DocumentFacts,
    Engine,
    Ids,
    IndexReader,
    Kept,
    Payload,
    Scored,
    Superseded,
    Vector,
    Visibility,
)
from search_index.engine.stored_point import facts_of, payload_sha256, vector_sha256
from search_index.engine.verification import differences
from search_index.errors import ModelMismatch, NotFound, RevisionUnknown, WrongUsage
from search_index.fusion import best_first
from search_index.model.search import OPEN_END

_ALL = 100_000


@dataclass(frozen=True)
class State:
    """One revision with its history."""

    revision: int
    held: list[int] | None
    ledger: pa.Table
    points: dict[str, models.PointStruct]
    statistics: dict[int, tenant_statistics.ByTenant]
    bm25: Bm25Settings
    dimension: int

    def holds(self, revision: int) -> bool:
        between = self.held is None or revision in (*self.held, self.revision)
        return min(self.statistics, default=revision) <= revision <= self.revision and between


class OracleReader(IndexReader):
    def __init__(self, state: State) -> None:
        self._state = state
        self._client = QdrantClient(":memory:")
        self._client.create_collection(
            "points",
            vectors_config={"dense": models.VectorParams(size=state.dimension, distance=models.Distance.DOT)},
            sparse_vectors_config={"bm25": models.SparseVectorParams()},
        )
        if state.points:
            self._client.upsert("points", list(state.points.values()))

    @property
    def directory_revision(self) -> int:
        return self._state.revision

    @property
    def content(self) -> str:
        return ledgers.content_hash(self._state.ledger)

    @property
    def bm25(self) -> Bm25Settings:
        return self._state.bm25

    @property
    def metadata_fields(self) -> list[str]:
        return sorted({key for point in self._state.points.values() for key in (point.payload or {})["metadata"]})

    def check(self, revision: int) -> None:
        if not self._state.holds(revision):
            raise RevisionUnknown(f"Revision {revision} is not held.")

    def dense(self, vector: Vector, visibility: Visibility, limit: int) -> Scored:
        if vector.shape != (self._state.dimension,):
            raise ModelMismatch("The query is of another dimension.")
        unit = (vector / np.linalg.norm(vector)).astype(np.float32)
        return self._ranked(unit.tolist(), "dense", conditions(visibility), limit)

    def sparse(self, ids: Ids, weights: Vector, visibility: Visibility, limit: int) -> Scored:
        if not len(ids):
            return Scored([], np.empty(0, np.float32))
        asked = models.SparseVector(indices=ids.tolist(), values=weights.tolist())
        return self._ranked(asked, "bm25", conditions(visibility), limit)

    def _ranked(self, query: list[float] | models.SparseVector, arm: str, wanted: Conditions | None, limit: int) -> Scored:
        if wanted is None:
            return Scored([], np.empty(0, np.float32))
        hits = self._client.query_points("points", query, using=arm, query_filter=_filter(wanted), limit=_ALL).points
        ids, scores = [str(hit.id) for hit in hits], np.array([hit.score for hit in hits], dtype=np.float32)
        order = best_first(ids, scores)[:limit]
        return Scored([ids[position] for position in order], scores[order])

    def dense_scores(self, vector: Vector, point_ids: Sequence[str]) -> Vector:
        return self._scores(self._ranked((vector / np.linalg.norm(vector)).tolist(), "dense", Conditions(()), _ALL), point_ids)

    def sparse_scores(self, ids: Ids, weights: Vector, point_ids: Sequence[str]) -> Vector:
        asked = models.SparseVector(indices=ids.tolist(), values=weights.tolist())
        return self._scores(self._ranked(asked, "bm25", Conditions(()), _ALL), point_ids)

    def _scores(self, scored: Scored, point_ids: Sequence[str]) -> Vector:
        known = dict(zip(scored.ids, scored.scores.tolist(), strict=True))
        return np.array([known.get(point, 0.0) for point in point_ids], dtype=np.float32)

    def vectors(self, point_ids: Sequence[str]) -> npt.NDArray[np.float32]:
        if any(point not in self._state.points for point in point_ids):
            raise NotFound("A point is not there.")
        stored = [self._state.points[point].vector for point in point_ids]
        return np.array([vector["dense"] for vector in stored if isinstance(vector, dict)], np.float32).reshape(
            len(stored), self._state.dimension
        )

    def payloads(self, point_ids: Sequence[str]) -> dict[str, Payload]:
        return {str(record.id): record.payload or {} for record in self._client.retrieve("points", list(point_ids)) if point_ids}

    def find(
        self,
        visibility: Visibility,
        chunk_id: str | None = None,
        document_id: str | None = None,
        ordinals: tuple[int, int] | None = None,
    ) -> list[Payload]:
        wanted = conditions(visibility)
        if wanted is None:
            return []
        named: list[Condition] = [
            OneOf(key, (value,)) for key, value in (("chunk_id", chunk_id), ("document_id", document_id)) if value is not None
        ]
        if ordinals is not None:
            named.append(Between("ordinal", at_least=ordinals[0], at_most=ordinals[1]))
        found = self._scrolled(Conditions((*wanted.must, *named), wanted.must_not))
        return sorted(found, key=lambda payload: payload["ordinal"])

    def _scrolled(self, wanted: Conditions) -> list[Payload]:
        return [record.payload or {} for record in self._client.scroll("points", _filter(wanted), limit=_ALL)[0]]

    def documents(self, visibility: Visibility) -> list[str]:
        wanted = conditions(visibility)
        return sorted({str(payload["document_id"]) for payload in self._scrolled(wanted)}) if wanted else []

    def facts(self, revision: int) -> dict[str, DocumentFacts]:
        held = [p.payload for p in self._state.points.values() if p.payload and p.payload["valid_from"] <= revision < p.payload["valid_to"]]
        return {str(payload["document_id"]): facts_of(payload) for payload in held}

    def count(self, visibility: Visibility) -> int:
        wanted = conditions(visibility)
        return 0 if wanted is None else int(self._client.count("points", _filter(wanted)).count)

    def statistics(self, revision: int, tenant: str) -> TermStatistics:
        self.check(revision)
        current = self._state.statistics[max(saved for saved in self._state.statistics if saved <= revision)]
        return current.get(tenant, TermStatistics.empty())

    def ledger(self) -> pa.Table:
        return self._state.ledger

    def close(self) -> None:
        self._client.close()


class OracleCandidate(Candidate):
    def __init__(self, index: str, state: State, published: dict[int, State]) -> None:
        self._index, self._state, self._published = index, state, published

    @property
    def index(self) -> str:
        return self._index

    @property
    def revision(self) -> int:
        return self._state.revision

    @property
    def content(self) -> str:
        return ledgers.content_hash(self._state.ledger)

    @property
    def answers_for(self) -> list[int] | None:
        return self._state.held

    def reader(self) -> IndexReader:
        return OracleReader(self._state)

    def ledger(self) -> pa.Table:
        return self._state.ledger

    def publish(self) -> None:
        self._published[self.revision] = self._state

    def discard(self) -> None:
        self._published.pop(self.revision, None)


class OracleEngine(Engine):
    def __init__(self) -> None:
        self._indexes: dict[str, dict[int, State]] = {}

    def stage(
        self,
        index: str,
        head: int | None,
        revision: int,
        delta: Delta,
        bm25: Bm25Settings,
        dimension: int,
        retained: Sequence[int] | None,
    ) -> OracleCandidate:
        states = self._indexes.setdefault(index, {})
        empty = State(revision, None, LEDGER.empty_table(), {}, {}, bm25, dimension)
        before = states[head] if head is not None else empty
        if not bm25.follows(before.bm25):
            raise WrongUsage("Made with other BM25 settings.")
        if unknown := tenant_statistics.tenants_of(delta.added) - bm25.avgdl.keys():
            raise WrongUsage(f"Nothing is said of the tenant {min(unknown)}.")
        plan = ledgers.plan(before.ledger, delta, revision, retained)
        closed = set(plan.closed["point_id"].to_pylist())
        points = {
            name: point.model_copy(update={"payload": {**(point.payload or {}), "valid_to": revision}}) if name in closed else point
            for name, point in before.points.items()
            if name not in set(plan.vacuumed)
        }
        rows = []
        for row in delta.added.to_pylist():
            vector = np.array(row["vector"], np.float32)
            if vector.shape != (dimension,):
                raise ModelMismatch("A vector is of another dimension.")
            vector = (vector / np.linalg.norm(vector)).astype(np.float32)
            own = {name: row[name] for name in ("chunk_id", "document_id", "source", "tenant", "vector_key", "access")}
            payload = {**json.loads(row["payload"]), **own, "valid_from": revision, "valid_to": OPEN_END}
            counted = TermCounts(np.array(row["term_ids"], np.uint32), np.array(row["term_counts"], np.uint32))
            ids, weights = document_weights(counted, bm25, row["tenant"])
            terms = models.SparseVector(indices=ids.tolist(), values=weights.tolist())
            points[row["point_id"]] = models.PointStruct(
                id=row["point_id"], vector={"dense": vector.tolist(), "bm25": terms}, payload=payload
            )
            digests = {"payload_sha256": payload_sha256(payload), "vector_sha256": vector_sha256(vector)}
            rows.append({**row, **digests, "valid_from": revision, "valid_to": OPEN_END})
        added = pa.Table.from_pylist([{name: row[name] for name in LEDGER.names} for row in rows], schema=LEDGER)
        newest = before.statistics[before.revision] if before.statistics else {}
        statistics = {**before.statistics, revision: tenant_statistics.updated(newest, delta.added, plan.closed)}
        held = before.held
        if retained is not None:
            held = [r for r in sorted(retained) if head is not None and before.holds(r)]
        state = State(revision, held, ledgers.merged(plan.kept, [added]), points, statistics, bm25, dimension)
        return OracleCandidate(index, state, states)

    def open(self, index: str, revision: int, head: int | None = None) -> IndexReader:
        return OracleReader(self._holding(index, revision, head))

    def ledger(self, index: str, revision: int, head: int | None = None) -> pa.Table:
        return self._holding(index, revision, head).ledger

    def _holding(self, index: str, revision: int, head: int | None) -> State:
        for held, state in sorted(self._indexes.get(index, {}).items(), reverse=True):
            if state.holds(revision) and (head is None or held <= head):
                return state
        raise RevisionUnknown(f"Revision {revision} is not held.")

    def recover(self, keep: Kept) -> list[str]:
        raise NotImplementedError

    def superseded(self, keep: Kept) -> list[Superseded]:
        raise NotImplementedError

    def verify(self, index: str, revision: int) -> list[str]:
        return differences(OracleReader(self._indexes[index][revision]), revision)

    def size_of(self, index: str, revision: int) -> int:
        return int(self._indexes[index][revision].ledger.nbytes)


def _filter(wanted: Conditions) -> models.Filter:
    return models.Filter(must=[_condition(part) for part in wanted.must], must_not=[_condition(part) for part in wanted.must_not])


def _condition(condition: Condition) -> models.Condition:
    if isinstance(condition, Either):
        return models.Filter(should=[_condition(part) for part in condition.of])
    if isinstance(condition, Absent):
        return models.IsEmptyCondition(is_empty=models.PayloadField(key=condition.key))
    if isinstance(condition, OneOf):
        values = condition.values
        boolean = bool(values) and isinstance(values[0], bool)
        match = models.MatchValue(value=values[0]) if boolean else models.MatchAny(any=[str(value) for value in values])
        return models.FieldCondition(key=condition.key, match=match)
    bounds = models.Range(gte=condition.at_least, gt=condition.above, lte=condition.at_most, lt=condition.below)
    return models.FieldCondition(key=condition.key, range=bounds)
