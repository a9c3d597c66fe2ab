"""How questions are taken apart, over documents of several kinds."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from retrieval_service.agent.names import Name, apart, candidates, known_as
from retrieval_service.agent.parts import asks_latest, asks_over_time, parts_of
from retrieval_service.agent.searching import narrowed
from search_index.model.filters import Filters
from search_index.model.search import SearchRequest
from tests.retrieval_service.agent.conftest import opened
from tests.retrieval_service.agent.library import OPEN, YEARS, Library, documents, report
from tests.search_index.engine.points import Passage

SAND = {f"{year}/sand-bridge.pdf" for year in YEARS}
OTTER = {f"{year}/otter-bridge.pdf" for year in YEARS}


@pytest.mark.parametrize(
    ("question", "written"),
    [
        ("How did Sand Bridge's load compare with Mill Viaduct's?", ["Sand Bridge", "Mill Viaduct"]),
        ("What does max_depth do in PipelineRunner?", ["max_depth", "PipelineRunner"]),
        ("how much does otter bridge carry?", ["much", "otter", "bridge", "carry"]),
        ("Why?", []),
    ],
)
def test_what_may_be_a_name(question: str, written: list[str]) -> None:
    assert [each.text for each in candidates(question)] == written


def test_a_name_is_known_by_where_it_stands(library: Library) -> None:
    def looked_up(text: str, total: int) -> Name | None:
        return known_as(text, library.ask(SearchRequest(query=text, mode="sparse", limit=100)).hits, total)

    name = looked_up("sand bridge", 23)
    assert name is not None and len(name.documents) == len(SAND)
    assert looked_up("load", 23) is None, "no capital anywhere"
    assert looked_up("Gold Dam", 23) is None, "nobody but the board may know"
    assert looked_up("Sand Bridge", 4) is None, "in most documents"


def test_of_two_names_of_the_same_documents_the_wider_is_kept_unless_it_is_too_wide() -> None:
    wide, narrow, other = Name("A", ("1", "2", "3")), Name("B", ("2",)), Name("C", ("9",))
    assert apart([narrow, wide, other], limit=10) == [wide, other]
    assert apart([narrow, wide, other], limit=2) == [narrow, other]
    assert apart([Name("D", ("5",), everywhere=True), other], limit=10) == [other]
    assert apart([Name("D", ("5",), everywhere=True)], limit=10)


def test_parts_and_cues() -> None:
    assert parts_of("Who pays for dredging in winter? Which cranes stand on the north quay?") == [
        "Who pays for dredging in winter?",
        "Which cranes stand on the north quay?",
    ]
    assert len(parts_of("How has the load changed, and what might this mean?")) == 1
    assert asks_over_time("How has it evolved?") and not asks_over_time("Who signs?")
    assert asks_latest("the most recent report") and not asks_latest("the report")


def test_every_document_of_a_name_is_covered(library: Library) -> None:
    found, _ = library.explore("How did the load on Sand Bridge change over time?", limit=5)
    assert set(documents(found)) >= SAND
    assert set(documents(found)[:3]) == SAND
    (aspect,) = found.aspects
    assert (aspect.name, aspect.documents) == ("Sand Bridge", 3)
    assert {hit.rank for hit in found.hits if hit.uri.partition(":")[2] in SAND} == set(aspect.hits)


def test_a_document_that_the_rest_of_the_question_does_not_find_is_asked_for_the_whole(library: Library) -> None:
    found, trace = library.explore("How did the steepness and curvature of Sand Bridge change?", mode="sparse")
    assert [step.found > 0 for step in trace if step.action == "cover"] == [True] * 3
    assert len(found.aspects[0].hits) >= 3
    assert set(documents(found)) >= SAND


def test_two_names_share_the_room(library: Library) -> None:
    found, _ = library.explore("Compare the load of Sand Bridge with that of Otter Bridge", limit=8)
    assert {each.name for each in found.aspects} == {"Sand Bridge", "Otter Bridge"}
    assert set(documents(found)) >= SAND | OTTER


def test_a_question_without_capitals_finds_them_too(library: Library) -> None:
    found, _ = library.explore("how did the load on sand bridge change", steps=20)
    assert set(documents(found)) >= SAND


def test_a_year_brings_its_document_to_the_front(library: Library) -> None:
    found, _ = library.explore("What load did Sand Bridge carry in 2022?")
    assert documents(found)[0] == "2022/sand-bridge.pdf"
    assert Counter(documents(found))["2022/sand-bridge.pdf"] == 3
    assert [each.name for each in found.aspects] == ["Sand Bridge, 2022", "Sand Bridge, other times"]


def test_the_latest_is_the_newest_of_the_name(library: Library) -> None:
    found, _ = library.explore("What is the latest load of Otter Bridge?")
    assert documents(found)[0] == "2023/otter-bridge.pdf"


def test_a_version_is_a_time(library: Library) -> None:
    found, _ = library.explore("How often does PipelineRunner try a broken step in 2.19?")
    assert documents(found)[0] == "2.19/pipelines.md"
    assert found.aspects[0].name == "PipelineRunner, 2.19"
    found, _ = library.explore("How often does PipelineRunner try a step in each version?", limit=4)
    assert {"2.18/pipelines.md", "2.19/pipelines.md", "2.20/pipelines.md"} <= set(documents(found))


def test_a_number_that_is_no_version_is_none(library: Library) -> None:
    found, _ = library.explore("Does PipelineRunner take 3.5 seconds?")
    assert [each.name for each in found.aspects] == ["PipelineRunner"]


def test_a_value_of_a_facet_narrows(library: Library) -> None:
    found, trace = library.explore("what did the harbour office decide to pay for?", mode="sparse")
    assert "department: harbour office" in {each.name for each in found.aspects}
    narrowing = [step.filters.metadata for step in trace if step.filters]
    assert narrowing == [{"department": "harbour office"}]
    assert {"0.txt", "2.txt"} <= set(documents(found)[:3])


def test_a_source_by_its_name_narrows(library: Library) -> None:
    found, trace = library.explore("which load is washed according to the kitchen notes", mode="sparse")
    assert ["kitchen"] in [step.filters.sources for step in trace if step.filters]
    assert found.hits[0].source == "kitchen"


def test_what_the_first_hits_are_of_is_followed_through_its_series(library: Library) -> None:
    found, trace = library.explore("how did the toll change?", mode="sparse", limit=3)
    assert {"2.18/pipelines.md", "2.19/pipelines.md", "2.20/pipelines.md"} == set(documents(found))
    assert "survey" in [step.action for step in trace]


def test_a_plain_question_is_answered_as_a_search_answers_it(library: Library) -> None:
    question = "the dishes are washed by hand"
    found, _ = library.explore(question, mode="sparse", limit=5)
    plain = library.ask(SearchRequest(query=question, mode="sparse", limit=5))
    assert [hit.chunk_id for hit in found.hits] == [hit.chunk_id for hit in plain.hits]
    assert found.aspects == []


def test_what_is_known_of_nothing_is_said(library: Library) -> None:
    found, trace = library.explore("What load did Sand Bridge carry in 2019?")
    assert [each.model_dump() for each in found.aspects if not each.hits] == [{"name": "Sand Bridge, 2019", "documents": 0, "hits": []}]
    assert "cover" in [step.action for step in trace]
    assert set(documents(found)) >= SAND


def test_a_document_beyond_the_first_mentions_is_looked_for(tmp_path: Path) -> None:
    chatty = [Passage("2021/long.pdf", f"Sand Bridge {number}", "reports", ordinal=number) for number in range(120)]
    with opened(
        tmp_path,
        [
            *OPEN,
            *chatty,
            *report("Sand Bridge", 2025),
            Passage("2026/sand.pdf", "In 2026 the keepers of Sand Bridge left it to the river and went away."),
        ],
    ) as library:
        found, trace = library.explore("Who kept Sand Bridge in 2026?")
    assert documents(found)[0] == "2026/sand.pdf"
    assert "cover" in [step.action for step in trace]


def test_a_field_that_the_caller_has_a_condition_on_keeps_it() -> None:
    both = narrowed(Filters(metadata={"tags": "x"}), Filters(metadata={"tags": "y", "lang": "en"}))
    assert both.metadata == {"tags": "x", "lang": "en"}  # of documents with x, those with y: to ask for y alone would be wider


def test_the_callers_own_filters_hold_in_every_search(library: Library) -> None:
    asked: list[SearchRequest] = []
    library.explore(
        "How did the load on Sand Bridge change between 2021 and 2023?",
        filters={"sources": ["reports"], "modified_from": "2020-01-01T00:00:00Z"},
        before=asked.append,
    )
    assert len(asked) == 3
    assert all(each.filters.sources == ["reports"] and each.filters.modified_from for each in asked)
    found, _ = library.explore("How did the load on Sand Bridge change?", filters={"documents": ["reports:2021/sand-bridge.pdf"]})
    assert set(documents(found)) == {"2021/sand-bridge.pdf"}
