"""While gates are overridden every answer says so, in a header: searches, errors and the console alike."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from retrieval_service.live import LiveRelease
from search_index.model.operating import Override

HEADER = "Plumbline-Override"


class AnnounceOverride:
    """Adds the header ``Plumbline-Override`` for as long as an override stands."""

    def __init__(self, app: ASGIApp, live: LiveRelease) -> None:
        self._app = app
        self._live = live

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        override = self._live.override if scope["type"] == "http" else None
        if override is None:
            await self._app(scope, receive, send)
            return
        value = header_of(override)

        async def send_with_override(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = value
            await send(message)

        await self._app(scope, receive, send_with_override)


def header_of(override: Override) -> str:
    """Which override, until when, of which checks. Its reason is free text, which a header cannot always hold: `/v1/releases` has it."""
    return f"{override.id}; until={override.expires_at:%Y-%m-%dT%H:%M:%SZ}; checks={','.join(override.checks) or '*'}"
