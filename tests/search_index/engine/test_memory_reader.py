"""The passages in memory: they answer as the engine that they were copied from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_index.bm25 import query_weights
from search_index.engine.embedded import EmbeddedEngine
from search_index.engine.interface import IndexReader, Visibility
from search_index.engine.memory_reader import MemoryReader, in_memory
from search_index.errors import NotInMemory, RevisionUnknown
from search_index.model.filters import Filters
from search_index.model.search import EVERYONE
from search_index.model.tenant import DEFAULT_TENANT
from tests.search_index.engine.points import INDEX, OTHERS, QUERY, WORDS, Passage, passages, published, seen_at, sparse, texts, vector_of

GROUPS = (EVERYONE, "board", "audit")
VALUES: list[object] = ["en", "de", 7, 7.5, True, False, ["en", "x"], ["x"], []]


def varied(count: int) -> list[Passage]:
    """Passages of several tenants, groups, sources, times and metadata, so that every condition parts them."""
    drawn = np.random.default_rng(3)
    made = []
    for number, plain in enumerate(passages(count, seed=5)):
        access = tuple(group for group in GROUPS if drawn.random() < 0.5)
        metadata = {"lang": VALUES[drawn.integers(len(VALUES))], "odd key.": str(number % 3), "year": 2019 + number % 4}
        if number % 5 == 0:
            metadata.pop("year")
        made.append(
            Passage(
                plain.path,
                plain.text,
                source=("manual", "wiki")[number % 2],
                access=access,
                modified_ts=None if number % 7 == 0 else 100.0 * (number % 6),
                metadata=metadata,  # type: ignore[arg-type]
                tenant=OTHERS if number % 3 == 0 else DEFAULT_TENANT,
            )
        )
    return [*made, *(Passage("long.md", f"golden part {n}", ordinal=n) for n in range(6))]


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IndexReader]:
    engine = EmbeddedEngine(tmp_path_factory.mktemp("memory"))
    published(engine, None, 1, varied(120))
    gone = [passage for passage in varied(120)[:20] if passage.access]
    published(engine, 1, 2, [Passage("later.md", "golden ledger of later")], [passage.point(1) for passage in gone])
    with closing(engine.open(INDEX, 2)) as opened:
        yield opened


@pytest.fixture(scope="module")
def copied(reader: IndexReader) -> MemoryReader:
    return in_memory(reader, 2, most=1000)


def same(copied: MemoryReader, reader: IndexReader, query: str, seen: Visibility, limit: int) -> None:
    mine, theirs = sparse(copied, query, seen, limit), sparse(reader, query, seen, limit)
    assert np.allclose(mine.scores, theirs.scores, rtol=1e-5)
    scores = dict(zip(sparse(reader, query, seen, 1000).ids, sparse(reader, query, seen, 1000).scores.tolist(), strict=True))
    assert [scores[point] for point in mine.ids] == pytest.approx(theirs.scores.tolist(), rel=1e-5)  # ties may change places
    weights = query_weights(query, reader.statistics(2, seen.tenant))
    assert np.allclose(copied.sparse_scores(*weights, mine.ids), reader.sparse_scores(*weights, mine.ids), rtol=1e-5)
    assert copied.count(seen) == reader.count(seen)
    assert copied.documents(seen) == reader.documents(seen)


CONDITIONS = st.one_of(
    st.sampled_from(["en", "de", "x", "absent"]),
    st.sampled_from([7, 7.5, 1, True, False]),
    st.lists(st.sampled_from(["en", 7, True]), min_size=1, max_size=3),
    st.fixed_dictionaries({"gte": st.sampled_from([7, 2020])}, optional={"lt": st.sampled_from([7.2, 2021])}),
    st.fixed_dictionaries({"gt": st.sampled_from([7, 2020])}, optional={"lte": st.sampled_from([7.5, 2021])}),
    st.fixed_dictionaries({"any": st.lists(st.sampled_from(["en", 7, False]), max_size=2)}),
    st.fixed_dictionaries({"none": st.lists(st.sampled_from(["x", 7, False]), min_size=1, max_size=2)}),
    st.fixed_dictionaries({"exists": st.booleans()}),
)
FILTERS = st.fixed_dictionaries(
    {},
    optional={
        "sources": st.lists(st.sampled_from(["wiki", "manual", "nowhere"]), max_size=2),
        "documents": st.lists(st.sampled_from([p.uri for p in varied(8)] + [p.document for p in varied(8)]), min_size=1, max_size=4),
        "modified_from": st.sampled_from(["1970-01-01T00:03:20Z", "1970-01-01T00:05:00Z"]),
        "modified_to": st.sampled_from(["1970-01-01T00:03:20Z", "1970-01-01T00:06:40Z"]),
        "metadata": st.dictionaries(st.sampled_from(["lang", "year", "odd key.", "absent"]), CONDITIONS, max_size=2),
    },
)


@settings(max_examples=150, deadline=None)
@given(
    query=st.lists(st.sampled_from([*WORDS, "part", "unheard"]), min_size=1, max_size=5).map(" ".join),
    groups=st.sets(st.sampled_from([*GROUPS, "guest"])),
    tenant=st.sampled_from([DEFAULT_TENANT, OTHERS, "nobody"]),
    excluded=st.sets(st.sampled_from([p.document for p in varied(120)[20:40]]), max_size=5),
    filters=FILTERS,
    limit=st.integers(1, 200),
)
def test_it_answers_as_the_engine_whatever_is_asked(
    copied: MemoryReader,
    reader: IndexReader,
    query: str,
    groups: set[str],
    tenant: str,
    excluded: set[str],
    filters: dict[str, object],
    limit: int,
) -> None:
    seen = Visibility(2, tenant, frozenset(groups), Filters.model_validate(filters), frozenset(excluded))
    same(copied, reader, query, seen, limit)


def test_another_order_of_values_or_another_principal_is_not_given_what_was_kept(copied: MemoryReader) -> None:
    counts = {(tenant, group): copied.count(seen_at(2, group, tenant=tenant)) for tenant in (DEFAULT_TENANT, OTHERS) for group in GROUPS}
    assert len(set(counts.values())) > 3
    assert counts == {key: copied.count(seen_at(2, key[1], tenant=key[0])) for key in counts}


def test_what_is_found_by_its_place_is_what_the_engine_finds(copied: MemoryReader, reader: IndexReader) -> None:
    long = Passage("long.md", "golden part 0")
    seen = seen_at(2)
    for ordinals in (None, (2, 4), (5, 9)):
        assert copied.find(seen, document_id=long.document, ordinals=ordinals) == reader.find(
            seen, document_id=long.document, ordinals=ordinals
        )
    assert copied.find(seen, chunk_id=long.chunk) == reader.find(seen, chunk_id=long.chunk) != []
    assert copied.find(seen) == []
    assert copied.find(seen_at(2, "guest"), chunk_id=long.chunk) == []
    assert copied.facts(2).keys() <= reader.facts(2).keys()
    assert (copied.content, copied.bm25, copied.directory_revision) == (reader.content, reader.bm25, 2)


def test_nobody_changes_what_is_kept(copied: MemoryReader) -> None:
    found = sparse(copied, QUERY, seen_at(2), 1)
    copied.payloads(found.ids)[found.ids[0]]["text"] = "altered"
    assert texts(copied, found) != ["altered"]


def test_it_needs_nothing_of_the_engine(tmp_path: Path) -> None:
    engine = EmbeddedEngine(tmp_path)
    published(engine, None, 1, passages(30))
    with closing(engine.open(INDEX, 1)) as reader:
        copied = in_memory(reader, 1, most=30)
        before = sparse(reader, QUERY, seen_at(1), 5)
    assert sparse(copied, QUERY, seen_at(1), 5).ids == before.ids
    assert len(texts(copied, before)) == 5


def test_what_is_not_in_memory_is_said(copied: MemoryReader, reader: IndexReader) -> None:
    with pytest.raises(RevisionUnknown, match="only release 2"):
        copied.check(1)
    with pytest.raises(RevisionUnknown):
        in_memory(reader, 3, most=1000)
    with pytest.raises(NotInMemory, match="10 at most are kept"):
        in_memory(reader, 2, most=10)
    for asked in (
        lambda: copied.dense(vector_of("x"), seen_at(2), 3),
        lambda: copied.vectors([]),
        lambda: copied.dense_scores(vector_of("x"), []),
    ):
        with pytest.raises(NotInMemory, match="no vectors"):
            asked()
