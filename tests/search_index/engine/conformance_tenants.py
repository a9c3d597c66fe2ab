"""What every engine has to pass, of tenants: one never sees, counts or weighs with another's points."""

from __future__ import annotations

import pytest

from search_index.bm25 import Bm25Settings, TermStatistics, count_terms, query_weights
from search_index.engine.interface import Delta, Engine, Visibility
from search_index.errors import WrongUsage
from search_index.model.search import EVERYONE
from search_index.model.tenant import DEFAULT_TENANT
from tests.search_index.engine.points import (
    BM25,
    DIMENSION,
    INDEX,
    OTHERS,
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

OURS = passages(30)
THEIRS = [Passage(f"theirs/{number:02d}.md", f"golden recall pointer {word}", "theirs", tenant=OTHERS)
          for number, word in enumerate("gate release index chunk vector source contract ledger segment vacuum".split())]  # fmt: skip
MINE, OTHER = seen_at(1), seen_at(1, tenant=OTHERS)


class TenantsConformance:
    """Isolation. A subclass gives the fixture ``engine``."""

    @pytest.fixture
    def engine(self) -> Engine:
        raise NotImplementedError

    def test_each_sees_its_own_in_every_way_of_asking(self, engine: Engine) -> None:
        published(engine, None, 1, [*THEIRS, *OURS])
        ours, theirs = {passage.text for passage in OURS}, {passage.text for passage in THEIRS}
        with opened(engine, 1) as reader:
            for seen, own, documents in ((MINE, ours, OURS), (OTHER, theirs, THEIRS)):
                assert set(texts(reader, reader.dense(vector_of("golden recall"), seen, 100))) == own
                assert set(texts(reader, sparse(reader, "golden recall", seen))) <= own
                assert sparse(reader, "golden recall", seen).ids
                assert reader.count(seen) == len(own)
                assert reader.documents(seen) == sorted({passage.document for passage in documents})
            for passage, stranger in ((THEIRS[0], MINE), (OURS[0], OTHER)):
                assert reader.find(stranger, document_id=passage.document) == []
                assert reader.find(stranger, chunk_id=passage.chunk) == []

    def test_whoever_is_of_no_tenant_sees_nothing(self, engine: Engine) -> None:
        published(engine, None, 1, [*THEIRS, *OURS])
        with opened(engine, 1) as reader:
            for nobody in ("", "nobody"):
                seen = Visibility(1, nobody, frozenset({EVERYONE}))
                asked = query_weights(QUERY, reader.statistics(1, DEFAULT_TENANT))
                assert reader.dense(vector_of("golden"), seen, 10).ids == reader.sparse(*asked, seen, 10).ids == []
                assert reader.count(seen) == 0
                assert reader.documents(seen) == reader.find(seen, document_id=OURS[0].document) == []

    def test_answers_are_the_same_bits_with_and_without_others(self, engine: Engine) -> None:
        published(engine, None, 1, OURS)
        with opened(engine, 1) as reader:
            near = reader.dense(vector_of("a query"), MINE, 20)
            alone = near.ids, near.scores.tolist()
            worded = sparse(reader, QUERY, MINE)
            words = worded.ids, worded.scores.tolist()
        candidate = engine.stage("another-index", None, 1, Delta(table([*THEIRS, *OURS], 1)), BM25, DIMENSION, None)
        reader = candidate.reader()
        near, worded = reader.dense(vector_of("a query"), MINE, 20), sparse(reader, QUERY, MINE)
        assert (near.ids, near.scores.tolist()) == alone
        assert (worded.ids, worded.scores.tolist()) == words
        assert reader.sparse_scores(*query_weights(QUERY, reader.statistics(1, DEFAULT_TENANT)), worded.ids).tolist() == words[1]
        reader.close()
        candidate.discard()

    def test_term_statistics_are_of_one_tenant_and_revision(self, engine: Engine) -> None:
        published(engine, None, 1, OURS)
        published(engine, 1, 2, THEIRS)
        published(engine, 2, 3, [], [THEIRS[0].point(2)])
        with opened(engine, 3) as reader:
            recount = TermStatistics.empty().updated([count_terms(passage.text) for passage in OURS])
            assert [reader.statistics(revision, DEFAULT_TENANT).digest for revision in (1, 2, 3)] == [recount.digest] * 3
            assert [reader.statistics(revision, OTHERS).documents for revision in (1, 2, 3)] == [0, 10, 9]
            assert reader.statistics(3, "nobody").documents == 0

    def test_a_length_is_held_against_the_average_of_its_own_tenant(self, engine: Engine) -> None:
        twin = Passage("twin.md", OURS[0].text, "theirs", tenant=OTHERS)
        published(engine, None, 1, [OURS[0], twin])
        with opened(engine, 1) as reader:
            ours, theirs = (float(sparse(reader, OURS[0].text, seen).scores[0]) for seen in (MINE, OTHER))
        assert ours > theirs, "the same passage is long for those whose passages are short"

    def test_a_tenant_may_come_into_an_index_and_none_may_be_forgotten(self, engine: Engine) -> None:
        alone = Bm25Settings(avgdl={DEFAULT_TENANT: BM25.avgdl[DEFAULT_TENANT]})
        engine.stage(INDEX, None, 1, Delta(table(OURS, 1)), alone, DIMENSION, None).publish()
        with pytest.raises(WrongUsage, match="tenant others"):
            engine.stage(INDEX, 1, 2, Delta(table(THEIRS, 2)), alone, DIMENSION, None)
        published(engine, 1, 2, THEIRS)
        with pytest.raises(WrongUsage, match="other BM25 settings"):
            engine.stage(INDEX, 2, 3, Delta(table([], 3)), alone, DIMENSION, None)
        with opened(engine, 2) as reader:
            assert reader.bm25 == BM25
            assert (reader.count(seen_at(2)), reader.count(seen_at(2, tenant=OTHERS))) == (30, 10)
        assert engine.verify(INDEX, 2) == []

    def test_the_tenant_is_part_of_what_a_revision_holds(self, engine: Engine) -> None:
        candidates = [
            engine.stage(f"index-{tenant}", None, 1, Delta(table([Passage("a.md", "golden", tenant=tenant)], 1)), BM25, DIMENSION, None)
            for tenant in (DEFAULT_TENANT, OTHERS)
        ]
        assert candidates[0].content != candidates[1].content
        for candidate in candidates:
            candidate.discard()
