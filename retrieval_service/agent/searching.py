"""Searches within bounds, each with its line in the trace."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from search_index.deadline import Deadline
from search_index.errors import DeadlineExceeded, PlumblineError
from search_index.model.agent import Action, AgentRequest, AgentStep, Stopped
from search_index.model.filters import Filters
from search_index.model.search import Degraded, Question, SearchAnswer, SearchRequest

Ask: TypeAlias = Callable[[SearchRequest], Awaitable[SearchAnswer]]
"""Answers one search as its route would, for whoever asks and from one release."""
OWN: Final = ("query", "mode", "filters", "as_of", "deadline_ms")
"""What a step decides by itself. The rest is as the request has it; release and deadline are those of the whole."""


@dataclass(slots=True)
class Searches:
    """Asks on behalf of one request, until its steps or its time are used up.

    ``stopped`` says which, and ``trace`` what was done. A step that fails is a line in it; only the first has to succeed.
    """

    request: AgentRequest
    ask: Ask
    deadline: Deadline
    trace: list[AgentStep] = field(default_factory=list)
    degraded: list[Degraded] = field(default_factory=list)
    stopped: Stopped = "complete"
    asked: int = 0

    @property
    def left(self) -> int:
        """Searches that may still be made."""
        return 0 if self.deadline.passed else self.request.steps - self.asked

    async def search(
        self,
        action: Action,
        why: str,
        query: str,
        *,
        sparse: bool = False,
        filters: Filters | None = None,
        limit: int = 10,
        group_size: int = 0,
        facets: tuple[str, ...] = (),
    ) -> SearchAnswer | None:
        """One search; None where there was no room for it, or it failed.

        Args:
            filters: what narrows it beside the request's own.
            group_size: most passages of one document, where ``limit`` counts documents; 0: it counts passages.

        Errors:
            PlumblineError: it was the first, and what it met is what a search would have met.
        """
        if self.asked and not self.left:  # the first is asked even so, for whoever answers says that it is too late
            self.stopped = "steps" if self.asked >= self.request.steps else "deadline"
            return None
        began = time.perf_counter()
        self.asked += 1
        shared = {name: getattr(self.request, name) for name in Question.model_fields if name not in OWN}
        request = SearchRequest(
            **shared,
            query=query,
            mode="sparse" if sparse else self.request.mode,
            filters=narrowed(self.request.filters, filters or Filters()),
            limit=limit,
            group_by="document" if group_size else None,
            group_size=group_size or 1,
            facets=list(facets),
        )
        answer, failure = None, ""
        try:
            answer = await self.ask(request)
        except PlumblineError as error:
            if self.asked == 1:
                raise
            if isinstance(error, DeadlineExceeded):
                self.stopped = "deadline"
            elif self.stopped == "complete":
                self.stopped = "failed"
            failure = f"not answered: {error.slug}"
        hits = answer.hits if answer else []
        self.degraded += [each for each in (answer.degraded if answer else []) if each not in self.degraded]
        self.note(
            action,
            why,
            began,
            query=query,
            filters=filters,
            found=len(hits),
            documents=len({hit.document_id for hit in hits}),
            decided=failure,
        )
        return answer

    def note(
        self,
        action: Action,
        why: str,
        began: float,
        *,
        query: str | None = None,
        filters: Filters | None = None,
        found: int = 0,
        documents: int = 0,
        decided: str = "",
    ) -> None:
        """A line in the trace."""
        self.trace.append(
            AgentStep(
                number=len(self.trace) + 1,
                action=action,
                why=why,
                query=query,
                filters=filters,
                found=found,
                documents=documents,
                decided=decided,
                took_ms=round((time.perf_counter() - began) * 1e3, 3),
            )
        )

    def decided(self, what: str) -> None:
        """Say what followed from the step before."""
        self.trace[-1].decided = what


def narrowed(own: Filters, more: Filters) -> Filters:
    """Both together. ``more`` names documents and sources that were found within ``own``, so they take their place; where both say
    something of one metadata field, ``own`` holds.
    """
    return own.model_copy(
        update={
            "documents": more.documents or own.documents,
            "sources": more.sources or own.sources,
            "metadata": {**more.metadata, **own.metadata},
        }
    )
