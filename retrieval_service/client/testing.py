"""A Plumbline in memory, for the tests of applications: no server, no index, no model.

```python
plumbline = InMemoryPlumbline([Passage("handbook:rollback.md", "Point at the release before.")])
answer = plumbline.client().search("which release?")
plumbline.fail(Failure("overloaded", 503, retry_after_s=0.01), times=2)
```

Both clients send it real requests and read real answers. Passages are ranked by ``rank-bm25`` alone, so scores and order are not the
service's; filters by source and document, paging, feedback and problems are. An agentic search is one search. What
is pushed waits until ``take_in``.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field

import httpx
import numpy as np
from rank_bm25 import BM25Okapi

from retrieval_service.client.asynchronous import AsyncPlumblineClient
from retrieval_service.client.in_memory_http import Failure as Failure
from retrieval_service.client.in_memory_http import answered, given, problem
from retrieval_service.client.in_memory_pushes import InMemoryPushes
from retrieval_service.client.retrying import Retrying
from retrieval_service.client.synchronous import PlumblineClient
from search_index.bm25 import tokenize
from search_index.model.agent import AgentAnswer, AgentRequest, AgentStep
from search_index.model.batch import BatchAnswer, BatchItem, BatchRequest
from search_index.model.context import Cited, ContextAnswer, ContextRequest, Dropped
from search_index.model.document import document_id, sha256
from search_index.model.feedback import FeedbackRequest, FeedbackTaken
from search_index.model.filters import Filters, Scalar
from search_index.model.passage import Provenance, Span
from search_index.model.search import Hit, ReleaseRef, SearchAnswer, SearchRequest
from search_index.model.whole_document import DocumentAnswer, DocumentPassage

_ADDRESS = "http://in-memory.plumbline"
_NOTHING = "0" * 64


@dataclass(frozen=True)
class Passage:
    """One passage of the double. ``uri`` is ``source:path``."""

    uri: str
    text: str
    title: str = ""
    metadata: dict[str, Scalar | list[str]] = field(default_factory=dict)


class InMemoryPlumbline:
    """Answers searches over a few passages.

    ``asked`` and ``feedback`` hold what came, in order. Release numbers begin at 1 and grow with ``publish``.
    """

    def __init__(self, passages: Iterable[Passage] = ()) -> None:
        self.asked: list[SearchRequest | ContextRequest | AgentRequest] = []
        self.feedback: list[FeedbackRequest] = []
        self._failures: list[Failure] = []
        self._answers: set[str] = set()
        self._pushes, self._pushed = InMemoryPushes(), list[Passage]()
        self.revision = 0
        self.publish(passages)

    def publish(self, passages: Iterable[Passage]) -> int:
        """Put other passages in place of those there are; gives the revision they are served as. What was pushed stays as it is served."""
        self._given = list(passages)
        return self._serve()

    def take_in(self, held_by: str | None = None) -> int:
        """Do what a run does: serve the texts that were pushed, or have a check of that name hold them. Gives the revision."""
        if held_by is not None:
            self._pushes.held_by = [held_by]
            return self.revision
        self._pushed = [
            Passage(uri, document.text, document.title or "", dict(document.metadata))
            for uri, document in self._pushes.documents.items()
            if document.text is not None
        ]
        revision = self._serve()
        self._pushes.went_live(revision)
        return revision

    def _serve(self) -> int:
        self._passages = [*self._given, *self._pushed]
        self._ranks = BM25Okapi([tokenize(passage.text) or [""] for passage in self._passages]) if self._passages else None
        self.revision += 1
        return self.revision

    def fail(self, failure: Failure, times: int = 1) -> None:
        """Answer the next requests with a problem."""
        self._failures += [failure] * times

    def client(self, retrying: Retrying | None = None) -> PlumblineClient:
        """A client of it."""
        return PlumblineClient(_ADDRESS, retrying=retrying, transport=httpx.MockTransport(self._answer))

    def async_client(self, retrying: Retrying | None = None) -> AsyncPlumblineClient:
        """The same for ``asyncio``."""
        return AsyncPlumblineClient(_ADDRESS, retrying=retrying, transport=httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if self._failures:
            return problem(self._failures.pop(0))
        match request.method, request.url.path:
            case "POST", "/v1/search":
                return given(SearchRequest, request.content, self._search)
            case "POST", "/v1/context":
                return given(ContextRequest, request.content, self._context)
            case "POST", "/v1/search/batch":
                return given(BatchRequest, request.content, self._batch)
            case "GET", path if path.startswith("/v1/documents/"):
                return self._document(path.removeprefix("/v1/documents/"), request.url.params)
            case "POST", "/v1/agent/search":
                return given(AgentRequest, request.content, self._agent_search)
            case "POST", "/v1/feedback":
                return given(FeedbackRequest, request.content, self._feedback)
            case "GET", "/health/ready":
                return httpx.Response(200, json={"status": "ready", "release": self.revision})
            case _, path:
                return self._pushes.answer(request) or problem(Failure("no-such-route", 404, f"The double has nothing at {path}."))

    def _search(self, request: SearchRequest) -> SearchAnswer:
        self.asked.append(request)
        ranked = self._ranked(request.query, request.filters)
        begin = int(request.cursor or request.offset)
        page = ranked[begin : begin + request.limit]
        following = begin + len(page)
        answer = SearchAnswer(
            id=secrets.token_hex(12),
            query=request.query,
            mode=request.mode,
            release=self._release,
            hits=[self._hit(rank, *found) for rank, found in enumerate(page, start=begin + 1)],
            next=str(following) if following < len(ranked) else None,
            took_ms=0.0,
        )
        self._answers.add(str(answer.id))
        return answer

    def _context(self, request: ContextRequest) -> ContextAnswer:
        """Whole passages, best first, until the next has no room; a token is a word."""
        self.asked.append(request)
        cited: list[Cited] = []
        dropped: list[Dropped] = []
        text = ""
        for hit in (self._hit(rank, *found) for rank, found in enumerate(self._ranked(request.query, request.filters), start=1)):
            entry = f"[{len(cited) + 1}] {hit.title or hit.uri}\n{hit.text}"
            longer = f"{text}\n\n{entry}" if text else entry
            if len(longer.split()) > request.budget:
                dropped.append(Dropped(chunk_id=hit.chunk_id, reason="budget"))
                continue
            text = longer
            shared = hit.model_dump(include=Cited.model_fields.keys() & Hit.model_fields.keys())
            cited.append(Cited(**shared, citation=len(cited) + 1, chunk_ids=[hit.chunk_id], whole=True))
        return ContextAnswer(
            query=request.query,
            mode=request.mode,
            release=self._release,
            text=text,
            tokens=len(text.split()),
            budget=request.budget,
            tokenizer="words",
            passages=cited,
            dropped=dropped,
            confidence=None,
            answerable=None,
            degraded=[],
            hints=[],
            took_ms=0.0,
        )

    def _batch(self, request: BatchRequest) -> BatchAnswer:
        return BatchAnswer(release=self._release, answers=[BatchItem(answer=self._search(asked)) for asked in request.requests])

    def _document(self, id: str, asked: httpx.QueryParams) -> httpx.Response:
        offset, limit = int(asked.get("offset", 0)), int(asked.get("limit", 50))
        own = [passage for passage in self._passages if id in (passage.uri, document_id(*_parts(passage.uri)))]
        if not own:
            return problem(Failure("not-found", 404, f"There is no document {id}."))
        hits = [self._hit(rank, passage, 0.0) for rank, passage in enumerate(own, start=1)]
        shared = hits[0].model_dump(include={"document_id", "source", "uri", "title", "modified_at", "metadata"})
        passages = [DocumentPassage(**hit.model_dump(include=set(DocumentPassage.model_fields))) for hit in hits[offset : offset + limit]]
        following = offset + limit if offset + limit < len(hits) else None
        return answered(DocumentAnswer(**shared, release=self._release, passages=passages, total=len(hits), next_offset=following))

    def _agent_search(self, request: AgentRequest) -> AgentAnswer:
        """One search; whole passages as long as the budget holds them, where a token is a word."""
        self.asked.append(request)
        hits: list[Hit] = []
        tokens = 0
        for found in self._ranked(request.query, request.filters):
            longer = tokens + len(found[0].text.split())
            if len(hits) < request.limit and longer <= request.budget:
                hits.append(self._hit(len(hits) + 1, *found))
                tokens = longer
        id = secrets.token_hex(12)
        self._answers.add(id)
        step = AgentStep(number=1, action="search", why="the double makes one search", query=request.query, found=len(hits), took_ms=0.0)
        return AgentAnswer(
            id=id,
            query=request.query,
            mode=request.mode,
            release=self._release,
            hits=hits,
            aspects=[],
            trace=[step],
            stopped="complete",
            tokens=tokens,
            took_ms=0.0,
        )

    def _feedback(self, said: FeedbackRequest) -> FeedbackTaken | httpx.Response:
        if said.answer not in self._answers:
            return problem(Failure("not-found", 404, f"There is no query {said.answer} in the log."))
        self.feedback.append(said)
        return FeedbackTaken(answer=said.answer, kind=said.kind, release=self.revision)

    @property
    def _release(self) -> ReleaseRef:
        return ReleaseRef(revision=self.revision, index="in-memory", run_id="in-memory", published_at=None)

    def _ranked(self, query: str, filters: Filters) -> list[tuple[Passage, float]]:
        """The passages that hold a word of the query, best first; as they came where scores are equal."""
        terms = set(tokenize(query))
        if self._ranks is None or not terms:
            return []
        scores = np.asarray(self._ranks.get_scores(sorted(terms)))
        found = []
        for at in np.argsort(-scores, kind="stable").tolist():
            passage = self._passages[at]
            named = not filters.documents or {passage.uri, document_id(*_parts(passage.uri))} & set(filters.documents)
            if terms & set(tokenize(passage.text)) and named and (not filters.sources or _parts(passage.uri)[0] in filters.sources):
                found.append((passage, float(scores[at])))
        return found

    def _hit(self, rank: int, passage: Passage, score: float) -> Hit:
        source, path = _parts(passage.uri)
        return Hit(
            rank=rank,
            chunk_id=sha256(f"{passage.uri}\n{passage.text}")[:32],
            document_id=document_id(source, path),
            source=source,
            uri=passage.uri,
            title=passage.title,
            text=passage.text,
            score=score,
            scores={"sparse": score},
            page=None,
            page_last=None,
            section=[],
            span=Span(start=0, end=len(passage.text)),
            modified_at=None,
            metadata=passage.metadata,
            provenance=Provenance(
                raw_sha256=_NOTHING,
                parser="in-memory",
                chunker="in-memory",
                model_digest=_NOTHING,
                encoder="in-memory",
                run_id="in-memory",
                release=self.revision,
            ),
        )


def _parts(uri: str) -> tuple[str, str]:
    source, _, path = uri.partition(":")
    return source, path
