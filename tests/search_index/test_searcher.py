"""Asking: arms, fusion, degradation, hints, and that a document's rank is what its best passage's is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from search_index.bm25 import TermStatistics
from search_index.confidence import SIGNALS, Confidence, Logistic
from search_index.engine.embedded import EmbeddedEngine
from search_index.engine.embedded_reader import EmbeddedReader
from search_index.engine.interface import Ids, Scored, Vector, Visibility
from search_index.errors import ArmsUnavailable, RevisionUnknown
from search_index.fusion import Feedback, Ranking
from search_index.model.document import document_id
from search_index.model.search import Filters, Mode, Principal, ReleaseRef, SearchAnswer, SearchRequest
from search_index.searcher import Searcher
from tests.search_index.engine.points import INDEX, Passage, passages, published, vector_of

CORPUS = [
    Passage("a.md", "golden gate bridge"),
    Passage("b.md", "golden ledger of the bank", source="wiki"),
    Passage("c.md", "vacuum cleaner", metadata={"lang": "en"}),
    Passage("secret.md", "golden secret of the board", access=("board",)),
    *passages(30),
]
MODES: tuple[Mode, ...] = ("hybrid", "dense", "sparse")


class Encoder:
    """Knows the vector of every text by heart: a query that is a passage's text is that passage's direction."""

    def encode_query(self, text: str) -> Vector:
        return vector_of(text)


class FailingEncoder:
    def encode_query(self, text: str) -> Vector:
        raise ConnectionError(f"cannot encode {text}")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("indexes")
    published(EmbeddedEngine(root), None, 1, CORPUS)
    published(EmbeddedEngine(root), 1, 2, [Passage("new.md", "golden newcomer")], [CORPUS[0].point(1)])
    return root / INDEX / "r0000002"


@pytest.fixture
def reader(folder: Path) -> Iterator[EmbeddedReader]:
    with closing(EmbeddedReader(folder)) as reader:
        yield reader


@pytest.fixture
def searcher(reader: EmbeddedReader) -> Searcher:
    return Searcher(reader, Encoder(), Ranking())


def ask(searcher: Searcher, query: str, mode: Mode = "hybrid", revision: int = 2, principal: Principal | None = None,
        limit: int = 10, filters: Filters | None = None, excluded: frozenset[str] = frozenset()) -> SearchAnswer:  # fmt: skip
    release = ReleaseRef(revision=revision, index=INDEX, run_id="run", published_at=None)
    request = SearchRequest(query=query, mode=mode, limit=limit, filters=filters or Filters())
    return searcher.search(request, release, principal or Principal(), excluded)


def hints(answer: SearchAnswer) -> list[str]:
    return [hint.code for hint in answer.hints]


@pytest.mark.parametrize("mode", MODES)
def test_the_passage_itself_comes_first_and_says_where_it_is_from(searcher: Searcher, mode: Mode) -> None:
    answer = ask(searcher, "golden ledger of the bank", mode)
    first = answer.hits[0]
    assert (first.uri, first.text, first.source, first.rank) == ("wiki:b.md", "golden ledger of the bank", "wiki", 1)
    assert (first.provenance.release, first.provenance.run_id, first.provenance.parser) == (1, "run-1", "plain")
    assert (first.span.start, first.span.end) == (0, len(first.text))
    assert [hit.rank for hit in answer.hits] == list(range(1, len(answer.hits) + 1))
    assert [hit.score for hit in answer.hits] == sorted((hit.score for hit in answer.hits), reverse=True)
    assert answer.took_ms > 0
    assert answer.degraded == []


@pytest.mark.parametrize(
    "ranking", [Ranking(), Ranking(feedback=None), Ranking(method="rrf"), Ranking(method="rrf", feedback=None, depth=3)]
)
def test_a_hybrid_hit_has_each_arms_own_score(reader: EmbeddedReader, ranking: Ranking) -> None:
    query = "golden ledger"
    answer = ask(Searcher(reader, Encoder(), ranking), query)
    dense, sparse = (
        ask(Searcher(reader, Encoder(), ranking), query, "dense", limit=100),
        ask(searcher_of(reader), query, "sparse", limit=100),
    )
    cosines = {hit.chunk_id: hit.score for hit in dense.hits}
    bm25 = {hit.chunk_id: hit.score for hit in sparse.hits}
    assert answer.hits
    for hit in answer.hits:
        assert hit.scores == {"dense": cosines[hit.chunk_id], "sparse": bm25.get(hit.chunk_id, 0.0)}


def searcher_of(reader: EmbeddedReader, encoder: Encoder | FailingEncoder | None = None) -> Searcher:
    return Searcher(reader, encoder or Encoder(), Ranking())


def test_one_arm_alone_gives_its_own_score_only(searcher: Searcher) -> None:
    assert set(ask(searcher, "golden", "dense").hits[0].scores) == {"dense"}
    assert set(ask(searcher, "golden", "sparse").hits[0].scores) == {"sparse"}


@pytest.mark.parametrize("mode", MODES)
def test_each_place_of_near_duplicates_is_shown_to_those_who_may_read_it_and_to_nobody_else(tmp_path: Path, mode: Mode) -> None:
    text = "golden handbook of the pump"
    engine = EmbeddedEngine(tmp_path)
    stand_ins = [
        Passage("all/1.md", text, near_duplicates=("all/2.md", "all/3.md")),
        Passage("board/1.md", text, access=("board",), near_duplicates=("board/2.md",)),
    ]
    published(engine, None, 1, [*stand_ins, *passages(5)])
    with closing(engine.open(INDEX, 1)) as reader:

        def shown(groups: set[str], *excluded: str) -> dict[str, list[str]]:
            barred = frozenset(document_id("manual", path) for path in excluded)
            answer = ask(searcher_of(reader), text, mode, 1, Principal(groups=frozenset(groups)), excluded=barred)
            return {hit.uri: [place.uri for place in hit.near_duplicates] for hit in answer.hits if hit.text == text}

        everyone = {"manual:all/1.md": ["manual:all/2.md", "manual:all/3.md"]}
        board = {"manual:board/1.md": ["manual:board/2.md"]}
        assert shown({"everyone"}) == everyone
        assert shown({"board"}) == board
        assert shown({"everyone", "board"}) == everyone | board
        assert shown({"everyone", "board"}, "all/2.md", "board/2.md") == {"manual:all/1.md": ["manual:all/3.md"], "manual:board/1.md": []}
        assert shown({"everyone", "board"}, "all/1.md") == board


@pytest.mark.parametrize("mode", MODES)
def test_an_older_revision_answers_as_it_did(searcher: Searcher, mode: Mode) -> None:
    before, now = ask(searcher, "golden gate bridge", mode, revision=1, limit=100), ask(searcher, "golden gate bridge", mode, limit=100)
    assert before.hits[0].uri == "manual:a.md"
    assert "manual:a.md" not in {hit.uri for hit in now.hits}
    assert "manual:new.md" not in {hit.uri for hit in before.hits}
    assert before.release.revision == 1


def test_a_revision_that_is_not_held_is_unknown(searcher: Searcher) -> None:
    with pytest.raises(RevisionUnknown):
        ask(searcher, "golden", revision=3)


@pytest.mark.parametrize("mode", MODES)
def test_what_one_may_not_read_is_in_no_answer_and_sways_no_score_of_feedback(searcher: Searcher, mode: Mode) -> None:
    text = "golden secret of the board"
    everyone = ask(searcher, text, mode, limit=100)
    board = ask(searcher, text, mode, limit=100, principal=Principal(groups=frozenset({"everyone", "board"})))
    barred = ask(searcher, text, mode, limit=100, excluded=frozenset({CORPUS[3].document}),
                 principal=Principal(groups=frozenset({"everyone", "board"})))  # fmt: skip
    assert board.hits[0].text == text
    assert text not in {hit.text for hit in everyone.hits}
    assert [(hit.uri, hit.score) for hit in barred.hits] == [(hit.uri, hit.score) for hit in everyone.hits]


def test_feedback_moves_the_query_towards_the_first_ranking(reader: EmbeddedReader) -> None:
    plain, moved = Ranking(feedback=None), Ranking(feedback=Feedback(top=2, share=0.9))
    first = ask(Searcher(reader, Encoder(), plain), "golden ledger of the bank", limit=30)
    second = ask(Searcher(reader, Encoder(), moved), "golden ledger of the bank", limit=30)
    assert first.hits[0].uri == second.hits[0].uri
    runner_up = first.hits[1].chunk_id
    assert {hit.chunk_id: hit.score for hit in second.hits}[runner_up] > {hit.chunk_id: hit.score for hit in first.hits}[runner_up]
    assert {hit.chunk_id: hit.scores for hit in second.hits}[runner_up] == {hit.chunk_id: hit.scores for hit in first.hits}[runner_up]


class FailingArm(EmbeddedReader):
    """A real reader, of which one arm does not answer."""

    def __init__(self, folder: Path, *failing: str) -> None:
        super().__init__(folder)
        self.failing = failing

    def _fail(self, what: str) -> None:
        if what in self.failing:
            raise TimeoutError("golden ledger took too long")

    def dense(self, vector: Vector, visibility: Visibility, limit: int) -> Scored:
        self._fail("dense")
        return super().dense(vector, visibility, limit)

    def sparse(self, ids: Ids, weights: Vector, visibility: Visibility, limit: int) -> Scored:
        self._fail("sparse")
        return super().sparse(ids, weights, visibility, limit)

    def vectors(self, point_ids: object) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        self._fail("vectors")
        return super().vectors(point_ids)  # type: ignore[arg-type]

    def statistics(self, revision: int, tenant: str) -> TermStatistics:
        self._fail("statistics")
        return super().statistics(revision, tenant)


@pytest.mark.parametrize(
    ("failing", "left_out", "remaining"),
    [("dense", "dense", "sparse"), ("sparse", "sparse", "dense"), ("vectors", "dense", "sparse"), ("statistics", "sparse", "dense")],
)
def test_an_arm_that_fails_is_left_out_by_name(folder: Path, failing: str, left_out: str, remaining: Mode) -> None:
    with closing(FailingArm(folder, failing)) as broken, closing(EmbeddedReader(folder)) as whole:
        answer = ask(searcher_of(broken), "golden ledger")
        alone = ask(searcher_of(whole), "golden ledger", remaining)
    assert [(each.arm, each.reason) for each in answer.degraded] == [(left_out, "TimeoutError")]
    assert answer.hits == alone.hits != []


def test_an_encoder_that_fails_leaves_the_sparse_arm(reader: EmbeddedReader) -> None:
    answer = ask(searcher_of(reader, FailingEncoder()), "golden ledger")
    assert [(each.arm, each.reason) for each in answer.degraded] == [("dense", "ConnectionError")]
    assert answer.hits
    assert "cannot encode" not in answer.model_dump_json()


@pytest.mark.parametrize(("mode", "failing"), [("hybrid", ("dense", "sparse")), ("dense", ("dense",)), ("sparse", ("sparse",))])
def test_without_any_arm_there_is_no_answer(folder: Path, mode: Mode, failing: tuple[str, ...]) -> None:
    with closing(FailingArm(folder, *failing)) as broken, pytest.raises(ArmsUnavailable) as unavailable:
        ask(searcher_of(broken), "golden ledger", mode)
    assert "TimeoutError" in unavailable.value.what
    assert "golden ledger took" not in unavailable.value.what


def test_hints_say_why_an_answer_is_empty(searcher: Searcher) -> None:
    assert hints(ask(searcher, "golden", filters=Filters(sources=["nowhere"]))) == ["all_filtered_out"]
    assert hints(ask(searcher, "zeppelin", "sparse")) == ["no_terms_known"]
    assert hints(ask(searcher, "golden", principal=Principal(groups=frozenset()))) == ["nothing_indexed"]
    assert hints(ask(searcher, "golden ledger of the bank")) == []


def test_what_one_may_not_read_is_not_hinted_at(searcher: Searcher) -> None:
    hidden = ask(searcher, "golden", filters=Filters(documents=["manual:secret.md"]))
    absent = ask(searcher, "golden", filters=Filters(documents=["manual:absent.md"]))
    assert (hidden.hits, hidden.hints) == (absent.hits, absent.hints)


def test_an_erased_document_is_hinted_at_no_more_than_an_absent_one(searcher: Searcher) -> None:
    board = Principal(groups=frozenset({"board"}))
    assert hints(ask(searcher, "golden", principal=board, excluded=frozenset({CORPUS[3].document}))) == ["nothing_indexed"]


def test_a_query_far_from_everything_is_hinted_at_even_with_hits(reader: EmbeddedReader) -> None:
    class Away(Encoder):
        def encode_query(self, text: str) -> Vector:
            return -vector_of("golden ledger of the bank")

    answer = ask(searcher_of(reader, Away()), "golden", filters=Filters(sources=["wiki"]))
    assert [hit.uri for hit in answer.hits] == ["wiki:b.md"]
    assert hints(answer) == ["low_scores"]


def test_confidence_that_says_no_more_than_the_mean_is_not_told_but_what_is_answerable_is(reader: EmbeddedReader) -> None:
    flat = Logistic(means=(0.0,) * len(SIGNALS), scales=(1.0,) * len(SIGNALS), weights=(0.0,) * len(SIGNALS), intercept=0.0)
    learned = Confidence(relevant=flat, answerable=flat, threshold=0.4)
    for stated, told in ((True, 0.5), (False, None)):
        ranking = Ranking(confidence=learned.model_copy(update={"stated": stated}))
        answer = ask(Searcher(reader, Encoder(), ranking), CORPUS[0].text)
        assert (answer.confidence, answer.answerable) == (told, True)


@pytest.fixture(scope="module")
def long_documents(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedReader]:
    root = tmp_path_factory.mktemp("long")
    parts = [Passage(f"long{number // 40}.md", f"golden part {number}", ordinal=number) for number in range(200)]
    engine = EmbeddedEngine(root)
    published(
        engine, None, 1, [*parts, *(Passage(f"short{number}.md", f"golden {word}") for number, word in enumerate(["x1", "x2", "x3"]))]
    )
    with closing(engine.open(INDEX, 1)) as reader:
        yield reader


@pytest.mark.parametrize("mode", MODES)
def test_arms_go_deeper_until_they_hold_enough_documents(long_documents: EmbeddedReader, mode: Mode) -> None:
    searcher = Searcher(long_documents, Encoder(), Ranking(depth=5))
    found = searcher.rank_documents("golden part", mode, 1, Principal(), documents=8)
    assert len({uri for uri, _ in found}) == len(found) == 8
    assert len(searcher.rank_documents("golden part", mode, 1, Principal(), documents=50)) == 8
    assert [score for _, score in found] == sorted((score for _, score in found), reverse=True)


@pytest.mark.parametrize("mode", MODES)
def test_what_is_measured_is_what_is_served(searcher: Searcher, mode: Mode) -> None:
    answer = ask(searcher, "golden ledger", mode, limit=20)
    measured = searcher.rank_documents("golden ledger", mode, 2, Principal())[:20]
    assert measured == [(hit.uri, hit.score) for hit in answer.hits]
    read = searcher.rank_passages("golden ledger", mode, 2, Principal(), 20)
    assert [(payload["chunk_id"], score) for payload, score in read] == [(hit.chunk_id, hit.score) for hit in answer.hits]


def test_a_document_scores_as_its_best_chunk(long_documents: EmbeddedReader) -> None:
    searcher = Searcher(long_documents, Encoder(), Ranking())
    ranked = searcher.rank_passages("golden part 77", "dense", 1, Principal(), 203)
    best: dict[str, float] = {}
    for payload, score in ranked:
        best[str(payload["uri"])] = max(score, best.get(str(payload["uri"]), -1.0))
    assert dict(searcher.rank_documents("golden part 77", "dense", 1, Principal())) == best
