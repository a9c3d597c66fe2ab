"""How the double answers: a model as JSON, or a problem."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import httpx
from pydantic import BaseModel, ValidationError
from pydantic import JsonValue as Json

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class Failure:
    """What to answer instead."""

    slug: str
    status: int
    detail: str = "The double was told to fail."
    retry_after_s: float | None = None


def given(model: type[M], content: bytes, answer: Callable[[M], BaseModel | httpx.Response]) -> httpx.Response:
    """Read a request as the service would, and answer it."""
    try:
        asked = model.model_validate_json(content)
    except ValidationError as error:
        return problem(Failure("invalid-request", 422, f"{error.error_count()} fields do not validate."))
    found = answer(asked)
    return found if isinstance(found, httpx.Response) else answered(found)


def answered(found: BaseModel) -> httpx.Response:
    """A model as the body of an answer."""
    return httpx.Response(200, content=found.model_dump_json())


def problem(failure: Failure) -> httpx.Response:
    """A failure as the service tells it."""
    said: dict[str, Json] = {
        "type": f"urn:plumbline:problem:{failure.slug}",
        "title": failure.slug.replace("-", " ").capitalize(),
        "status": failure.status,
        "detail": failure.detail,
        "request_id": secrets.token_hex(8),
    }
    headers = {"Retry-After": str(failure.retry_after_s)} if failure.retry_after_s is not None else {}
    return httpx.Response(failure.status, content=json.dumps(said), headers=headers)
