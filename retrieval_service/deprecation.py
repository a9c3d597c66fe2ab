"""What the API is going to lose is announced on every answer of it: since when, and until when it is there.

The headers are ``Deprecation`` (RFC 9745: a structured date), ``Sunset`` (RFC 8594: an HTTP date) and ``Link`` with the relation
``deprecation``, which leads to the description of the API: it says what to use instead. A route says so where it is declared:
``deprecated=True, openapi_extra=Notice(...).in_openapi()``. docs/versioning.md is the policy.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from email.utils import format_datetime
from typing import Final

from fastapi.routing import APIRoute
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

NOTICE: Final = timedelta(days=180)
"""So long a thing is announced before it goes, at least."""
_SINCE, _SUNSET, _INSTEAD = "x-deprecated-since", "x-sunset", "x-instead"


@dataclass(frozen=True)
class Notice:
    """That an operation goes: announced ``since``, there until ``sunset``; and what to use ``instead``.

    Raises:
        ValueError: it would go sooner than the policy promises.
    """

    since: date
    sunset: date
    instead: str

    def __post_init__(self) -> None:
        if self.sunset - self.since < NOTICE:
            raise ValueError(f"{self.sunset - self.since} is too short a notice: {NOTICE.days} days are promised")

    def in_openapi(self) -> dict[str, str]:
        """For ``openapi_extra`` of the route."""
        return {_SINCE: self.since.isoformat(), _SUNSET: self.sunset.isoformat(), _INSTEAD: self.instead}

    def headers(self) -> dict[str, str]:
        """What an answer says of it."""
        return {
            "Deprecation": f"@{int(_midnight(self.since).timestamp())}",
            "Sunset": format_datetime(_midnight(self.sunset), usegmt=True),
            "Link": '</openapi.json>; rel="deprecation"; type="application/json"',
        }


def notice_of(route: object) -> Notice | None:
    """The notice that a route was declared with; None where it is not deprecated.

    Raises:
        ValueError: it is deprecated and does not say since when and until when.
    """
    if not isinstance(route, APIRoute) or not route.deprecated:
        return None
    said = route.openapi_extra or {}
    try:
        return Notice(date.fromisoformat(said[_SINCE]), date.fromisoformat(said[_SUNSET]), said[_INSTEAD])
    except KeyError as missing:
        raise ValueError(f"{route.path} is deprecated and does not say {missing}: give openapi_extra=Notice(...).in_openapi()") from None


class AnnounceDeprecation:
    """Adds the headers to every answer of a deprecated route, errors too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_notice(message: Message) -> None:
            if message["type"] == "http.response.start" and (notice := notice_of(scope.get("route"))) is not None:
                MutableHeaders(scope=message).update(notice.headers())
            await send(message)

        await self._app(scope, receive, send_with_notice)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
