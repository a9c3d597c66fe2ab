"""The client for ordinary code."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Self, TypeVar

import httpx
from pydantic import JsonValue as Json
from tenacity import Retrying as Retryer

from retrieval_service.client import calls
from retrieval_service.client.calls import Call
from retrieval_service.client.problem import problem_in, unreachable
from retrieval_service.client.retrying import Retrying
from search_index.model.context import ContextAnswer, ContextRequest
from search_index.model.feedback import FeedbackRequest, FeedbackTaken
from search_index.model.search import SearchAnswer, SearchRequest

T = TypeVar("T")


class PlumblineClient:
    """Asks a Plumbline service. Safe for use by many threads; keeps its connections until it is closed.

    Args:
        address: of the service, for instance ``http://127.0.0.1:8000``.
        key: an API key or a token; None where the service lets anybody ask.
        timeout_s: for one try.
        retrying: how often a request is sent again that the service turned away for the moment, or that did not reach it.
        transport: another way to send requests, for tests.

    Errors (from every method):
        PlumblineProblem: what the service said no with, or that it cannot be reached.
    """

    def __init__(
        self,
        address: str,
        key: str | None = None,
        *,
        timeout_s: float = 10.0,
        retrying: Retrying | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx.Client(base_url=address, headers=headers, timeout=timeout_s, transport=transport)
        self._retrying = retrying or Retrying()

    def search(self, question: str | SearchRequest) -> SearchAnswer:
        """The best passages. A question alone is asked with what the service takes by default."""
        return self._send(calls.search(question if isinstance(question, SearchRequest) else SearchRequest(query=question)))

    def pages(self, request: SearchRequest) -> Iterator[SearchAnswer]:
        """Page after page of one ranking, which stays that of the release that answered first."""
        asked: SearchRequest | None = request
        while asked is not None:
            answer = self.search(asked)
            yield answer
            asked = calls.next_page(request, answer)

    def context(self, question: str | ContextRequest) -> ContextAnswer:
        """Passages for a language model, packed to a budget, with citations."""
        return self._send(calls.context(question if isinstance(question, ContextRequest) else ContextRequest(query=question)))

    def feedback(self, said: FeedbackRequest) -> FeedbackTaken:
        """Say what an answer was worth."""
        return self._send(calls.feedback(said))

    def lineage(self, id: str) -> dict[str, Json]:
        """Where a passage, a document or a release came from, as a graph."""
        return self._send(calls.lineage(id))

    def releases(self, limit: int = 20) -> dict[str, Json]:
        """The newest releases, and which is live."""
        return self._send(calls.releases(limit))

    def quality(self, days: float = 7) -> dict[str, Json]:
        """How good the answers are."""
        return self._send(calls.quality(days))

    def ready(self) -> dict[str, Json]:
        """Which release answers."""
        return self._send(calls.ready())

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _send(self, call: Call[T]) -> T:
        for attempt in Retryer(**self._retrying.rules()):  # type: ignore[arg-type]  # tenacity's own parameters, spelled once for both clients
            with attempt:
                try:
                    response = self._http.request(call.method, call.path, json=call.body, params=call.params)
                except httpx.TransportError as error:
                    raise unreachable(error) from error
                if response.is_error:
                    raise problem_in(response)
                return call.read(response)
        raise AssertionError("tenacity ends with an answer or an error")
