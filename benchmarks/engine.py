"""The embedded engine at size: staging, opening, each arm, a whole hybrid search, and what a 1% change costs.

Run ``python -m benchmarks.engine [points]``, with 50,000 points unless told otherwise. Points are made up: clustered
directions of 384 numbers, and 160 words each with the frequencies of natural text.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa

from search_index.bm25 import Bm25Settings, query_weights, term_id
from search_index.engine.embedded import EmbeddedEngine
from search_index.engine.interface import POINTS, Delta, IndexReader, Vector, Visibility
from search_index.fusion import Ranking
from search_index.model.document import chunk_id, document_id, point_id
from search_index.model.search import Principal, ReleaseRef, SearchRequest
from search_index.model.tenant import DEFAULT_TENANT
from search_index.searcher import Searcher

DIMENSION = 384
T = TypeVar("T")


class Corpus:
    """``size`` made-up passages, the same in every run."""

    def __init__(self, size: int) -> None:
        drawn = np.random.default_rng(0)
        centres = drawn.standard_normal((2000, DIMENSION), dtype=np.float32)
        vectors = centres[drawn.integers(0, 2000, size)] + 0.6 * drawn.standard_normal((size, DIMENSION), dtype=np.float32)
        self.vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        self.words = np.minimum(drawn.zipf(1.25, (size, 160)), 200_000)
        used = np.unique(self.words)
        self.ids = np.zeros(200_001, np.uint32)
        self.ids[used] = [term_id(f"w{word}") for word in used.tolist()]
        self.documents = [document_id("bench", f"{number // 8}.md") for number in range(size)]
        self.chunks = [chunk_id(document, "bench", number, number + 1, "") for number, document in enumerate(self.documents)]

    def points(self, numbers: np.ndarray[tuple[int], np.dtype[np.int64]], revision: int) -> pa.Table:
        """These passages as points of ``revision``."""
        return pa.Table.from_pylist([self._point(number, revision) for number in numbers.tolist()], schema=POINTS)

    def _point(self, number: int, revision: int) -> dict[str, object]:
        ids, counts = np.unique(self.ids[self.words[number]], return_counts=True)
        payload = {
            "uri": f"bench:{number // 8}.md", "title": f"Document {number // 8}", "text": "x" * 600, "header": "", "start": 0, "end": 600,
            "ordinal": number % 8, "page_first": None, "page_last": None, "section": [], "modified_ts": float(number),
            "modified_at": None, "metadata": {"lang": "en"}, "raw_sha256": "", "parser": "", "chunker": "", "model_digest": "",
            "encoder": "", "run_id": "",
        }  # fmt: skip
        return {
            "point_id": point_id(self.chunks[number], revision), "chunk_id": self.chunks[number], "document_id": self.documents[number],
            "source": "bench", "payload": json.dumps(payload), "payload_digest": str(number), "vector_key": str(number),
            "access": ["everyone"], "vector": self.vectors[number], "term_ids": ids, "term_counts": counts,
        }  # fmt: skip


class Encoder:
    """Knows the vectors of the queries by heart, so that the engine alone is measured."""

    def __init__(self, vectors: dict[str, Vector]) -> None:
        self.vectors = vectors

    def encode_query(self, text: str) -> Vector:
        return self.vectors[text]


def timed(label: str, call: Callable[[], T]) -> T:
    began = time.perf_counter()
    result = call()
    print(f"{label:38s} {time.perf_counter() - began:9.2f} s", flush=True)
    return result


def latency(label: str, call: Callable[[int], object], rounds: int = 300) -> None:
    for number in range(20):
        call(number)
    taken = []
    cpu = time.process_time()
    for number in range(rounds):
        began = time.perf_counter()
        call(number)
        taken.append((time.perf_counter() - began) * 1e3)
    cpu = (time.process_time() - cpu) / rounds * 1e3
    median, high = np.percentile(taken, [50, 99])
    print(f"{label:38s} {median:9.2f} ms p50 {high:8.2f} ms p99 {cpu:8.2f} ms CPU", flush=True)


def _search(search: Callable[[SearchRequest, ReleaseRef, Principal], object], texts: list[str], release: ReleaseRef, number: int) -> None:
    search(SearchRequest(query=texts[number]), release, Principal())


def ask(reader: IndexReader, corpus: Corpus, revision: int) -> None:
    """Latency of the arms and of whole searches."""
    drawn = np.random.default_rng(1)
    chosen = drawn.integers(0, len(corpus.vectors), 400)
    noise = 0.3 / np.sqrt(DIMENSION) * drawn.standard_normal((400, DIMENSION), dtype=np.float32)
    queries = corpus.vectors[chosen] + noise
    seen = Visibility(revision, DEFAULT_TENANT, frozenset({"everyone"}))
    statistics = reader.statistics(revision, DEFAULT_TENANT)
    texts = [f"{turn} " + " ".join(f"w{word}" for word in np.unique(corpus.words[number, :8])) for turn, number in enumerate(chosen)]
    asked = [query_weights(text, statistics) for text in texts]
    latency("dense arm, 100 of all", lambda number: reader.dense(queries[number], seen, 100))
    latency("sparse arm, 100 of all", lambda number: reader.sparse(*asked[number], seen, 100))
    found = [reader.dense(queries[number], seen, 100).ids for number in range(20)]
    latency("dense scores of 100 points", lambda number: reader.dense_scores(queries[number], found[number % 20]))
    latency("sparse scores of 100 points", lambda number: reader.sparse_scores(*asked[number], found[number % 20]))
    release = ReleaseRef(revision=revision, index="bench", run_id="", published_at=None)
    for label, ranking in (("hybrid search, no feedback", Ranking(feedback=None)), ("hybrid search", Ranking())):
        search = Searcher(reader, Encoder(dict(zip(texts, queries, strict=True))), ranking).search
        latency(label, partial(_search, search, texts, release))
    truth = np.argsort(-(queries[:100] @ corpus.vectors.T), axis=1)[:, :10]
    places = {chunk: number for number, chunk in enumerate(corpus.chunks)}
    shared = [
        len(set(truth[number]) & {places[str(payload["chunk_id"])] for payload in reader.payloads(best).values()})
        for number, best in enumerate(reader.dense(query, seen, 10).ids for query in queries[:100])
    ]
    print(f"{'recall@10 of the dense arm':38s} {np.mean(shared) / 10:9.3f}")


def main(size: int) -> None:
    corpus, settings = Corpus(size), Bm25Settings(avgdl={DEFAULT_TENANT: 160.0})
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        engine = EmbeddedEngine(Path(folder))
        first = timed("make up the points", lambda: corpus.points(np.arange(size), 1))
        candidate = timed(f"stage {size:,} points", lambda: engine.stage("bench", None, 1, Delta(first), settings, DIMENSION, None))
        timed("publish", candidate.publish)
        reader = timed("open", lambda: engine.open("bench", 1))
        print(f"{'size on disk':38s} {engine.size_of('bench', 1) / 1e6:9.1f} MB")
        ask(reader, corpus, 1)
        reader.close()
        changed = np.arange(0, size, 100)
        retired = [point_id(corpus.chunks[number], 1) for number in changed]
        delta = Delta(corpus.points(changed, 2), retired)
        candidate = timed("stage a 1% change", lambda: engine.stage("bench", 1, 2, delta, settings, DIMENSION, None))
        timed("publish it", candidate.publish)
        reader = timed("open it", lambda: engine.open("bench", 2))
        ask(reader, corpus, 2)
        timed("close it", reader.close)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50_000)
