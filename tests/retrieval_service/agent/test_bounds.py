"""An answer is bounded by searches, time and tokens, whatever is asked."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retrieval_service.agent.executing import explore
from retrieval_service.agent.interleaving import Lane, interleaved
from retrieval_service.agent.searching import Searches
from search_index.deadline import NEVER, Deadline
from search_index.errors import ArmsUnavailable, FilterInvalid
from search_index.model.agent import AgentRequest
from search_index.model.search import SearchAnswer, SearchRequest
from tests.retrieval_service.agent.library import Library, documents, done

QUESTION = "How did the load on Sand Bridge, Otter Bridge and Mill Viaduct change between 2021 and 2023?"


@dataclass(frozen=True)
class _AfterAsking(Deadline):
    """Passes with the search that is the last one allowed."""

    asked: list[SearchRequest] = field(default_factory=list)
    most: int = 0

    @property
    def passed(self) -> bool:
        return len(self.asked) >= self.most

    def sooner(self, milliseconds: float | None) -> Deadline:
        return self


@pytest.mark.parametrize("steps", [1, 2, 3, 5, 8, 32])
def test_no_more_searches_than_were_allowed(library: Library, steps: int) -> None:
    asked: list[SearchRequest] = []
    found, trace = library.explore(QUESTION, steps=steps, before=asked.append)
    assert len(asked) <= steps
    assert len([step for step in trace if step.query is not None]) == len(asked)
    assert [step.number for step in trace] == list(range(1, len(trace) + 1))
    assert found.hits
    assert found.stopped == ("complete" if steps >= 8 else "steps")


def test_time_that_is_over_ends_it_with_what_there_is(library: Library) -> None:
    for searches in (2, 4, 6):
        asked: list[SearchRequest] = []
        found, trace = library.explore(QUESTION, deadline=_AfterAsking(asked=asked, most=searches), before=asked.append)
        assert found.stopped == "deadline"
        assert len(asked) == searches
        assert [step for step in trace if step.query][-1].decided == "not answered: deadline-exceeded"
        assert found.hits


def test_no_more_tokens_than_were_allowed(library: Library) -> None:
    found, _ = library.explore(QUESTION, budget=25)
    assert sum(len(hit.text.split()) for hit in found.hits) == found.tokens <= 25
    assert found.stopped == "tokens"
    assert [hit.rank for hit in found.hits] == list(range(1, len(found.hits) + 1))


def test_the_same_question_has_the_same_answer(library: Library) -> None:
    (one, trace), (other, again) = library.explore(QUESTION), library.explore(QUESTION)
    assert done(trace) == done(again)
    assert [hit.model_dump() for hit in one.hits] == [hit.model_dump() for hit in other.hits]


@pytest.mark.parametrize(
    "question",
    [
        "A" * 4000,
        "Sand Bridge " * 333,
        "Sand" + " " * 3990 + "Bridge",
        "\0 \u202e \ufeff Sand\u0301 Bridge?",
        "' OR 1=1 --; {$gt: 0} */ ../../etc/passwd %00",
        "and how, and what; versus? " * 140,
        "北京大桥的荷载在2021年和2023年之间如何变化",
        "((((((((((" * 400,
        "2021 2022 2023 Q1 Q2 Q3 Q4 Q1 2021 2.18 2.19 2.20 latest every",
        ".",
    ],
)
def test_nothing_that_is_asked_breaks_it(library: Library, question: str) -> None:
    asked: list[SearchRequest] = []
    began = time.process_time()
    found, _ = library.explore(question, before=asked.append, limit=5)
    assert time.process_time() - began < 5
    assert len(asked) <= 12
    assert len(found.hits) <= 5


@given(question=st.text(min_size=1, max_size=200).filter(lambda text: text.strip()))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_breaks_it(library: Library, question: str) -> None:
    found, trace = library.explore(question, mode="sparse")
    assert len(found.hits) <= 10
    assert trace


@pytest.mark.parametrize("limit", [1, 2, 7, 50])
def test_no_passage_twice_and_not_more_than_asked_for(library: Library, limit: int) -> None:
    found, _ = library.explore(QUESTION, limit=limit, budget=100_000)
    assert len({hit.chunk_id for hit in found.hits}) == len(found.hits) <= limit
    assert [hit.rank for hit in found.hits] == list(range(1, len(found.hits) + 1))


def answered(library: Library, fails_at: int, error: Exception) -> tuple[list[str], Searches, str]:
    count = 0

    async def ask(request: SearchRequest) -> SearchAnswer:
        nonlocal count
        count += 1
        if count == fails_at:
            raise error
        return library.ask(request)

    searches = Searches(AgentRequest(query=QUESTION, steps=32), ask, NEVER)
    found = asyncio.run(explore(searches, len))
    return documents(found), searches, found.stopped


@pytest.mark.parametrize("fails_at", range(2, 8))
def test_a_later_search_that_fails_costs_only_itself(library: Library, fails_at: int) -> None:
    found, searches, stopped = answered(library, fails_at, ArmsUnavailable("No arm answered: secret of a passage."))
    assert found
    assert stopped == "failed"
    assert [step.decided for step in searches.trace if "not answered" in step.decided] == ["not answered: arms-unavailable"]
    assert "secret" not in repr(searches.trace)


def test_what_the_first_search_meets_the_caller_meets(library: Library) -> None:
    with pytest.raises(FilterInvalid):
        answered(library, 1, FilterInvalid("There is no such field."))
    with pytest.raises(FilterInvalid):
        library.explore(QUESTION, filters={"metadata": {"absent": 1}})


def test_lanes_take_turns_by_their_share(library: Library) -> None:
    hits = library.ask(SearchRequest(query="load piers bridge step toll decided", mode="sparse", limit=12)).hits
    assert len(hits) == 12
    taken, left_out = interleaved([Lane(hits[:6], 2), Lane(hits[6:], 1)], 6, lambda _: True)
    assert [hits.index(next(hit for hit in hits if hit.chunk_id == each.chunk_id)) for each in taken] == [0, 6, 1, 2, 7, 3]
    assert not left_out
    assert interleaved([Lane(hits, 1), Lane(hits, 1)], 50, lambda _: True)[0] == [
        hit.model_copy(update={"rank": rank}) for rank, hit in enumerate(hits, start=1)
    ]
