"""Each operation as data: what is sent, and how its answer is read. Both clients send these."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel
from pydantic import JsonValue as Json

from search_index.model.context import ContextAnswer, ContextRequest
from search_index.model.feedback import FeedbackRequest, FeedbackTaken
from search_index.model.search import SearchAnswer, SearchRequest

T = TypeVar("T")


@dataclass(frozen=True)
class Call(Generic[T]):
    """One request: every one of them can be sent again without harm."""

    method: str
    path: str
    read: Callable[[httpx.Response], T]
    body: dict[str, Json] | None = None
    params: dict[str, str] = field(default_factory=dict)


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
