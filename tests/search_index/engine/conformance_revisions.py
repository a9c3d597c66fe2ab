"""What every engine has to pass, of how one revision follows another."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from search_index.bm25 import Bm25Settings, TermStatistics, count_terms
from search_index.engine.interface import LEDGER, Delta, Engine
from search_index.errors import ModelMismatch, RevisionUnknown, WrongUsage
from search_index.model.search import OPEN_END
from search_index.model.tenant import DEFAULT_TENANT
from tests.search_index.engine.points import (
    BM25,
    DIMENSION,
    INDEX,
    QUERY,
    Passage,
    opened,
    passages,
    published,
    seen_at,
    sparse,
    table,
    texts,
    vector_of,
)


class RevisionsConformance:
    """Staging, publishing, discarding, as-of. A subclass gives the fixture ``engine``."""

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

    def test_the_ledger_alone_is_that_of_the_reader(self, engine: Engine) -> None:
        published(engine, None, 1, self.FIRST)
        candidate = engine.stage(INDEX, 1, 2, Delta(table(self.SECOND, 2), [self.FIRST[0].point(1)]), BM25, DIMENSION, None)
        with closing(candidate.reader()) as reader:
            assert candidate.ledger().equals(reader.ledger())
        with pytest.raises(RevisionUnknown):
            engine.ledger(INDEX, 2)
        candidate.publish()
        assert candidate.ledger().equals(engine.ledger(INDEX, 1))
        assert not candidate.ledger().equals(engine.ledger(INDEX, 1, head=1))

    @pytest.mark.parametrize("limit", [1, 5, 100])
    def test_no_more_than_the_limit_comes_back(self, engine: Engine, limit: int) -> None:
        published(engine, None, 1, self.FIRST)
        with opened(engine, 1) as reader:
            assert len(reader.dense(vector_of("x"), seen_at(1), limit).ids) == min(limit, 40)

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
            assert reader.statistics(2, DEFAULT_TENANT).digest == recount.digest
            assert reader.statistics(1, DEFAULT_TENANT).documents == 40

    def test_an_empty_change_makes_a_revision_that_answers_alike(self, engine: Engine) -> None:
        published(engine, None, 1, self.FIRST)
        published(engine, 1, 2, [])
        with opened(engine, 2) as reader:
            assert sparse(reader, QUERY, seen_at(1)).ids == sparse(reader, QUERY, seen_at(2)).ids != []

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
            assert reader.count(seen_at(3)) == reader.statistics(3, DEFAULT_TENANT).documents == 40

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
        published(engine, 2, 3, [], [passage.point(1) for passage in self.FIRST[10:15]], retained=[2])
        with opened(engine, 3) as reader:
            assert reader.ledger().num_rows == 42
            assert set(reader.payloads([passage.point(1) for passage in self.FIRST[:10]])) == set()
            assert (reader.count(seen_at(2)), reader.count(seen_at(3))) == (42, 37)
            assert (reader.statistics(2, DEFAULT_TENANT).documents, reader.statistics(3, DEFAULT_TENANT).documents) == (42, 37)
            with pytest.raises(RevisionUnknown):
                reader.check(1)

    def test_an_old_revision_that_is_kept_answers_while_those_between_are_deleted(self, engine: Engine) -> None:
        published(engine, None, 1, self.FIRST)
        published(engine, 1, 2, self.SECOND[:4], [passage.point(1) for passage in self.FIRST[:10]])
        published(engine, 2, 3, [], [passage.point(2) for passage in self.SECOND[:4]])
        with opened(engine, 3) as reader:
            before = sparse(reader, QUERY, seen_at(1))
        published(engine, 3, 4, self.SECOND[4:], retained=[1, 3])
        published(engine, 4, 5, [], retained=[1, 2, 4])
        with opened(engine, 5) as reader:
            after = sparse(reader, QUERY, seen_at(1))
            assert (after.ids, after.scores.tobytes()) == (before.ids, before.scores.tobytes())
            assert [reader.count(seen_at(revision)) for revision in (1, 4, 5)] == [40, 38, 38]
            assert [reader.statistics(revision, DEFAULT_TENANT).documents for revision in (1, 4, 5)] == [40, 38, 38]
            assert set(reader.payloads([passage.point(2) for passage in self.SECOND[:4]])) == set(), "seen by release 2 alone"
            for gone in (2, 3):  # 2 was deleted before it was asked to be kept
                with pytest.raises(RevisionUnknown):
                    reader.check(gone)

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
            engine.stage(INDEX, 1, 2, Delta(table([], 2)), Bm25Settings(avgdl={DEFAULT_TENANT: 9.0}), DIMENSION, None)
        with opened(engine, 1) as reader:
            assert reader.bm25 == BM25

    def test_verification_finds_nothing_wrong(self, engine: Engine) -> None:
        published(engine, None, 1, self.FIRST)
        published(engine, 1, 2, self.SECOND, [self.FIRST[0].point(1)])
        assert engine.verify(INDEX, 2) == []
        assert engine.size_of(INDEX, 2) > 0
