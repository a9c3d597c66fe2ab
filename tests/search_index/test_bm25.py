"""Terms, their weights and the statistics behind IDF."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pytest
from rank_bm25 import BM25Okapi

from search_index.bm25 import (
    Bm25Settings,
    TermCounts,
    TermStatistics,
    count_terms,
    document_weights,
    query_weights,
    term_id,
    tokenize,
)

TEXTS = ["the gate holds", "a gate and a ledger", "ledgers and ledgers and pointers", "nothing of the kind"]


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("The gates were passing", ["gate", "were", "pass"]),
        ("RELEASES Released releasing", ["releas", "releas", "releas"]),
        ("version v1.2.3 of 2024-05-01 costs 1,299.50", ["version", "v1.2.3", "2024-05-01", "cost", "1,299.50"]),
        ("max_depth __init__", ["max_depth", "max", "depth", "init"]),
        ("COVID-19, don't e-mail", ["covid", "19", "don", "e", "mail"]),
        ("naïve Ｆｕｌｌ ﬁle Straße", ["naïv", "full", "file", "straße"]),
        ("日本語 text", ["日本", "本語", "text"]),
        ("水", ["水"]),
        ("한국어 문장", ["한국어", "문장"]),
        ("the of and to", []),
        ("?! … —", []),
        ("", []),
    ],
)
def test_terms(text: str, terms: list[str]) -> None:
    assert tokenize(text) == terms


def test_another_language_has_its_own_stems() -> None:
    assert tokenize("Häuser", "german") == ["haus"]
    assert tokenize("the gates", "german")[0] == "the"
    with pytest.raises(KeyError):
        tokenize("words", "klingon")


def test_a_very_long_word_takes_no_longer_than_its_length() -> None:
    assert len(tokenize("x1" * 200_000)) == 1


def test_stemming_is_the_same_from_many_threads() -> None:
    words = [f"{stem}{end}{number}" for number in range(50) for stem in ("releas", "gat", "index") for end in ("es", "ing", "ed")]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: tokenize(" ".join(words)), range(16)))
    assert all(terms == found[0] for terms in found)


def test_a_terms_dimension_never_changes() -> None:
    # Stored vectors depend on it: another number here means that every index has to be built anew.
    assert (term_id("gate"), term_id("日本")) == (1231469874, 3135195086)


def test_terms_are_counted_in_order_of_id() -> None:
    counts = count_terms("gate ledger gates gate")
    assert counts.ids.tolist() == sorted([term_id("gate"), term_id("ledger")])
    assert counts.counts[counts.ids == term_id("gate")].tolist() == [3]
    assert counts.length == 4
    assert count_terms("").length == 0


def test_a_passage_of_mean_length_is_weighted_by_k1_alone() -> None:
    ids, weights = document_weights(count_terms("gate gate ledger"), Bm25Settings({"default": 3}, k1=1.2), "default")
    assert weights[ids == term_id("gate")] == pytest.approx(2 * 2.2 / 3.2)
    assert weights.dtype == np.float32


def test_settings_have_a_fingerprint_of_all_they_say() -> None:
    prints = [
        Bm25Settings({"default": 8.0}),
        Bm25Settings({"default": 8.0}, k1=1.3),
        Bm25Settings({"default": 8.0}, b=0.7),
        Bm25Settings({"default": 8.5}),
        Bm25Settings({"default": 8.0, "north": 8.0}),
        Bm25Settings({"default": 8.0}, language="german"),
    ]
    assert len({settings.fingerprint for settings in prints}) == 6
    assert Bm25Settings({"default": 8.0}).fingerprint == Bm25Settings({"default": 8.0}).fingerprint


def test_tenants_may_come_into_settings_and_nothing_else_may_change() -> None:
    before = Bm25Settings({"default": 8.0})
    assert before.follows(before)
    assert Bm25Settings({"default": 8.0, "north": 5.0}).follows(before)
    assert not before.follows(Bm25Settings({"default": 8.0, "north": 5.0})), "the weights of a tenant were made with its average"
    assert not Bm25Settings({"default": 8.1, "north": 5.0}).follows(before)
    assert not Bm25Settings({"default": 8.0, "north": 5.0}, k1=1.3).follows(before)


def statistics() -> TermStatistics:
    return TermStatistics.empty().updated([count_terms(text) for text in TEXTS])


def test_idf_is_lucenes() -> None:
    ids = np.array([term_id("gate"), term_id("pointer"), term_id("unheard")], np.uint32)
    assert statistics().idf(ids).tolist() == pytest.approx([math.log(1 + 2.5 / 2.5), math.log(1 + 3.5 / 1.5), 0.0])


def test_idf_is_never_negative() -> None:
    everywhere = TermStatistics.empty().updated([count_terms("gate")] * 10)
    assert everywhere.idf(np.array([term_id("gate")], np.uint32))[0] > 0


def test_statistics_after_a_change_are_those_of_a_recount() -> None:
    counts = [count_terms(text) for text in TEXTS]
    changed = statistics().updated([count_terms("a new gate")], [counts[0], counts[2]])
    recount = TermStatistics.empty().updated([counts[1], counts[3], count_terms("a new gate")])
    assert changed.digest == recount.digest != statistics().digest
    assert changed.average_length == recount.average_length
    assert changed.updated([], [counts[1], counts[3], count_terms("a new gate")]).digest == TermStatistics.empty().digest


def test_statistics_of_a_table_are_those_of_its_rows() -> None:
    counts = [count_terms(text) for text in TEXTS]
    lists = {
        "term_ids": pa.chunked_array([[one.ids.tolist()] for one in counts], pa.list_(pa.uint32())),
        "term_counts": pa.chunked_array([[one.counts.tolist()] for one in counts], pa.list_(pa.uint32())),
    }
    table = pa.table(lists)
    assert TermStatistics.empty().updated(table).digest == statistics().digest
    assert TermStatistics.empty().updated(table.slice(1, 2)).digest == TermStatistics.empty().updated(counts[1:3]).digest
    assert statistics().updated([], table).documents == 0


@pytest.mark.parametrize("removed", [[count_terms("unheard")], [count_terms("gate")] * 3])
def test_no_more_can_be_removed_than_there_was(removed: list[TermCounts]) -> None:
    with pytest.raises(ValueError, match="more passages"):
        statistics().updated([], removed)


def test_a_querys_unknown_terms_are_dropped_and_repeated_ones_count() -> None:
    ids, weights = query_weights("gate gates unheard ledger", statistics())
    assert set(ids.tolist()) == {term_id("gate"), term_id("ledger")}
    assert weights[ids == term_id("gate")] == pytest.approx(2 * statistics().idf(np.array([term_id("gate")], np.uint32)))
    assert len(query_weights("unheard", statistics())[0]) == len(query_weights("gate", TermStatistics.empty())[0]) == 0


def test_one_term_orders_passages_as_rank_bm25_does() -> None:
    drawn = np.random.default_rng(0)
    texts = [" ".join(drawn.choice(["gate", "ledger", "pointer", "segment"], size=drawn.integers(2, 20))) for _ in range(40)]
    counts = [count_terms(text) for text in texts]
    known = TermStatistics.empty().updated(counts)
    settings = Bm25Settings({"default": known.average_length})
    yardstick = BM25Okapi([tokenize(text) for text in texts], k1=1.2, b=0.75)
    for word in ("gate", "segment"):
        asked = dict(zip(*(side.tolist() for side in query_weights(word, known)), strict=True))
        ours = [
            sum(asked.get(term, 0) * weight for term, weight in zip(*document_weights(one, settings, "default"), strict=True))
            for one in counts
        ]
        theirs = yardstick.get_scores(tokenize(word)) / yardstick.idf[tokenize(word)[0]]
        assert ours == pytest.approx(theirs * asked[term_id(tokenize(word)[0])], abs=1e-5)
