"""From a question to hits that cover it: look, look up names, plan, search each aspect, fill gaps, and take turns."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from retrieval_service.agent.interleaving import Lane, by_document, interleaved
from retrieval_service.agent.landscape import Landscape
from retrieval_service.agent.names import MOST, Candidate, Name, apart, candidates, known_as
from retrieval_service.agent.parts import asks_latest, asks_over_time
from retrieval_service.agent.planning import Aspect, Plan, planned, times_in
from retrieval_service.agent.searching import Searches
from search_index.model.agent import Covered, Stopped
from search_index.model.search import Hit, SearchAnswer

Propose: TypeAlias = Callable[[str, Landscape, Sequence[Name]], Awaitable[tuple[Plan | None, str]]]
"""A plan by somebody else for a question, given what the caller may know of; or None, and why there is none."""
LOOK: Final = 30
"""Passages of the first search: what they are of is what is known to begin with."""
MENTIONS: Final = 100
"""Passages that are looked at to see where a name stands."""
FIELDS: Final = 6
"""Metadata fields whose values are looked at."""
VALUES: Final = 100
LONGEST_VALUE: Final = 60
GAPS: Final = 3
"""Named things at named times that are looked for where no document of them is known."""


@dataclass(frozen=True, slots=True)
class Explored:
    """What came of it. ``first`` is the plain search's answer."""

    hits: list[Hit]
    aspects: list[Covered]
    first: SearchAnswer
    stopped: Stopped
    tokens: int


async def explore(searches: Searches, count: Callable[[str], int], propose: Propose | None = None) -> Explored:
    """Answer a request.

    Args:
        searches: whose trace tells what was done.
        count: tokens of a text.
        propose: asked for a plan before the one that is made from the question alone is followed.

    Errors:
        PlumblineError: the plain search for the question could not be made.
    """
    request = searches.request
    question = " ".join(request.query.split())
    landscape = Landscape()
    first = await searches.search("search", "the question as it is", request.query, limit=max(LOOK, request.limit), facets=("source",))
    assert first is not None
    _learn_from(first, landscape)
    await _learn_fields(searches, landscape, first)
    names = await _names(searches, landscape, question)
    if not names and (times_in(question, landscape) or asks_over_time(question) or asks_latest(question)):
        survey = await searches.search("survey", "which documents there are on it", question, limit=LOOK, group_size=1)
        landscape.learn(survey.hits if survey else [])
    plan = await _plan(searches, landscape, question, names, first.hits, propose)
    found = [await _searched(searches, aspect) for aspect in plan.aspects]
    for aspect, answers in zip(plan.aspects, found, strict=True):
        await _cover(searches, aspect, answers)
    lanes = [Lane(by_document(answers), aspect.share) for aspect, answers in zip(plan.aspects, found, strict=True)]
    room = _Room(count, request.budget)
    hits, left_out = interleaved([*lanes, Lane(first.hits, 1)], request.limit, room.fits)
    stopped = "tokens" if left_out and searches.stopped == "complete" else searches.stopped
    return Explored(hits, _covered(plan, found, hits), first, stopped, room.used)


def _learn_from(first: SearchAnswer, landscape: Landscape) -> None:
    landscape.learn(first.hits)
    if first.facets is not None:
        sources = first.facets["source"]
        landscape.total = max(landscape.total, sources.documents + sources.missing)
        landscape.facets["source"] = {str(each.value): each.documents for each in sources.values}


async def _learn_fields(searches: Searches, landscape: Landscape, first: SearchAnswer) -> None:
    """Which values the metadata fields have that the first hits have."""
    values: dict[str, list[str]] = {}
    for hit in first.hits:
        for name, value in hit.metadata.items():
            values.setdefault(name, []).extend(each for each in (value if isinstance(value, list) else [value]) if isinstance(each, str))
    fields = [
        name for name, said in values.items() if said and len(name) <= LONGEST_VALUE and all(len(each) <= LONGEST_VALUE for each in said)
    ][:FIELDS]
    if not fields or searches.left < 3:
        return
    query = searches.request.query
    told = await searches.search(
        "facets", f"values of {', '.join(fields)}", query, sparse=True, limit=1, facets=tuple(f"metadata.{name}" for name in fields)
    )
    for name, facet in ((told.facets if told else None) or {}).items():
        landscape.facets[name.removeprefix("metadata.")] = {
            each.value: each.documents for each in facet.values if isinstance(each.value, str)
        }


async def _names(searches: Searches, landscape: Landscape, question: str) -> list[Name]:
    """The names in the question that the index knows. Of several words that are none together, each is tried."""
    times = times_in(question, landscape)
    waiting = [each for each in candidates(question) if not any(time.start < each.end and each.start < time.end for time in times)]
    found: list[Name] = []
    looked_up = 0
    while waiting and looked_up < min(2 * MOST, searches.request.steps // 2):
        candidate = waiting.pop(0)
        name = await _name(searches, landscape, candidate.text)
        looked_up += 1
        if name is not None:
            found.append(name)
        elif " " in candidate.text:
            waiting[:0] = [Candidate(word, candidate.start, candidate.end) for word in candidate.text.split()]
    if waiting and searches.stopped == "complete":
        searches.stopped = "steps"  # half of them are kept for what the names lead to
    return apart(found, searches.request.limit)


async def _name(searches: Searches, landscape: Landscape, text: str) -> Name | None:
    answer = await searches.search("look up", f"{text!r} may be a name", text, sparse=True, limit=MENTIONS)
    if answer is None:
        return None
    landscape.learn(answer.hits)
    name = known_as(text, answer.hits, landscape.total)
    searches.decided(f"a name of {len(name.documents)} documents of {landscape.total}" if name else "tells no documents apart")
    return name


async def _plan(
    searches: Searches, landscape: Landscape, question: str, names: list[Name], first: Sequence[Hit], propose: Propose | None
) -> Plan:
    limit = searches.request.limit
    began = time.perf_counter()
    plan = planned(question, landscape, names, first, limit)
    if plan.missing and await _fill(searches, landscape, names, plan):
        plan = planned(question, landscape, names, first, limit)
    why = "by the question and what is known of the index"
    if propose is not None:
        proposed, said = await propose(question, landscape, names)
        why = f"by the planner model: {said}" if proposed else f"{why}; the planner model's was not taken: {said}"
        plan = proposed or plan
    searches.note("plan", why, began, found=len(plan.aspects), decided=plan.why)
    return plan


async def _fill(searches: Searches, landscape: Landscape, names: list[Name], plan: Plan) -> bool:
    """Look for documents of named things at named times of which none is known; whether any was found."""
    filled = False
    for missing in plan.missing[:GAPS]:
        answer = await searches.search(
            "cover", f"no document of {missing.name}, {missing.period} is known", missing.query, sparse=True, limit=LOOK, group_size=3
        )
        if answer is None:
            continue
        landscape.learn(answer.hits)
        for at, name in enumerate(names):
            also = known_as(name.text, answer.hits, max(landscape.total, 2 * LOOK)) if name.text == missing.name else None
            new = [each for each in (also.documents if also else ()) if each not in name.documents]
            if new:
                names[at], filled = Name(name.text, (*name.documents, *new)), True
    return filled


async def _searched(searches: Searches, aspect: Aspect) -> list[list[Hit]]:
    """The hits of each of an aspect's queries."""
    limit = searches.request.limit
    filters = aspect.filters.model_copy(update={"documents": list(aspect.documents)}) if aspect.documents else aspect.filters
    several = len(aspect.documents) > 1
    documents = min(len(aspect.documents), limit) if several else limit
    each = min(10, 1 + math.ceil(limit / documents)) if several else 0
    answers: list[list[Hit]] = []
    for query in aspect.queries:
        answer = await searches.search("search", aspect.name, query, filters=filters, limit=documents, group_size=each)
        answers.append(list(answer.hits) if answer else [])
    return answers


async def _cover(searches: Searches, aspect: Aspect, answers: list[list[Hit]]) -> None:
    """Ask each document by itself that has no passage yet, where all have room in the answer: the whole question, names included."""
    if len(aspect.documents) > searches.request.limit:
        return
    covered = {hit.document_id for hits in answers for hit in hits}
    for document in aspect.documents:
        if document not in covered and searches.left:
            filters = aspect.filters.model_copy(update={"documents": [document]})
            why = f"{aspect.name}: a document without a passage"
            answer = await searches.search("cover", why, searches.request.query, filters=filters, limit=3)
            answers.append(list(answer.hits) if answer else [])


def _covered(plan: Plan, found: Sequence[Sequence[Sequence[Hit]]], hits: Sequence[Hit]) -> list[Covered]:
    ranks = {hit.chunk_id: hit.rank for hit in hits}
    covered = []
    for aspect, answers in zip(plan.aspects, found, strict=True):
        own = sorted({ranks[hit.chunk_id] for answer in answers for hit in answer if hit.chunk_id in ranks})
        covered.append(Covered(name=aspect.name, documents=len(aspect.documents), hits=own))
    return [*covered, *(Covered(name=f"{each.name}, {each.period}", documents=0, hits=[]) for each in plan.missing)]


@dataclass(slots=True)
class _Room:
    """What is left of a budget of tokens."""

    count: Callable[[str], int]
    budget: int
    used: int = 0

    def fits(self, hit: Hit) -> bool:
        tokens = self.count(hit.text)
        if self.used + tokens > self.budget:
            return False
        self.used += tokens
        return True
