"""What every engine has to pass, of what it answers within one revision."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from search_index.bm25 import Bm25Settings, query_weights, tokenize
from search_index.engine.interface import Delta, Engine, Visibility
from search_index.model.search import EVERYONE, Filters
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
            shrink = settings.k1 * (1 - settings.b + settings.b * len(terms) / settings.avgdl[passage.tenant])
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


class AnswersConformance:
    """Arms, access and filters. A subclass gives the fixture ``engine``."""

    FIRST = passages(40)

    @pytest.fixture
    def engine(self) -> Engine:
        raise NotImplementedError

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

    def test_scores_of_given_points_are_the_arms_own_bits(self, engine: Engine) -> None:
        published(engine, None, 1, self.FIRST)
        query = vector_of("a query")
        with opened(engine, 1) as reader:
            near, worded = reader.dense(query, seen_at(1), 40), sparse(reader, QUERY, seen_at(1))
            asked = query_weights(QUERY, reader.statistics(1, DEFAULT_TENANT))
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
                seen = Visibility(1, DEFAULT_TENANT, frozenset(groups))
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
            ({"metadata": {"year": {"gte": 2021}}}, "b"),
            ({"metadata": {"year": {"gte": 2020, "lt": 2021}}}, "ac"),
            ({"metadata": {"year": {"gt": 2020}}}, "b"),
            ({"metadata": {"year": {"lte": 2020.5}}}, "ac"),
            ({"metadata": {"score": {"gt": 1.5}}}, ""),
            ({"metadata": {"lang": {"gte": 0}}}, "d"),
            ({"metadata": {"lang": {"any": ["de", 7]}}}, "bd"),
            ({"metadata": {"lang": {"any": []}}}, ""),
            ({"metadata": {"lang": {"none": ["en"]}}}, "bd"),
            ({"metadata": {"year": {"none": [2020]}}}, "bd"),
            ({"metadata": {"year": {"none": [2020], "exists": True}}}, "b"),
            ({"metadata": {"draft": {"none": [True]}}}, "bcd"),
            ({"metadata": {"tags": {"none": ["y"]}}}, "bcd"),
            ({"metadata": {"year": {"exists": True}}}, "abc"),
            ({"metadata": {"year": {"exists": False}}}, "d"),
            ({"metadata": {"absent": {"exists": True}}}, ""),
            ({"metadata": {"absent": {"exists": False}}}, "abcd"),
            ({"metadata": {"draft": {"exists": True}, "year": {"lt": 2021}}}, "a"),
        ],
    )  # fmt: skip
    def test_filters(self, engine: Engine, filters: dict[str, object], expected: str) -> None:
        published(engine, None, 1, FILTERED)
        seen = seen_at(1, filters=Filters.model_validate(filters))
        with opened(engine, 1) as reader:
            for found in (sparse(reader, "golden", seen), reader.dense(vector_of("x"), seen, 10)):
                assert "".join(sorted(text[-1] for text in texts(reader, found))) == expected
            assert reader.count(seen) == len(expected)

    def test_documents_are_those_with_a_visible_passage(self, engine: Engine) -> None:
        hidden = Passage("hidden.md", "golden", access=("board",))
        parts = [Passage("long.md", f"golden part {number}", ordinal=number) for number in range(3)]
        published(engine, None, 1, [*FILTERED, *parts, hidden])
        published(engine, 1, 2, [Passage("later.md", "golden")], [FILTERED[0].point(1)])
        with opened(engine, 2) as reader:
            assert reader.documents(seen_at(1)) == sorted({p.document for p in (*FILTERED, *parts)})
            assert reader.documents(seen_at(1, "board")) == [hidden.document]
            assert reader.documents(seen_at(1, excluded=[parts[0].document])) == sorted({p.document for p in FILTERED})
            assert reader.documents(seen_at(1, filters=Filters(sources=["wiki"]))) == sorted({p.document for p in FILTERED[:2]})
            assert FILTERED[0].document not in reader.documents(seen_at(2))
            assert reader.documents(Visibility(1, DEFAULT_TENANT, frozenset())) == []
            facts = reader.facts(1)
            assert {facts[p.document].source for p in FILTERED[:2]} == {"wiki"}
            assert facts[FILTERED[0].document].metadata == FILTERED[0].metadata
            assert (facts[FILTERED[0].document].modified_ts, facts[FILTERED[3].document].modified_ts) == (100, None)
            assert FILTERED[0].document not in reader.facts(2)
            assert {"lang", "year", "draft"} <= set(reader.metadata_fields)

    def test_passages_of_a_document_are_found_by_their_place(self, engine: Engine) -> None:
        parts = [Passage("long.md", f"part {number}", ordinal=number) for number in range(12)]
        barred = Passage("long.md", "part 12", ordinal=12, access=("board",))
        published(engine, None, 1, [*parts, barred, Passage("other.md", "part", ordinal=5)])
        with opened(engine, 1) as reader:
            found = reader.find(seen_at(1), document_id=parts[0].document, ordinals=(4, 6))
            assert [payload["text"] for payload in found] == ["part 4", "part 5", "part 6"]
            assert [p["ordinal"] for p in reader.find(seen_at(1), document_id=parts[0].document, ordinals=(11, 13))] == [11]

    def test_a_documents_chunks_come_in_order(self, engine: Engine) -> None:
        parts = [Passage("long.md", f"part {number}", ordinal=number) for number in range(12)]
        published(engine, None, 1, [*reversed(parts), *self.FIRST])
        with opened(engine, 1) as reader:
            assert [payload["ordinal"] for payload in reader.find(seen_at(1), document_id=parts[0].document)] == list(range(12))
