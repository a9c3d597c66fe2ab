"""Whoever else is in the index, and whatever they hold: somebody of a tenant is answered the same, to the last bit of every score."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import JsonValue as Json

from search_index.answering.context import answer_context
from search_index.engine.embedded import EmbeddedEngine
from search_index.errors import PlumblineError
from search_index.fusion import Feedback, Ranking
from search_index.model.context import ContextRequest
from search_index.model.search import EVERYONE, Principal, ReleaseRef, SearchRequest
from search_index.model.tenant import DEFAULT_TENANT
from search_index.searcher import Searcher
from tests.search_index.answering.corpus import Encoder
from tests.search_index.engine.points import INDEX, OTHERS, WORDS, Passage, published

RELEASE = ReleaseRef(revision=1, index=INDEX, run_id="run", published_at=None)
RANKINGS = [
    Ranking(depth=4),
    Ranking(depth=4, method="rrf"),
    Ranking(depth=6, feedback=Feedback(top=3, share=0.5), verbatim=0.5),
    Ranking(depth=100, feedback=Feedback(top=5, share=0.4)),
]
TEXTS = st.lists(st.sampled_from(WORDS), min_size=1, max_size=9).map(" ".join)
METADATA = st.dictionaries(
    st.sampled_from(["kind", "pages", "on"]), st.sampled_from(["kind1", "2020-01-01", "2021-06-30", 3, 7.5, True]), max_size=3
)


def documents_of(tenant: str) -> st.SearchStrategy[list[Passage]]:
    """A few documents of some parts each; both tenants' have the same words, the same paths and fields of the same names."""
    part = st.tuples(TEXTS, METADATA, st.sampled_from([(EVERYONE,), ("board",), (EVERYONE, "board")]))
    source = "wiki" if tenant == DEFAULT_TENANT else "their_wiki"

    def made(documents: list[list[tuple[str, dict[str, str | int | float | bool], tuple[str, ...]]]]) -> list[Passage]:
        return [
            Passage(f"{number}.md", text, source, access=access, metadata=dict(parts[0][1]), ordinal=ordinal, tenant=tenant)
            for number, parts in enumerate(documents)
            for ordinal, (text, _, access) in enumerate(parts)
        ]

    return st.lists(st.lists(part, min_size=1, max_size=3), max_size=8).map(made)


QUESTION = st.fixed_dictionaries(
    {"query": TEXTS, "neighbours": st.integers(0, 1), "diversity": st.sampled_from([0.0, 0.5])},
    optional={
        "filters": st.sampled_from(
            [
                {"metadata": {"kind": "kind1"}},
                {"metadata": {"on": {"gte": "2020-06-01"}}},
                {"sources": ["wiki"]},
                {"sources": ["their_wiki"]},
            ]
        )
    },
)
MORE = st.fixed_dictionaries(
    {"limit": st.integers(1, 12), "offset": st.integers(0, 6), "explain": st.booleans(), "highlight": st.booleans()},
    optional={"group_by": st.just("document"), "facets": st.just(["source", "modified_at.year", "metadata.pages"])},
)


@contextmanager
def over(folder: Path, passages: Sequence[Passage]) -> Iterator[Searcher]:
    """A searcher over an index of these passages, whose ranking is set by whoever asks."""
    try:
        engine = EmbeddedEngine(folder)
        published(engine, None, 1, passages)
        with closing(engine.open(INDEX, 1)) as reader:
            yield Searcher(reader, Encoder(), Ranking())
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def told(searcher: Searcher, ranking: Ranking, question: dict[str, object], more: dict[str, object], groups: frozenset[str]) -> list[Json]:
    """All that the tenant is told in every mode, errors too, but how long it took."""
    who, asking = Principal(groups=groups), Searcher(searcher.reader, Encoder(), ranking)
    said: list[Json] = []
    for mode in ("hybrid", "dense", "sparse"):
        try:
            asked = SearchRequest.model_validate({**question, **more, "mode": mode})
            said.append(asking.search(asked, RELEASE, who).model_dump(mode="json", exclude={"took_ms"}))
            context = ContextRequest.model_validate({**question, "mode": mode, "budget": 500})
            said.append(answer_context(asking, context, RELEASE, who).model_dump(mode="json", exclude={"took_ms"}))
        except PlumblineError as refused:
            said.append([type(refused).__name__, refused.what, refused.remedy])
    return said


def holds(
    folder: Path,
    mine: list[Passage],
    theirs: list[Passage],
    asked: list[tuple[Ranking, dict[str, object], dict[str, object], frozenset[str]]],
) -> None:
    """Make sure that every question is answered the same with and without ``theirs``."""
    with over(folder / "alone", mine) as alone, over(folder / "beside", [*theirs, *mine]) as beside:
        for ranking, question, more, groups in asked:
            assert told(beside, ranking, question, more, groups) == told(alone, ranking, question, more, groups)


ASKED = st.lists(
    st.tuples(st.sampled_from(RANKINGS), QUESTION, MORE, st.sampled_from([frozenset({EVERYONE}), frozenset({EVERYONE, "board"})])),
    min_size=2, max_size=6,
)  # fmt: skip
_QUIET = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]


@settings(max_examples=4, deadline=None, suppress_health_check=_QUIET, derandomize=True)
@given(mine=documents_of(DEFAULT_TENANT), theirs=documents_of(OTHERS), asked=ASKED)
def test_answers_are_the_same_bits_with_and_without_others(
    tmp_path: Path,
    mine: list[Passage],
    theirs: list[Passage],
    asked: list[tuple[Ranking, dict[str, object], dict[str, object], frozenset[str]]],
) -> None:
    holds(tmp_path, mine, theirs, asked)


@pytest.mark.slow
@settings(max_examples=12 * int(os.environ.get("PLUMBLINE_ROUNDS", "3")), deadline=None, suppress_health_check=_QUIET)
@given(mine=documents_of(DEFAULT_TENANT), theirs=documents_of(OTHERS), asked=ASKED)
def test_and_so_they_are_in_many_more_cases(
    tmp_path: Path,
    mine: list[Passage],
    theirs: list[Passage],
    asked: list[tuple[Ranking, dict[str, object], dict[str, object], frozenset[str]]],
) -> None:
    holds(tmp_path, mine, theirs, asked)
