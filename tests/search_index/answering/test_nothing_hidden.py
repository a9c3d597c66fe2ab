"""Whoever asks, and whatever for: no id, text or count of what they may not read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_index.answering.context import answer_context
from search_index.engine.embedded import EmbeddedEngine
from search_index.errors import FilterInvalid
from search_index.fusion import Ranking
from search_index.model.context import ContextRequest
from search_index.model.search import Principal, ReleaseRef, SearchRequest
from search_index.searcher import Searcher
from tests.search_index.answering.corpus import Encoder
from tests.search_index.engine.points import INDEX, Passage, published

GROUPS = ("everyone", "a", "b", "c", "d")
_DRAWN = np.random.default_rng(7)


def _passage(number: int) -> Passage:
    """One of a few parts of a document; every part has a word of its own, and may be read by others than its neighbours."""
    document = number // 3
    access = tuple(sorted(group for group in GROUPS if _DRAWN.random() < 0.3))
    return Passage(
        f"{document}.md", f"golden common word and secret{number:03d}", f"s{document % 3}", access=access, ordinal=number % 3,
        metadata={"kind": f"kind{document % 4}", "only": f"value{document}", **({f"field{document}": 1} if document % 5 == 0 else {})},
    )  # fmt: skip


PASSAGES = [_passage(number) for number in range(90)]


@pytest.fixture(scope="module")
def searcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Searcher]:
    engine = EmbeddedEngine(tmp_path_factory.mktemp("hidden"))
    published(engine, None, 1, PASSAGES)
    with closing(engine.open(INDEX, 1)) as reader:
        yield Searcher(reader, Encoder(), Ranking(depth=8))


OPTIONS = st.fixed_dictionaries(
    {
        "query": st.sampled_from(["golden common word", *(passage.text for passage in PASSAGES[::9])]),
        "mode": st.sampled_from(["hybrid", "dense", "sparse"]),
        "diversity": st.sampled_from([0.0, 0.6]),
        "neighbours": st.integers(0, 2),
        "filters": st.fixed_dictionaries(
            {"sources": st.lists(st.sampled_from(["s0", "s1", "s2"]), max_size=2, unique=True)},
            optional={
                "metadata": st.sampled_from([{"kind": "kind1"}, {"only": {"none": ["value3"]}}, {"field5": {"gte": 0}}, {"nope": 1}])
            },
        ),
    }
)
MORE = st.fixed_dictionaries(
    {
        "limit": st.integers(1, 60),
        "offset": st.integers(0, 40),
        "highlight": st.booleans(),
        "explain": st.booleans(),
        "facets": st.lists(
            st.sampled_from(["source", "modified_at.year", "metadata.kind", "metadata.only", "metadata.field5"]), max_size=2, unique=True
        ),
        "facet_limit": st.just(100),
    },
    optional={"group_by": st.just("document"), "group_size": st.integers(1, 3)},
)


def _said(text: str) -> set[str]:
    return set(re.findall(r"secret\d{3}", text))


@settings(max_examples=250, deadline=None)
@given(
    groups=st.frozensets(st.sampled_from(GROUPS)),
    excluded=st.frozensets(st.sampled_from([passage.document for passage in PASSAGES]), max_size=4),
    options=OPTIONS,
    more=MORE,
)
def test_no_answer_holds_what_may_not_be_read(
    searcher: Searcher, groups: frozenset[str], excluded: frozenset[str], options: dict[str, object], more: dict[str, object]
) -> None:
    seen = [passage for passage in PASSAGES if groups & set(passage.access) and passage.document not in excluded]
    words = {f"secret{PASSAGES.index(passage):03d}" for passage in seen}
    ids = {passage.chunk for passage in seen}
    documents = {passage.document: passage for passage in seen}
    who, release = Principal(groups=groups), ReleaseRef(revision=1, index=INDEX, run_id="r", published_at=None)
    query = str(options["query"])
    try:
        answer = searcher.search(SearchRequest.model_validate({**options, **more}), release, who, excluded)
        context = answer_context(searcher, ContextRequest.model_validate({**options, "budget": 3000}), release, who, excluded)
    except FilterInvalid as refused:
        visible = {field for passage in seen for field in passage.metadata}
        listed = set(re.findall(r"\bfield\d+|\bonly\b|\bkind\b", refused.remedy))
        assert listed <= visible
        return
    assert _said(answer.model_dump_json(exclude={"query"})) <= words | _said(query)
    for hit in answer.hits:
        assert hit.chunk_id in ids
        assert {neighbour.chunk_id for neighbour in hit.neighbours or []} <= ids
        assert _said(hit.text) <= words
    assert _said(context.text) <= words
    assert {chunk for cited in context.passages for chunk in cited.chunk_ids} <= ids
    assert {dropped.chunk_id for dropped in context.dropped} <= ids
    for name, facet in (answer.facets or {}).items():
        assert facet.documents + facet.missing <= len(documents)
        for value in facet.values:
            having = [
                p for p in documents.values() if name == "source" or name.startswith("modified") or value.value in p.metadata.values()
            ]
            assert value.documents <= len(having)
            if name == "source":
                assert value.value in {passage.source for passage in seen}
            if name == "metadata.only":
                assert value.value in {passage.metadata["only"] for passage in seen}
