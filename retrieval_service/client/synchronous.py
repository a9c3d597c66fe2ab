"""The client for ordinary code."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from types import TracebackType
from typing import Self, TypeVar

import httpx
from pydantic import JsonValue as Json
from tenacity import Retrying as Retryer

from retrieval_service.client import calls
from retrieval_service.client.calls import Call
from retrieval_service.client.problem import problem_in, unreachable
from retrieval_service.client.pushed import LOOK_EVERY_S, settled
from retrieval_service.client.retrying import Retrying
from search_index.model.agent import AgentAnswer, AgentRequest
from search_index.model.batch import BatchAnswer, BatchRequest
from search_index.model.context import ContextAnswer, ContextRequest
from search_index.model.feedback import FeedbackRequest, FeedbackTaken
from search_index.model.pushing import PushReceipt, PushRequest, PushStatus
from search_index.model.search import SearchAnswer, SearchRequest
from search_index.model.whole_document import DocumentAnswer

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

    def agent_search(self, question: str | AgentRequest) -> AgentAnswer:
        """Passages that cover a question which takes several searches, with a trace of them."""
        return self._send(calls.agent_search(question if isinstance(question, AgentRequest) else AgentRequest(query=question)))

    def search_batch(self, request: BatchRequest) -> BatchAnswer:
        """Many searches, all on one release; each is answered or failed by itself."""
        return self._send(calls.search_batch(request))

    def document(self, id: str, *, offset: int = 0, limit: int = 50, as_of: int | datetime | None = None) -> DocumentAnswer:
        """A page of a document's passages, in order, by its id or address (`source:path`)."""
        return self._send(calls.document(id, offset, limit, as_of))

    def put_documents(self, request: PushRequest) -> PushReceipt:
        """Put documents into a source that is pushed to. They are not searchable yet: see ``wait_until_live``."""
        return self._send(calls.put_documents(request))

    def delete_documents(self, source: str, paths: Sequence[str]) -> PushReceipt:
        """Take documents out of a source that is pushed to."""
        return self._send(calls.delete_documents(source, paths))

    def pushed(self, receipt: str) -> PushStatus:
        """What became of a push."""
        return self._send(calls.pushed(receipt))

    def wait_until_live(self, receipt: str, timeout_s: float = 300.0, *, every_s: float = LOOK_EVERY_S) -> PushStatus:
        """Wait until all of a push is live: documents can be searched, those taken away are gone.

        Errors:
            PushNotLive: not within ``timeout_s``; or a check holds the source, or a document cannot be read, which takes a person.
        """
        began = time.monotonic()
        while not settled(status := self.pushed(receipt), time.monotonic() - began, timeout_s):
            time.sleep(every_s)
        return status

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
