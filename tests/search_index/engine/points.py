"""Passages small enough to reckon with by hand, as an engine takes them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from search_index.bm25 import Bm25Settings, count_terms, query_weights
from search_index.engine.interface import POINTS, Candidate, Delta, Engine, IndexReader, Scored, Vector, Visibility
from search_index.model.document import chunk_id, document_id, document_uri, point_id, sha256
from search_index.model.release import digest_of
from search_index.model.search import EVERYONE, Filters
from search_index.model.tenant import DEFAULT_TENANT

DIMENSION = 16
INDEX = "index-a"
QUERY = "golden recall of the release index"
OTHERS = "others"
"""A tenant beside the one that passages are of."""
BM25 = Bm25Settings(avgdl={DEFAULT_TENANT: 8.0, OTHERS: 5.0})
WORDS = "gate release index chunk vector source contract golden recall pointer ledger segment vacuum stage publish rollback".split()


def vector_of(text: str) -> Vector:
    """A direction that belongs to ``text`` alone, the same in every process."""
    drawn = np.random.default_rng(int(sha256(text)[:16], 16)).standard_normal(DIMENSION)
    return np.asarray(drawn / np.linalg.norm(drawn), dtype=np.float32)


@dataclass(frozen=True)
class Passage:
    """One chunk, which here is one whole document unless ``ordinal`` says otherwise."""

    path: str
    text: str
    source: str = "manual"
    access: tuple[str, ...] = (EVERYONE,)
    modified_ts: float | None = 1_700_000_000.0
    metadata: dict[str, str | int | float | bool | list[str]] = field(default_factory=dict)
    ordinal: int = 0
    near_duplicates: tuple[str, ...] = ()
    tenant: str = DEFAULT_TENANT

    @property
    def document(self) -> str:
        return document_id(self.source, self.path)

    @property
    def uri(self) -> str:
        return document_uri(self.source, self.path)

    @property
    def chunk(self) -> str:
        return chunk_id(self.document, "chunker", self.ordinal, self.ordinal + len(self.text), sha256(self.text))

    def point(self, revision: int) -> str:
        return point_id(self.chunk, revision)

    def row(self, revision: int) -> dict[str, object]:
        terms = count_terms(self.text)
        payload = {
            "uri": self.uri, "title": self.path, "text": self.text, "header": "", "start": self.ordinal,
            "end": self.ordinal + len(self.text), "ordinal": self.ordinal, "page_first": None, "page_last": None, "section": ["One"],
            "modified_ts": self.modified_ts, "modified_at": "2023-11-14T22:13:20Z" if self.modified_ts else None,
            "metadata": self.metadata, "raw_sha256": sha256(self.text), "parser": "plain", "chunker": "chunker",
            "model_digest": "model", "encoder": "encoder", "run_id": f"run-{revision}",
        }  # fmt: skip
        if self.near_duplicates:
            payload["near_duplicates"] = [
                {"document_id": document_id(self.source, p), "uri": document_uri(self.source, p)} for p in self.near_duplicates
            ]
        return {
            "point_id": self.point(revision), "chunk_id": self.chunk, "document_id": self.document, "source": self.source,
            "tenant": self.tenant, "payload": json.dumps(payload), "payload_digest": digest_of(payload), "vector_key": sha256(self.text),
            "access": list(self.access), "vector": vector_of(self.text).tolist(), "term_ids": terms.ids.tolist(),
            "term_counts": terms.counts.tolist(),
        }  # fmt: skip


def table(passages: Iterable[Passage], revision: int) -> pa.Table:
    """``passages`` as points that ``revision`` adds."""
    return pa.Table.from_pylist([passage.row(revision) for passage in passages], schema=POINTS)


def passages(count: int, seed: int = 0) -> list[Passage]:
    """``count`` passages of 4 to 12 words, some words commoner than others."""
    drawn = np.random.default_rng(seed)
    chance = 1 / np.arange(1, len(WORDS) + 1)
    chance /= chance.sum()
    return [
        Passage(f"{seed}/{number:04d}.md", " ".join(drawn.choice(WORDS, size=drawn.integers(4, 13), p=chance))) for number in range(count)
    ]


def seen_at(
    revision: int, *groups: str, filters: Filters | None = None, excluded: Iterable[str] = (), tenant: str = DEFAULT_TENANT
) -> Visibility:
    """What someone of ``groups`` (everyone, if none is named) sees at ``revision``."""
    return Visibility(revision, tenant, frozenset(groups or {EVERYONE}), filters or Filters(), frozenset(excluded))


def published(
    engine: Engine,
    head: int | None,
    revision: int,
    added: Sequence[Passage],
    retired: Sequence[str] = (),
    retained: Sequence[int] | None = None,
) -> Candidate:
    """Stage and publish ``added`` as ``revision``."""
    candidate = engine.stage(INDEX, head, revision, Delta(table(added, revision), retired), BM25, DIMENSION, retained)
    candidate.publish()
    return candidate


@contextmanager
def opened(engine: Engine, revision: int) -> Iterator[IndexReader]:
    with closing(engine.open(INDEX, revision)) as reader:
        yield reader


def texts(reader: IndexReader, scored: Scored) -> list[str]:
    payloads = reader.payloads(scored.ids)
    return [str(payloads[point]["text"]) for point in scored.ids]


def sparse(reader: IndexReader, query: str, visibility: Visibility, limit: int = 100) -> Scored:
    return reader.sparse(*query_weights(query, reader.statistics(visibility.revision, visibility.tenant)), visibility, limit)
