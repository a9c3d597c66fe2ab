"""A small library of several kinds: yearly reports, manuals by version, minutes with metadata, and what only the board may read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from retrieval_service.agent.executing import Explored, Propose, explore
from retrieval_service.agent.searching import Searches
from search_index.deadline import NEVER, Deadline
from search_index.model.agent import AgentRequest, AgentStep
from search_index.model.search import Principal, ReleaseRef, SearchAnswer, SearchRequest
from search_index.searcher import Searcher
from tests.search_index.answering.corpus import BOARD, EVERYONE
from tests.search_index.engine.points import INDEX, Passage

__all__ = ["BOARD", "EVERYONE"]


def _document(path: str, texts: Sequence[str], source: str = "reports", **more: object) -> list[Passage]:
    return [Passage(path, text, source, ordinal=ordinal, **more) for ordinal, text in enumerate(texts)]  # type: ignore[arg-type]  # as a test gives them


def report(bridge: str, year: int, **more: object) -> list[Passage]:
    """What was found on one bridge in one year."""
    slug = bridge.lower().replace(" ", "-")
    texts = [
        f"{bridge} was inspected; it carries a load of {year - 1980} tons.",
        f"The piers of {bridge} stand straight and the paint holds.",
        f"Whoever keeps {bridge} is to look at its bearings again.",
    ]
    return _document(f"{year}/{slug}.pdf", texts, **more)


BRIDGES = ("Sand Bridge", "Otter Bridge", "Mill Viaduct")
YEARS = (2021, 2022, 2023)
REPORTS = [passage for bridge in BRIDGES for year in YEARS for passage in report(bridge, year)]
MANUALS = [
    passage
    for version, times in (("2.18", "three"), ("2.19", "four"), ("2.20", "five"))
    for passage in _document(
        f"{version}/pipelines.md",
        [f"PipelineRunner tries a broken step {times} times.", "A toll is paid for every step that PipelineRunner makes."],
        "manual",
    )
]
MINUTES = [
    passage
    for number, (office, matter) in enumerate((("harbour office", "dredging"), ("road office", "gravel"), ("harbour office", "cranes")))
    for passage in _document(
        f"{number}.txt", [f"It was decided to pay for {matter}.", "Nobody spoke against it."], "minutes", metadata={"department": office}
    )
]
PLAIN = [
    passage
    for number in range(8)
    for passage in _document(f"kitchen/{number}.md", [f"the load of dishes number {number} is washed by hand"], "kitchen")
]
OPEN = [*REPORTS, *MANUALS, *MINUTES, *PLAIN]
SECRET_PLACES = ("vault", "treasury", "2024", "Gold Dam", "gold-dam")
HIDDEN = [
    *report("Sand Bridge", 2024, source="vault", access=("board",), metadata={"department": "treasury"}),
    *report("Gold Dam", 2023, source="vault", access=("board",), metadata={"department": "treasury"}),
]


@dataclass(frozen=True)
class Library:
    """Answers by what was published, for a principal."""

    searcher: Searcher
    revision: int = 1

    def ask(
        self, request: SearchRequest, principal: Principal = EVERYONE, excluded: Collection[str] = (), deadline: Deadline = NEVER
    ) -> SearchAnswer:
        release = ReleaseRef(revision=self.revision, index=INDEX, run_id="run", published_at=None)
        return self.searcher.search(request, release, principal, frozenset(excluded), deadline)

    def explore(
        self,
        question: str,
        principal: Principal = EVERYONE,
        *,
        excluded: Collection[str] = (),
        deadline: Deadline = NEVER,
        propose: Propose | None = None,
        before: Callable[[SearchRequest], None] = lambda _: None,
        **request: object,
    ) -> tuple[Explored, list[AgentStep]]:
        """What comes of a question, and the trace."""

        async def ask(asked: SearchRequest) -> SearchAnswer:
            before(asked)
            return self.ask(asked, principal, excluded, deadline)

        searches = Searches(AgentRequest.model_validate({"query": question, **request}), ask, deadline)
        found = asyncio.run(explore(searches, lambda text: len(text.split()), propose))
        return found, searches.trace


def documents(found: Explored) -> list[str]:
    """The addresses of the hits, without their sources."""
    return [hit.uri.partition(":")[2] for hit in found.hits]


def done(trace: Sequence[AgentStep]) -> list[dict[str, object]]:
    """A trace without its times."""
    return [step.model_dump(exclude={"took_ms"}) for step in trace]
