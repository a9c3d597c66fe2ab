"""Each operation as data: what is sent, and how its answer is read. Both clients send these."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel
from pydantic import JsonValue as Json

from search_index.model.agent import AgentAnswer, AgentRequest
from search_index.model.batch import BatchAnswer, BatchRequest
from search_index.model.context import ContextAnswer, ContextRequest
from search_index.model.feedback import FeedbackRequest, FeedbackTaken
from search_index.model.pushing import PushReceipt, PushRequest, PushStatus
from search_index.model.search import SearchAnswer, SearchRequest
from search_index.model.whole_document import DocumentAnswer

T = TypeVar("T")


@dataclass(frozen=True)
class Call(Generic[T]):
    """One request: every one of them can be sent again without harm."""

    method: str
    path: str
    read: Callable[[httpx.Response], T]
    body: dict[str, Json] | None = None
    params: Mapping[str, str | list[str]] = field(default_factory=dict)


def search(request: SearchRequest) -> Call[SearchAnswer]:
    """``POST /v1/search``."""
    return Call("POST", "/v1/search", lambda response: SearchAnswer.model_validate_json(response.content), _body(request))


def next_page(request: SearchRequest, answer: SearchAnswer) -> SearchRequest | None:
    """What to send for the page after ``answer``, from the very same ranking; None where there is none."""
    if answer.next is None:
        return None
    return request.model_copy(update={"cursor": answer.next, "offset": 0})


def context(request: ContextRequest) -> Call[ContextAnswer]:
    """``POST /v1/context``."""
    return Call("POST", "/v1/context", lambda response: ContextAnswer.model_validate_json(response.content), _body(request))


def agent_search(request: AgentRequest) -> Call[AgentAnswer]:
    """``POST /v1/agent/search``."""
    return Call("POST", "/v1/agent/search", lambda response: AgentAnswer.model_validate_json(response.content), _body(request))


def search_batch(request: BatchRequest) -> Call[BatchAnswer]:
    """``POST /v1/search/batch``."""
    return Call("POST", "/v1/search/batch", lambda response: BatchAnswer.model_validate_json(response.content), _body(request))


def document(id: str, offset: int, limit: int, as_of: int | datetime | None) -> Call[DocumentAnswer]:
    """``GET /v1/documents/{id}``."""
    params: dict[str, str | list[str]] = {"offset": str(offset), "limit": str(limit)}
    if as_of is not None:
        params["as_of"] = as_of.isoformat() if isinstance(as_of, datetime) else str(as_of)
    return Call("GET", f"/v1/documents/{quote(id, safe=':/')}", lambda r: DocumentAnswer.model_validate_json(r.content), params=params)


def put_documents(request: PushRequest) -> Call[PushReceipt]:
    """``PUT /v1/documents``."""
    return Call("PUT", "/v1/documents", lambda response: PushReceipt.model_validate_json(response.content), _body(request))


def delete_documents(source: str, paths: Sequence[str]) -> Call[PushReceipt]:
    """``DELETE /v1/documents``."""
    params: dict[str, str | list[str]] = {"source": source, "path": list(paths)}
    return Call("DELETE", "/v1/documents", lambda response: PushReceipt.model_validate_json(response.content), params=params)


def pushed(receipt: str) -> Call[PushStatus]:
    """``GET /v1/pushed/{receipt}``."""
    return Call("GET", f"/v1/pushed/{quote(receipt, safe='')}", lambda response: PushStatus.model_validate_json(response.content))


def feedback(request: FeedbackRequest) -> Call[FeedbackTaken]:
    """``POST /v1/feedback``."""
    return Call("POST", "/v1/feedback", lambda response: FeedbackTaken.model_validate_json(response.content), _body(request))


def lineage(id: str) -> Call[dict[str, Json]]:
    """``GET /v1/lineage/{id}``: a chunk id, a document id or address, or a revision."""
    return Call("GET", f"/v1/lineage/{quote(id, safe=':/')}", _json)


def releases(limit: int) -> Call[dict[str, Json]]:
    """``GET /v1/releases``."""
    return Call("GET", "/v1/releases", _json, params={"limit": str(limit)})


def quality(days: float) -> Call[dict[str, Json]]:
    """``GET /v1/quality``."""
    return Call("GET", "/v1/quality", _json, params={"days": str(days)})


def ready() -> Call[dict[str, Json]]:
    """``GET /health/ready``."""
    return Call("GET", "/health/ready", _json)


def _body(request: BaseModel) -> dict[str, Json]:
    """Nothing but what differs from the defaults, so that an older service is not sent fields it does not know."""
    sent: dict[str, Json] = request.model_dump(mode="json", exclude_defaults=True)
    return sent


def _json(response: httpx.Response) -> dict[str, Json]:
    found: dict[str, Json] = response.json()
    return found
