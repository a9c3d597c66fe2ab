"""A request as a server hands it to an application, however odd, and what came back: without a client that would refuse to send it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import unquote

from fastapi import FastAPI
from starlette.types import Message, Scope

PROBLEM = "application/problem+json"
Header = tuple[bytes, bytes]


@dataclass(frozen=True)
class Asked:
    """One request; ``pieces`` of the body come one by one, and where ``leaves`` the caller is gone after the last."""

    method: str
    target: str
    headers: tuple[Header, ...] = ()
    pieces: tuple[bytes, ...] = ()
    leaves: bool = False

    def scope(self) -> Scope:
        """As uvicorn makes it of the request line."""
        path, _, query = self.target.partition("?")
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": self.method,
            "scheme": "http",
            "path": unquote(path),
            "raw_path": path.encode("utf-8", "surrogatepass"),
            "root_path": "",
            "query_string": query.encode("utf-8", "surrogatepass"),
            "headers": [(name.lower(), value) for name, value in self.headers],
            "client": ("127.0.0.1", 50_000),
            "server": ("127.0.0.1", 8000),
            "state": {},
        }


@dataclass(frozen=True)
class Answered:
    """Status 0 where nothing was sent, which is all that somebody who left is owed."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> object:
        """The body as JSON; of a refusal that is always an object."""
        return json.loads(self.body)


@asynccontextmanager
async def running(app: FastAPI) -> AsyncIterator[None]:
    """The application between its start and its end."""
    async with app.router.lifespan_context(app):
        yield


async def ask(app: FastAPI, asked: Asked, within_s: float) -> Answered:
    """One request.

    Raises:
        TimeoutError: it was not answered in time.
    """
    pieces = list(asked.pieces)
    sent = 0
    status, headers, body = 0, dict[str, str](), bytearray()
    answered = asyncio.Event()

    async def receive() -> Message:
        nonlocal sent
        if sent < max(1, len(pieces)):
            piece, sent = (pieces[sent] if pieces else b""), sent + 1
            return {"type": "http.request", "body": piece, "more_body": sent < len(pieces) or asked.leaves}
        if not asked.leaves:
            await answered.wait()  # a caller that waits for its answer
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status = message["status"]
            headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in message["headers"]}
        else:
            body.extend(message.get("body", b""))
            if not message.get("more_body"):
                answered.set()

    async with asyncio.timeout(within_s):
        await app(asked.scope(), receive, send)
    return Answered(status, headers, bytes(body))


def json_request(method: str, target: str, body: object, headers: Sequence[Header] = ()) -> Asked:
    """A request like any program's."""
    content = json.dumps(body).encode()
    return Asked(
        method,
        target,
        ((b"content-type", b"application/json"), (b"content-length", str(len(content)).encode()), *headers),
        (content,),
    )
