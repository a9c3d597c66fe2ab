"""Rankings worked out again in memory are those that the searcher gives, setting by setting."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest

from quality_checks.evaluation import DEPTH, Judged, ask
from quality_checks.golden import GoldenSet
from quality_checks.judged_queries import judged_queries, measured
from quality_checks.passages_in_memory import PassagesInMemory, passages_in_memory
from quality_checks.refusion import arms_of, rankings
from quality_checks.resolution import resolve
from search_index.adapter import QueryAdapter, adapter_of
from search_index.engine.embedded import EmbeddedEngine
from search_index.engine.interface import IndexReader, Vector
from search_index.fusion import Feedback, Ranking
from search_index.model.search import Principal
from search_index.searcher import Searcher
from tests.search_index.engine.points import DIMENSION, INDEX, Passage, passages, published, vector_of

SECRET = Passage("secret.md", "golden secret of the vacuum pointer", access=("board",))
PARTS = [Passage(f"long/{number % 7}.md", f"golden release part {number} of the pointer", ordinal=number) for number in range(60)]
GONE = Passage("gone.md", "golden release that was retired")
CORPUS = [*passages(150), *passages(100, seed=1), *PARTS, SECRET, GONE]
QUERIES = [
    "golden release",
    "vacuum pointer of the ledger",
    "segment",
    "words that nothing holds",
    "golden release part 17 of the pointer",
    "golden recall golden pointer stage publish rollback",
]
SETTINGS = [
    Ranking(),
    Ranking(feedback=None),
    Ranking(dense_weight=0.2, feedback=Feedback(top=10, share=0.8)),
    Ranking(dense_weight=0.8, depth=20, verbatim=0),
    Ranking(depth=7, feedback=Feedback(top=1, share=0.3)),
    Ranking(depth=200, verbatim=3),
    Ranking(method="rrf"),
    Ranking(method="rrf", rrf_k=2, feedback=None, depth=150),
]


class Encoder:
    def encode_query(self, text: str) -> Vector:
        return vector_of(text)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IndexReader]:
    engine = EmbeddedEngine(tmp_path_factory.mktemp("index"))
    published(engine, None, 1, CORPUS)
    published(engine, 1, 2, [Passage("new.md", "golden newcomer of the release")], [GONE.point(1)])
    with closing(engine.open(INDEX, 2)) as opened:
        yield opened


@pytest.fixture(scope="module")
def held(reader: IndexReader) -> PassagesInMemory:
    return passages_in_memory(reader, 2, "default", frozenset({"everyone"}))


@pytest.fixture(scope="module")
def adapter() -> QueryAdapter:
    drawn = np.random.default_rng(1).standard_normal((DIMENSION, DIMENSION))
    return adapter_of((np.eye(DIMENSION) + 0.3 * drawn).astype(np.float32))


def test_what_is_in_memory_is_what_those_groups_see_then(reader: IndexReader, held: PassagesInMemory) -> None:
    def texts(found: PassagesInMemory) -> set[str]:
        return {str(payload["text"]) for payload in reader.payloads(found.ids).values()}

    everything = {passage.text for passage in CORPUS}
    assert texts(held) == everything - {SECRET.text, GONE.text} | {"golden newcomer of the release"}
    assert texts(passages_in_memory(reader, 1, "default", frozenset({"everyone", "board"}))) == everything
    assert held.ids == sorted(held.ids)
    assert not passages_in_memory(reader, 2, "default", frozenset()).ids


@pytest.mark.parametrize("query", QUERIES)
def test_arms_in_memory_have_the_scores_of_the_reader(reader: IndexReader, held: PassagesInMemory, query: str) -> None:
    arms = arms_of(held, query, vector_of(query))
    searcher = Searcher(reader, Encoder(), Ranking())
    for mode, scores in (("dense", arms.dense), ("sparse", arms.sparse)):
        found = searcher.rank_passages(query, mode, 2, Principal(), 50)  # type: ignore[arg-type]
        at = {point: position for position, point in enumerate(held.ids)}
        by_chunk = {str(payload["chunk_id"]): at[point] for point, payload in reader.payloads(held.ids).items()}
        mine = [float(scores[by_chunk[str(payload["chunk_id"])]]) for payload, _ in found]
        theirs = [score for _, score in found]
        assert mine == (theirs if mode == "sparse" else pytest.approx(theirs, abs=1e-6))


@pytest.mark.parametrize("adapted", [False, True])
@pytest.mark.parametrize("query", QUERIES)
def test_every_setting_ranks_as_the_searcher_does(
    reader: IndexReader, held: PassagesInMemory, adapter: QueryAdapter, query: str, adapted: bool
) -> None:
    used = adapter if adapted else None
    settings = [ranking.model_copy(update={"adapter": used.sha256 if used else None}) for ranking in SETTINGS]
    arms = arms_of(held, query, vector_of(query), used)
    uris = {point: str(payload["uri"]) for point, payload in reader.payloads(held.ids).items()}
    for ranking, order in zip(settings, rankings(held, arms, settings, DEPTH), strict=True):
        mine = list(dict.fromkeys(uris[held.ids[position]] for position in order))[:DEPTH]
        theirs = [uri for uri, _ in Searcher(reader, Encoder(), ranking, used).rank_documents(query, "hybrid", 2, Principal())]
        assert mine == theirs, ranking


GOLDEN = GoldenSet.model_validate(
    {
        "name": "words",
        "queries": [
            {"id": "whole", "query": QUERIES[0], "relevant": [{"document": "manual:long/1.md", "grade": 2}, {"document": "manual:new.md"}]},
            {"id": "part", "query": QUERIES[4], "relevant": [{"document": "manual:long/3.md", "span": [17, 50], "grade": 3},
                                                             {"document": "manual:long/2.md", "span": [16, 40]}]},
            {"id": "gone", "query": QUERIES[1], "relevant": [{"document": "manual:gone.md"}]},
            {"id": "stale", "query": QUERIES[2], "relevant": [{"document": "manual:absent.md"}]},
        ],
    }
)  # fmt: skip


def test_values_are_those_of_the_evaluation(reader: IndexReader, held: PassagesInMemory) -> None:
    documents = dict.fromkeys((passage.uri for passage in CORPUS), "x" * 200) | {"manual:new.md": ""}
    judged = [Judged(GOLDEN, resolve(GOLDEN, documents))]
    queries = judged_queries(held, judged)
    assert [query.name for query in queries] == ["words/whole", "words/part", "words/gone"]
    found = measured(held, queries, vector_of, SETTINGS)
    for ranking, values in zip(SETTINGS, found, strict=True):
        theirs = ask(Searcher(reader, Encoder(), ranking), judged, "hybrid", 2, Principal()).values["ndcg@10"]
        assert dict(zip((query.name for query in queries), values.tolist(), strict=True)) == pytest.approx(theirs)
    assert found.max() > 0
    assert len({tuple(values) for values in found.tolist()}) > 1
