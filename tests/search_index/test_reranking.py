"""A reranker orders the best of a hybrid ranking anew, sees nothing that the arms did not bring, and fails without failing the answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import numpy as np
import pytest

from search_index.confidence import SIGNALS, Confidence, Logistic
from search_index.engine.embedded import EmbeddedEngine
from search_index.engine.interface import IndexReader, Vector
from search_index.errors import ReleaseUntrusted
from search_index.fusion import Ranking, Scores, reranked
from search_index.model.search import Filters, Hit, Mode, Principal, ReleaseRef, SearchAnswer, SearchRequest
from search_index.reranking import Reranking
from search_index.searcher import Searcher
from search_index.tuned import Trial, Tuned
from tests.search_index.engine.points import INDEX, WORDS, Passage, passages, published, vector_of

QUERY = "golden recall"
SECRET = "golden recall of the board"
CORPUS = [
    Passage("secret.md", SECRET, access=("board",)),
    Passage("long.md", "golden recall, part one", ordinal=0),
    Passage("long.md", "golden recall, part two", ordinal=100),
    *passages(40),
]
DIGEST = "a" * 64


class Encoder:
    def encode_query(self, text: str) -> Vector:
        return vector_of(text)


@dataclass
class ByLength:
    """Longer passages are better ones; it remembers what it was shown."""

    digest: str = DIGEST
    shown: list[str] = field(default_factory=list)

    def scores(self, query: str, texts: Sequence[str]) -> Scores:
        self.shown += texts
        return np.array([len(text) / 1000 for text in texts])


class AllAlike(ByLength):
    def scores(self, query: str, texts: Sequence[str]) -> Scores:
        return np.full(len(texts), 0.5)


class LastFirst(ByLength):
    def scores(self, query: str, texts: Sequence[str]) -> Scores:
        return np.arange(len(texts)) / 10


class Failing(ByLength):
    def scores(self, query: str, texts: Sequence[str]) -> Scores:
        raise MemoryError(f"cannot score {texts[0]}")


class NoNumbers(ByLength):
    def scores(self, query: str, texts: Sequence[str]) -> Scores:
        return np.full(len(texts), np.nan)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IndexReader]:
    engine = EmbeddedEngine(tmp_path_factory.mktemp("index"))
    published(engine, None, 1, CORPUS)
    with closing(engine.open(INDEX, 1)) as opened:
        yield opened


def named(top: int = 50, model: str = DIGEST) -> Ranking:
    return Ranking(reranking=Reranking(model=model, name="by-length", top=top))


def ask(searcher: Searcher, mode: Mode = "hybrid", limit: int = 100, groups: frozenset[str] | None = None,
        filters: Filters | None = None, query: str = QUERY) -> SearchAnswer:  # fmt: skip
    release = ReleaseRef(revision=1, index=INDEX, run_id="run", published_at=None)
    request = SearchRequest(query=query, mode=mode, limit=limit, filters=filters or Filters())
    return searcher.search(request, release, Principal(groups=groups) if groups else Principal())


def places(hits: Sequence[Hit]) -> list[tuple[str, int]]:
    return [(hit.uri, hit.span.start) for hit in hits]


def test_the_best_are_ordered_by_their_new_scores_and_the_rest_follow_as_they_were(reader: IndexReader) -> None:
    before, after = ask(Searcher(reader, Encoder(), Ranking())).hits, ask(Searcher(reader, Encoder(), named(7), None, ByLength())).hits
    assert len(before) > 20
    best = sorted(before[:7], key=lambda hit: -len(hit.text))
    assert [len(hit.text) for hit in after[:7]] == [len(hit.text) for hit in best]
    assert sorted(places(after[:7])) == sorted(places(before[:7]))
    assert places(after[:7]) != places(before[:7])
    assert places(after[7:]) == places(before[7:])
    assert [hit.rank for hit in after] == list(range(1, len(after) + 1))
    scores = [hit.score for hit in after]
    assert scores == sorted(scores, reverse=True)
    assert scores[6] > scores[7]
    for hit in after[:7]:
        assert hit.scores["rerank"] == hit.score == len(hit.text) / 1000
        assert {"dense", "sparse"} < set(hit.scores)
    assert all("rerank" not in hit.scores for hit in after[7:])


def test_equal_scores_are_ordered_by_id() -> None:
    order, scores = reranked(["c", "a", "b", "z", "d"], [0.9, 0.8, 0.7, 0.7, 0.1], np.array([0.5, 0.5, 0.75]))
    assert order == ["b", "a", "c", "z", "d"]
    assert scores[:3] == [0.75, 0.5, 0.5]
    assert 0.5 > scores[3] > 0.4999
    assert scores[4] == pytest.approx(-0.1)
    assert reranked(["a"], [0.3], np.empty(0)) == (["a"], [0.3])
    assert reranked([], [], np.empty(0)) == ([], [])


def test_equal_passages_are_answered_by_rising_id(reader: IndexReader) -> None:
    searcher = Searcher(reader, Encoder(), named(), None, AllAlike())
    ids = [passage.point(1) for passage in CORPUS if passage.access != ("board",)]
    of = {payload["chunk_id"]: point for point, payload in reader.payloads(ids).items()}
    points = [of[hit.chunk_id] for hit in ask(searcher, limit=20).hits]
    assert points == sorted(points)


@pytest.mark.parametrize("mode", ["dense", "sparse"])
def test_one_arm_alone_is_left_as_it_is(reader: IndexReader, mode: Mode) -> None:
    plain, reranker = Searcher(reader, Encoder(), Ranking()), ByLength()
    assert ask(Searcher(reader, Encoder(), named(), None, reranker), mode).hits == ask(plain, mode).hits
    assert reranker.shown == []


@pytest.mark.parametrize(("reranker", "reason"), [(Failing(), "MemoryError"), (NoNumbers(), "ValueError")])
def test_a_reranker_that_fails_leaves_the_fused_order_and_is_named(reader: IndexReader, reranker: ByLength, reason: str) -> None:
    answer = ask(Searcher(reader, Encoder(), named(), None, reranker))
    assert answer.hits == ask(Searcher(reader, Encoder(), Ranking())).hits
    assert [(left.arm, left.reason) for left in answer.degraded] == [("rerank", reason)]


def test_what_is_evaluated_is_what_is_served(reader: IndexReader) -> None:
    searcher, everyone = Searcher(reader, Encoder(), named(7), None, ByLength()), Principal()
    served = ask(searcher).hits
    passages_of = searcher.rank_passages(QUERY, "hybrid", 1, everyone, 100)
    assert [(payload["uri"], payload["start"], score) for payload, score in passages_of] == [
        (hit.uri, hit.span.start, hit.score) for hit in served
    ]
    documents = searcher.rank_documents(QUERY, "hybrid", 1, everyone)
    assert [uri for uri, _ in documents] == list(dict.fromkeys(hit.uri for hit in served))
    assert dict(documents)["manual:long.md"] == max(hit.score for hit in served if hit.uri == "manual:long.md")
    first = searcher.first_with_signals(QUERY, 1, everyone)
    assert first is not None
    assert (first[0]["uri"], first[0]["text"]) == (served[0].uri, served[0].text)
    signals = dict(zip(SIGNALS, first[1], strict=True))
    assert signals["fused_lead"] == pytest.approx(served[0].score - served[1].score)
    assert signals["top_cosine"] == served[0].scores["dense"]


def test_confidence_is_learned_from_the_signals_that_answers_are_given(reader: IndexReader) -> None:
    """Also where the passage that comes first is one that only feedback brought, of which no arm has said anything yet."""
    ranking = named(4).model_copy(update={"depth": 3})
    searcher = Searcher(reader, Encoder(), ranking, None, LastFirst())
    for word in WORDS:
        served = ask(searcher, limit=3, query=word).hits[0]
        first = searcher.first_with_signals(word, 1, Principal())
        assert first is not None
        assert (first[0]["uri"], first[1][SIGNALS.index("top_cosine")]) == (served.uri, served.scores["dense"])


def test_documents_are_reranked_once_however_deep_the_arms_go(reader: IndexReader) -> None:
    reranker = ByLength()
    ranking = named(5).model_copy(update={"depth": 3})
    assert len(Searcher(reader, Encoder(), ranking, None, reranker).rank_documents(QUERY, "hybrid", 1, Principal(), 30)) == 30
    assert len(reranker.shown) == 5


def test_it_never_sees_a_passage_that_the_principal_may_not(reader: IndexReader) -> None:
    reranker = ByLength()
    searcher = Searcher(reader, Encoder(), named(), None, reranker)
    ask(searcher)
    searcher.rank_documents(QUERY, "hybrid", 1, Principal())
    searcher.rank_passages(QUERY, "hybrid", 1, Principal(), 10)
    searcher.first_with_signals(QUERY, 1, Principal())
    assert reranker.shown
    assert SECRET not in reranker.shown
    assert ask(searcher, groups=frozenset({"board"})).hits[0].text == SECRET
    reranker.shown.clear()
    assert ask(searcher, filters=Filters(documents=["manual:long.md"])).hits
    assert set(reranker.shown) == {"golden recall, part one", "golden recall, part two"}


def test_nothing_found_is_nothing_to_rerank(reader: IndexReader) -> None:
    answer = ask(Searcher(reader, Encoder(), named(), None, Failing()), filters=Filters(sources=["absent"]))
    assert (answer.hits, answer.degraded) == ([], [])


def test_another_reranker_than_is_named_is_refused(reader: IndexReader) -> None:
    for ranking, given in ((named(), None), (Ranking(), ByLength()), (named(), ByLength(digest="b" * 64))):
        with pytest.raises(ReleaseUntrusted):
            Searcher(reader, Encoder(), ranking, None, given)


def test_confidence_that_was_learned_with_another_reranker_is_not_served(reader: IndexReader) -> None:
    flat = Logistic(means=(0.0,) * 9, scales=(1.0,) * 9, weights=(0.0,) * 9, intercept=0.0)
    learned = Confidence(relevant=flat, answerable=flat, threshold=0.9)
    trial = Trial(adopted=False, reason="")

    def sure(ranking: Ranking, learned_with: Reranking | None) -> float | None:
        tuned = Tuned(golden="g", index=INDEX, revision=1, chunks=1, reranking=learned_with, fusion=trial, adapter=trial)
        used = ranking.model_copy(update={"confidence": learned, "tuned": tuned})
        answer = ask(Searcher(reader, Encoder(), used, None, ByLength() if used.reranking else None))
        assert ("no_good_answer" in {hint.code for hint in answer.hints}) == (answer.confidence is not None)
        return answer.confidence

    assert sure(named(), named().reranking) == 0.5
    assert sure(Ranking(), None) == 0.5
    assert sure(named(), None) is None
    assert sure(Ranking(), named().reranking) is None
    assert sure(named(20), named(50).reranking) is None
