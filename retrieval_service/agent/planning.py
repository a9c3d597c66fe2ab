"""A plan: which parts of a question are searched where, and how much room each has. The same for the same question and index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from retrieval_service.agent.landscape import Landscape
from retrieval_service.agent.names import Name
from retrieval_service.agent.parts import asks_latest, asks_over_time, enough, parts_of
from retrieval_service.agent.periods import Mention, Period, periods_in, versions_in, without
from search_index.model.filters import Filters
from search_index.model.search import Hit

FOCUS: Final = 3
"""Passages of what is asked for by name, for one of anything else."""
SERIES: Final = 0.5
"""The share of the first hits that has to be from one series for the question to be about it."""
MOST_DOCUMENTS: Final = 100


@dataclass(frozen=True, slots=True)
class Aspect:
    """One thing that the answer has to cover.

    Args:
        name: what it is, in words of the question and of what the caller may read.
        queries: what to search for it.
        documents: ids of the documents that are each to be covered, the foremost first; empty: no document in particular.
        filters: what else narrows it.
        share: how many passages it has for each one of an aspect whose share is 1.
    """

    name: str
    queries: tuple[str, ...]
    documents: tuple[str, ...] = ()
    filters: Filters = field(default_factory=Filters)
    share: int = 1


@dataclass(frozen=True, slots=True)
class Missing:
    """A named thing at a named time of which no document is known yet."""

    name: str
    period: str
    query: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What to search for besides the question itself, and why so."""

    aspects: tuple[Aspect, ...]
    missing: tuple[Missing, ...]
    why: str


def times_in(question: str, landscape: Landscape) -> list[Mention]:
    """The times that a question names, and the numbers in it that are versions which documents are of."""
    dates, known = periods_in(question), landscape.versions()
    versions = [each for each in versions_in(question) if any(had[: len(each.period.version)] == each.period.version for had in known)]
    return sorted([*dates, *versions], key=lambda each: each.start)


def planned(question: str, landscape: Landscape, names: Sequence[Name], first: Sequence[Hit], limit: int) -> Plan:
    """Take a question apart.

    Args:
        names: those in it that the index knows.
        first: what a plain search for the question found.
        limit: passages of the answer.
    """
    times = times_in(question, landscape)
    queries = _queries(question, names, times)
    scopes = {name.text: list(name.documents) for name in names}
    if not scopes and (series := landscape.series_of(first, SERIES)) and (times or asks_over_time(question) or asks_latest(question)):
        scopes = {"": series}
    if not scopes and times:
        scopes = {"": list(landscape.documents)}
    aspects: list[Aspect] = []
    missing: list[Missing] = []
    for name, documents in scopes.items():
        of_name, wanting = _scoped(name, documents, question, queries, times, landscape, max(1, (limit - 1) // len(scopes)))
        aspects += of_name
        missing += wanting
    aspects += [each for each in _faceted(landscape, question, queries) if not names]
    if not aspects and len(queries) > 1:
        aspects = [Aspect(f"part {number}", (part,)) for number, part in enumerate(queries, start=1)]
    return Plan(tuple(aspects), tuple(missing), _why(scopes, times, queries, aspects))


def _scoped(
    name: str,
    documents: list[str],
    question: str,
    queries: tuple[str, ...],
    times: Sequence[Mention],
    landscape: Landscape,
    room: int,
) -> tuple[list[Aspect], list[Missing]]:
    """What to cover of the documents that one name stands in, where it has room for so many passages in the first round."""
    missing: list[Missing] = []
    covering: dict[Period, list[str]] = {}
    for period in dict.fromkeys(each.period for each in times):
        if found := landscape.of_period(period, documents):
            covering[period] = found
        elif name:
            missing.append(Missing(name, str(period), f"{name} {period}"))
    told = ", ".join(map(str, covering))
    focus = list(dict.fromkeys(document for found in covering.values() for document in found))
    if not times and asks_latest(question) and not asks_over_time(question) and landscape.dated(documents):
        told, focus = "latest", landscape.newest_first(documents)[:1]
    aspects = []
    if focus:
        aspects.append(Aspect(_joined(name, told), queries, tuple(focus[:MOST_DOCUMENTS]), share=max(FOCUS, min(len(focus), room))))
    if name or not (focus or times):
        rest = landscape.newest_first(each for each in documents if each not in focus)[:MOST_DOCUMENTS]
        share = 1 if focus else min(len(rest), room)
        aspects += [Aspect(_joined(name, "other times" if focus else ""), queries, tuple(rest), share=share)] if rest else []
    return aspects, missing


def _faceted(landscape: Landscape, question: str, queries: tuple[str, ...]) -> list[Aspect]:
    """An aspect for each value of a facet that the question names."""
    lowered = f" {''.join(c if c.isalnum() else ' ' for c in question.lower())} "
    found: list[Aspect] = []
    for field_name, values in landscape.facets.items():
        for value, documents in values.items():
            words = "".join(c if c.isalnum() else " " for c in value.lower()).strip()
            if len(words) > 2 and documents < landscape.total and f" {' '.join(words.split())} " in " ".join(["", *lowered.split(), ""]):
                filters = Filters(sources=[value]) if field_name == "source" else Filters(metadata={field_name: value})
                found.append(Aspect(f"{field_name}: {value}", queries, filters=filters, share=FOCUS - 1))
    return found


def _queries(question: str, names: Sequence[Name], times: Sequence[Mention]) -> tuple[str, ...]:
    """The question's parts without what becomes a filter, as far as enough is left of them."""
    queries: list[str] = []
    versions = {each.period for each in times if each.period.version}
    for part in parts_of(question):
        lowered = part.lower()
        stated = [*periods_in(part), *(each for each in versions_in(part) if each.period in versions)]
        spans = [(each.start, each.end) for each in stated]
        for name in names:
            at = lowered.find(name.text.lower())
            while at >= 0:
                end = at + len(name.text)
                spans.append((at, end + 2 if lowered[end : end + 2] in ("'s", "’s") else end))
                at = lowered.find(name.text.lower(), end)
        bare = without(part, spans)
        queries.append(bare if enough(bare) else part)
    return tuple(dict.fromkeys(queries))


def _joined(name: str, period: str) -> str:
    return ", ".join(part for part in (name, period) if part) or "series"


def _why(scopes: dict[str, list[str]], times: Sequence[Mention], queries: Sequence[str], aspects: Sequence[Aspect]) -> str:
    if not aspects:
        return "nothing in the question tells documents apart: the plain search is the answer"
    told = [f"{len(documents)} documents of {name or 'one series'}" for name, documents in scopes.items()]
    told += [f"times: {', '.join(dict.fromkeys(str(each.period) for each in times))}"] if times else []
    told += [f"{len(queries)} parts"] if len(queries) > 1 else []
    return "; ".join(told) or f"{len(aspects)} values of facets"
