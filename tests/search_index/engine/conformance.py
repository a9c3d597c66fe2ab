"""What every engine has to pass. A test module of one engine subclasses ``EngineConformance`` and gives the fixture ``engine``."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from search_index.bm25 import Bm25Settings, TermStatistics, count_terms, query_weights, tokenize
from search_index.engine.interface import LEDGER, Candidate, Delta, Engine, IndexReader, Scored, Visibility
from search_index.errors import ModelMismatch, RevisionUnknown, WrongUsage
from search_index.model.search import EVERYONE, OPEN_END, Filters
from tests.search_index.engine.points import BM25, DIMENSION, INDEX, Passage, passages, seen_at, table, vector_of

QUERY = "golden recall of the release index"


def published(
    engine: Engine, head: int | None, revision: int, added: Sequence[Passage], retired: Sequence[str] = (), vacuum: int | None = None
) -> Candidate:
    """Stage and publish ``added`` as ``revision``."""
    candidate = engine.stage(INDEX, head, revision, Delta(table(added, revision), retired), BM25, DIMENSION, vacuum)
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
    return reader.sparse(*query_weights(query, reader.statistics(visibility.revision)), visibility, limit)


def bm25_of(query: str, corpus: Sequence[Passage], settings: Bm25Settings) -> dict[str, float]:
    """BM25 by the book, one passage and one term at a time."""
    documents = [tokenize(passage.text) for passage in corpus]
    scores = {}
    for passage, terms in zip(corpus, documents, strict=True):
        total = 0.0
        for term in tokenize(query):
            holding = sum(term in other for other in documents)
            frequency = terms.count(term)
            idf = math.log(1 + (len(documents) - holding + 0.5) / (holding + 0.5))
            shrink = settings.k1 * (1 - settings.b + settings.b * len(terms) / settings.avgdl)
            total += idf * frequency * (settings.k1 + 1) / (frequency + shrink)
        if total:
            scores[passage.text] = total
    return scores


FILTERED = [
    Passage("a.md", "golden a", "wiki", modified_ts=100, metadata={"lang": "en", "year": 2020, "draft": True, "tags": ["x", "y"]}),
    Passage("b.md", "golden b", "wiki", modified_ts=200, metadata={"lang": "de", "year": 2021, "draft": False, "odd key.": "1"}),
    Passage("c.md", "golden c", "manual", modified_ts=300, metadata={"lang": "en", "year": 2020.0, "score": 1.5}),
    Passage("d.md", "golden d", "manual", modified_ts=None, metadata={"lang": 7}),
]


class EngineConformance:
    """Behaviour that does not depend on where the points are."""

    FIRST = passages(40)
    SECOND = passages(12, seed=1)

    @pytest.fixture
    def engine(self) -> Engine:
        raise NotImplementedError

    def test_a_candidate_is_seen_through_its_own_reader_only(self, engine: Engine) -> None:
        published(engine, None, 1, self.FIRST)
        candidate = engine.stage(INDEX, 1, 2, Delta(table(self.SECOND, 2)), BM25, DIMENSION, None)
        with closing(candidate.reader()) as staged, opened(engine, 1) as live:
            assert staged.count(seen_at(2)) == 52
            assert live.count(seen_at(1)) == 40
            assert live.directory_revision == 1
        with pytest.raises(RevisionUnknown):
            engine.open(INDEX, 2)
        candidate.publish()
        with opened(engine, 2) as reader:
            assert (reader.directory_revision, reader.content) == (2, candidate.content)

    def test_dense_finds_what_is_nearest(self, engine: Engine) -> None:
        published(engine, None, 1, self.FIRST)
        query = vector_of("a query")
        with opened(engine, 1) as reader:
            found = reader.dense(query, seen_at(1), 10)
            nearest = sorted(((float(query @ vector_of(passage.text)), passage.text) for passage in self.FIRST), reverse=True)[:10]
            assert texts(reader, found) == [text for _, text in nearest]
            assert found.scores == pytest.approx([score for score, _ in nearest], abs=1e-6)

    def test_sparse_is_bm25_by_the_book(self, engine: Engine) -> None:
        published(engine, None, 1, self.FIRST)
        expected = bm25_of(QUERY, self.FIRST, BM25)
        with opened(engine, 1) as reader:
            found = sparse(reader, QUERY, seen_at(1))
            scores = dict(zip(texts(reader, found), found.scores.tolist(), strict=True))
        assert len(expected) > 10
        assert scores == pytest.approx(expected, rel=1e-5)

    def test_a_repeated_query_word_counts_twice(self, engine: Engine) -> None:
        published(engine, None, 1, self.FIRST)
        with opened(engine, 1) as reader:
            once, twice = sparse(reader, "golden", seen_at(1)), sparse(reader, "golden golden", seen_at(1))
        assert once.ids == twice.ids
        assert twice.scores == pytest.approx(2 * once.scores)

    def test_words_nobody_uses_find_nothing(self, engine: Engine) -> None:
        published(engine, None, 1, self.FIRST)
        with opened(engine, 1) as reader:
            assert sparse(reader, "zeppelin", seen_at(1)).ids == []

    def test_equal_scores_are_in_order_of_id_wherever_the_cut_falls(self, engine: Engine) -> None:
        twins = [Passage(f"twin{number}.md", "golden recall pointer") for number in range(60)]
        published(engine, None, 1, [*twins, *self.FIRST])
        expected = sorted(twin.point(1) for twin in twins)
        with opened(engine, 1) as reader:
            for limit in (1, 7, 59):
                assert reader.dense(vector_of("golden recall pointer"), seen_at(1), limit).ids == expected[:limit]
                assert sparse(reader, "golden recall pointer", seen_at(1), limit).ids == expected[:limit]

    @pytest.mark.parametrize("limit", [1, 5, 100])
    def test_no_more_than_the_limit_comes_back(self, engine: Engine, limit: int) -> None:
        published(engine, None, 1, self.FIRST)
        with opened(engine, 1) as reader:
            assert len(reader.dense(vector_of("x"), seen_at(1), limit).ids) == min(limit, 40)

    def test_scores_of_given_points_are_the_arms_own_bits(self, engine: Engine) -> None:
        published(engine, None, 1, self.FIRST)
        query = vector_of("a query")
        with opened(engine, 1) as reader:
            near, worded = reader.dense(query, seen_at(1), 40), sparse(reader, QUERY, seen_at(1))
            asked = query_weights(QUERY, reader.statistics(1))
            assert reader.dense_scores(query, near.ids[::-1]).tolist() == near.scores[::-1].tolist()
            assert reader.sparse_scores(*asked, worded.ids[::-1]).tolist() == worded.scores[::-1].tolist()
            unworded = [point for point in near.ids if point not in worded.ids]
            assert unworded
            assert not reader.sparse_scores(*asked, unworded).any()
            absent = Passage("nowhere.md", "golden").point(1)
            assert reader.sparse_scores(*asked, [absent]).tolist() == [0.0]
            assert reader.dense_scores(query, [absent]).tolist() == [0.0]

    def test_stored_vectors_come_back_at_length_one(self, engine: Engine) -> None:
        row = {**self.FIRST[0].row(1), "vector": (5 * vector_of("long")).tolist()}
        engine.stage(INDEX, None, 1, Delta(pa.Table.from_pylist([row], schema=table([], 1).schema)), BM25, DIMENSION, None).publish()
        with opened(engine, 1) as reader:
            assert reader.vectors([str(row["point_id"])])[0] == pytest.approx(vector_of("long"), abs=1e-6)

    def test_a_retired_point_is_gone_from_then_on_and_stays_before(self, engine: Engine) -> None:
        published(engine, None, 1, self.FIRST)
        gone = self.FIRST[:3]
        published(engine, 1, 2, [], [passage.point(1) for passage in gone])
        with opened(engine, 2) as reader:
            now, before = (set(texts(reader, reader.dense(vector_of("x"), seen_at(revision), 100))) for revision in (2, 1))
            assert before - now == {passage.text for passage in gone}
            assert reader.count(seen_at(2)) == 37
            assert reader.find(seen_at(2), chunk_id=gone[0].chunk) == []
            assert len(reader.find(seen_at(1), chunk_id=gone[0].chunk)) == 1

    def test_a_chunk_that_comes_back_is_a_new_point(self, engine: Engine) -> None:
        lost = self.FIRST[0]
        published(engine, None, 1, self.FIRST)
        published(engine, 1, 2, [], [lost.point(1)])
        published(engine, 2, 3, [lost])
        with opened(engine, 3) as reader:
            seen = [reader.find(seen_at(revision), chunk_id=lost.chunk) for revision in (1, 2, 3)]
        assert [[payload["valid_from"] for payload in found] for found in seen] == [[1], [], [3]]

    def test_as_of_is_bit_for_bit_what_was_published(self, engine: Engine) -> None:
        published(engine, None, 1, self.FIRST)
        query = vector_of("a query")
        with opened(engine, 1) as reader:
            words, near = sparse(reader, QUERY, seen_at(1)), reader.dense(query, seen_at(1), 20)
        published(engine, 1, 2, self.SECOND, [passage.point(1) for passage in self.FIRST[:20]])
        published(engine, 2, 3, passages(30, seed=2), [passage.point(2) for passage in self.SECOND[:5]])
        with opened(engine, 3) as reader:
            assert sparse(reader, QUERY, seen_at(3)).ids != words.ids
            for before, after in ((words, sparse(reader, QUERY, seen_at(1))), (near, reader.dense(query, seen_at(1), 20))):
                assert after.ids == before.ids
                assert after.scores.tobytes() == before.scores.tobytes()

    def test_statistics_are_those_of_a_recount(self, engine: Engine) -> None:
        published(engine, None, 1, self.FIRST)
        published(engine, 1, 2, self.SECOND, [passage.point(1) for passage in self.FIRST[:20]])
        recount = TermStatistics.empty().updated([count_terms(passage.text) for passage in [*self.FIRST[20:], *self.SECOND]])
        with opened(engine, 2) as reader:
            assert reader.statistics(2).digest == recount.digest
            assert reader.statistics(1).documents == 40

    def test_an_empty_change_makes_a_revision_that_answers_alike(self, engine: Engine) -> None:
        published(engine, None, 1, self.FIRST)
        published(engine, 1, 2, [])
        with opened(engine, 2) as reader:
            assert sparse(reader, QUERY, seen_at(1)).ids == sparse(reader, QUERY, seen_at(2)).ids != []

    def test_an_index_may_be_empty(self, engine: Engine) -> None:
        published(engine, None, 1, [])
        with opened(engine, 1) as reader:
            assert reader.count(seen_at(1)) == 0
            assert reader.dense(vector_of("x"), seen_at(1), 5).ids == []
            assert sparse(reader, QUERY, seen_at(1)).ids == []
            assert reader.dense_scores(vector_of("x"), []).shape == reader.vectors([]).shape[:1] == (0,)

    def test_a_passage_without_terms_is_found_by_its_vector(self, engine: Engine) -> None:
        published(engine, None, 1, [Passage("marks.md", "?!"), *self.FIRST])
        with opened(engine, 1) as reader:
            assert texts(reader, reader.dense(vector_of("?!"), seen_at(1), 1)) == ["?!"]

    def test_nobody_sees_what_their_groups_do_not_allow(self, engine: Engine) -> None:
        secret = Passage("secret.md", "golden ledger", access=("board", "audit"))
        sealed = Passage("sealed.md", "golden vacuum", access=())
        published(engine, None, 1, [Passage("open.md", "golden gate"), secret, sealed])
        allowed = {(): [], (EVERYONE,): ["golden gate"], ("audit",): ["golden ledger"], ("guest",): [],
                   (EVERYONE, "board"): ["golden gate", "golden ledger"]}  # fmt: skip
        with opened(engine, 1) as reader:
            for groups, readable in allowed.items():
                seen = Visibility(1, frozenset(groups))
                assert sorted(texts(reader, sparse(reader, "golden", seen))) == readable
                assert sorted(texts(reader, reader.dense(vector_of("golden vacuum"), seen, 10))) == readable
                assert reader.count(seen) == len(readable)
                assert [payload["text"] for payload in reader.find(seen, document_id=secret.document)] == [
                    text for text in readable if text == secret.text
                ]
                assert reader.find(seen, document_id=sealed.document) == []

    def test_excluded_documents_are_in_no_arm_and_no_read(self, engine: Engine) -> None:
        published(engine, None, 1, self.FIRST)
        barred = self.FIRST[4]
        seen = seen_at(1, excluded=[barred.document])
        with opened(engine, 1) as reader:
            assert reader.count(seen) == 39
            assert barred.point(1) not in reader.dense(vector_of(barred.text), seen, 100).ids
            assert barred.point(1) not in sparse(reader, barred.text, seen).ids
            assert reader.find(seen, chunk_id=barred.chunk) == []

    @pytest.mark.parametrize(
        ("filters", "expected"),
        [
            ({"sources": ["wiki"]}, "ab"),
            ({"sources": ["wiki", "manual"]}, "abcd"),
            ({"sources": ["nowhere"]}, ""),
            ({"documents": ["wiki:a.md", "manual:d.md"]}, "ad"),
            ({"documents": [FILTERED[2].document]}, "c"),
            ({"modified_from": datetime.fromtimestamp(200, UTC)}, "bc"),
            ({"modified_to": datetime.fromtimestamp(200, UTC)}, "a"),
            ({"modified_from": datetime.fromtimestamp(100, UTC), "modified_to": datetime.fromtimestamp(300, UTC)}, "ab"),
            ({"metadata": {"lang": "en"}}, "ac"),
            ({"metadata": {"lang": ["en", "de"]}}, "abc"),
            ({"metadata": {"lang": 7}}, "d"),
            ({"metadata": {"lang": ["de", 7]}}, "bd"),
            ({"metadata": {"year": 2020}}, "ac"),
            ({"metadata": {"draft": True}}, "a"),
            ({"metadata": {"draft": [False, True]}}, "ab"),
            ({"metadata": {"draft": 1}}, ""),
            ({"metadata": {"score": 1.5}}, "c"),
            ({"metadata": {"tags": "y"}}, "a"),
            ({"metadata": {"odd key.": "1"}}, "b"),
            ({"metadata": {"absent": "1"}}, ""),
            ({"metadata": {"lang": "en"}, "sources": ["wiki"]}, "a"),
        ],
    )  # fmt: skip
    def test_filters(self, engine: Engine, filters: dict[str, object], expected: str) -> None:
        published(engine, None, 1, FILTERED)
        seen = seen_at(1, filters=Filters.model_validate(filters))
        with opened(engine, 1) as reader:
            for found in (sparse(reader, "golden", seen), reader.dense(vector_of("x"), seen, 10)):
                assert "".join(sorted(text[-1] for text in texts(reader, found))) == expected
            assert reader.count(seen) == len(expected)

    def test_a_documents_chunks_come_in_order(self, engine: Engine) -> None:
        parts = [Passage("long.md", f"part {number}", ordinal=number) for number in range(12)]
        published(engine, None, 1, [*reversed(parts), *self.FIRST])
        with opened(engine, 1) as reader:
            assert [payload["ordinal"] for payload in reader.find(seen_at(1), document_id=parts[0].document)] == list(range(12))

    def test_a_payload_comes_back_as_it_went_in(self, engine: Engine) -> None:
        passage = Passage("é.md", "naïve 😀 gate", metadata={"lang": "fr", "pages": 3, "tags": ["a"]}, access=("b", "a"))
        published(engine, None, 1, [passage])
        with opened(engine, 1) as reader:
            payload = reader.payloads([passage.point(1)])[passage.point(1)]
        assert (payload["text"], payload["metadata"], payload["uri"]) == (passage.text, passage.metadata, "manual:é.md")
        assert (payload["valid_from"], payload["valid_to"], payload["access"]) == (1, OPEN_END, ["b", "a"])
        assert (payload["chunk_id"], payload["document_id"], payload["source"]) == (passage.chunk, passage.document, "manual")

    def test_the_ledger_has_a_row_for_every_point(self, engine: Engine) -> None:
        published(engine, None, 1, self.FIRST)
        published(engine, 1, 2, self.SECOND, [self.FIRST[0].point(1)])
        with opened(engine, 2) as reader:
            ledger = reader.ledger()
            assert ledger.schema.equals(LEDGER)
            ids = ledger["point_id"].to_pylist()
            assert ids == sorted([*(one.point(1) for one in self.FIRST), *(one.point(2) for one in self.SECOND)])
            ended = ledger.filter(pc.field("valid_to") != OPEN_END)
            assert (ended["point_id"].to_pylist(), ended["valid_to"].to_pylist()) == ([self.FIRST[0].point(1)], [2])

    def test_content_is_what_is_held_and_not_how_it_came_about(self, engine: Engine) -> None:
        first = published(engine, None, 1, self.FIRST).content
        again = engine.stage("index-b", None, 1, Delta(table(self.FIRST[::-1], 1)), BM25, DIMENSION, None)
        other = engine.stage("index-c", None, 1, Delta(table(self.FIRST[1:], 1)), BM25, DIMENSION, None)
        assert first == again.content != other.content

    def test_discarding_leaves_the_head_as_it_was(self, engine: Engine) -> None:
        before = published(engine, None, 1, self.FIRST).content
        for publish_first in (False, True):
            candidate = engine.stage(INDEX, 1, 2, Delta(table(self.SECOND, 2), [self.FIRST[0].point(1)]), BM25, DIMENSION, None)
            if publish_first:
                candidate.publish()
            candidate.discard()
            candidate.discard()
            with opened(engine, 1) as reader:
                assert (reader.content, reader.directory_revision, reader.count(seen_at(1))) == (before, 1, 40)
            with pytest.raises(RevisionUnknown):
                engine.open(INDEX, 2)

    def test_publishing_twice_is_publishing_once(self, engine: Engine) -> None:
        candidate = published(engine, None, 1, self.FIRST)
        candidate.publish()
        with opened(engine, 1) as reader, closing(candidate.reader()) as own:
            assert reader.content == own.content == candidate.content
            assert own.count(seen_at(1)) == 40

    def test_staging_again_replaces_what_was_never_pointed_at(self, engine: Engine) -> None:
        published(engine, None, 1, self.FIRST)
        published(engine, 1, 2, self.SECOND)
        published(engine, 1, 2, self.SECOND[:5])
        with opened(engine, 2) as reader:
            assert reader.count(seen_at(2)) == 45

    def test_the_newest_that_holds_a_revision_answers_but_nothing_beyond_the_head(self, engine: Engine) -> None:
        for head, revision in ((None, 1), (1, 2), (2, 3)):
            published(engine, head, revision, passages(3, seed=revision))
        for head, expected in ((None, 3), (2, 2), (1, 1)):
            with closing(engine.open(INDEX, 1, head)) as reader:
                assert reader.directory_revision == expected
                assert reader.count(seen_at(1)) == 3

    def test_revisions_skipped_by_a_refusal_answer_as_their_head_did(self, engine: Engine) -> None:
        published(engine, None, 1, self.FIRST)
        published(engine, 1, 5, self.SECOND)
        with opened(engine, 3) as reader:
            assert reader.count(seen_at(3)) == reader.statistics(3).documents == 40

    @pytest.mark.parametrize("revision", [0, 3])
    def test_a_revision_nobody_holds_is_unknown(self, engine: Engine, revision: int) -> None:
        published(engine, None, 1, self.FIRST)
        published(engine, 1, 2, self.SECOND)
        with pytest.raises(RevisionUnknown):
            engine.open(INDEX, revision)
        with opened(engine, 2) as reader, pytest.raises(RevisionUnknown):
            reader.check(revision)

    def test_vacuum_deletes_what_no_retained_revision_can_see(self, engine: Engine) -> None:
        published(engine, None, 1, self.FIRST)
        published(engine, 1, 2, self.SECOND, [passage.point(1) for passage in self.FIRST[:10]])
        published(engine, 2, 3, [], [passage.point(1) for passage in self.FIRST[10:15]], vacuum=2)
        with opened(engine, 3) as reader:
            assert reader.ledger().num_rows == 42
            assert set(reader.payloads([passage.point(1) for passage in self.FIRST[:10]])) == set()
            assert (reader.count(seen_at(2)), reader.count(seen_at(3))) == (42, 37)
            assert (reader.statistics(2).documents, reader.statistics(3).documents) == (42, 37)
            with pytest.raises(RevisionUnknown):
                reader.check(1)

    @pytest.mark.parametrize(
        "wrong",
        [
            lambda first: Delta(table(first[:1], 1)),
            lambda first: Delta(table([Passage("n.md", "new"), Passage("n.md", "new")], 2)),
            lambda first: Delta(table([], 2), [Passage("n.md", "new").point(1)]),
            lambda first: Delta(table([], 2), [first[0].point(1)]),
        ],
        ids=["adds what is there", "adds twice", "retires what is not there", "retires what is retired"],
    )
    def test_a_change_that_does_not_fit_the_head_is_refused_whole(self, engine: Engine, wrong: Callable[[list[Passage]], Delta]) -> None:
        published(engine, None, 1, self.FIRST)
        published(engine, 1, 2, [], [self.FIRST[0].point(1)])
        with pytest.raises(WrongUsage):
            engine.stage(INDEX, 2, 3, wrong(self.FIRST), BM25, DIMENSION, None)
        with opened(engine, 2) as reader:
            assert reader.count(seen_at(2)) == 39

    def test_vectors_of_another_model_are_refused(self, engine: Engine) -> None:
        published(engine, None, 1, self.FIRST)
        with opened(engine, 1) as reader, pytest.raises(ModelMismatch):
            reader.dense(np.ones(DIMENSION + 1, np.float32), seen_at(1), 5)
        row = {**Passage("n.md", "new").row(2), "vector": [1.0, 0.0]}
        with pytest.raises(ModelMismatch):
            engine.stage(INDEX, 1, 2, Delta(pa.Table.from_pylist([row], schema=table([], 1).schema)), BM25, DIMENSION, None)

    def test_an_index_keeps_its_settings(self, engine: Engine) -> None:
        published(engine, None, 1, self.FIRST)
        with pytest.raises(WrongUsage):
            engine.stage(INDEX, 1, 2, Delta(table([], 2)), Bm25Settings(avgdl=9.0), DIMENSION, None)
        with opened(engine, 1) as reader:
            assert reader.bm25 == BM25

    def test_verification_finds_nothing_wrong(self, engine: Engine) -> None:
        published(engine, None, 1, self.FIRST)
        published(engine, 1, 2, self.SECOND, [self.FIRST[0].point(1)])
        assert engine.verify(INDEX, 2) == []
        assert engine.size_of(INDEX, 2) > 0
