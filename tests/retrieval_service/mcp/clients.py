"""The SDK's own client, talking to a service in this process or in another."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

import anyio
import httpx2
from fastapi import FastAPI
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult, TextContent

from tests.retrieval_service.access.conftest import bearer

T = TypeVar("T")
Service = Callable[[], FastAPI]
"""Makes the app of one service anew; each is started once."""
AUTO, LEGACY = "auto", "legacy"
"""The protocol of 2026, and the one before, which begins with a handshake."""


@contextlib.asynccontextmanager
async def at(address: str, key: str | None = None, mode: str = AUTO) -> AsyncIterator[Client]:
    """A client of the service at an address."""
    async with (
        httpx2.AsyncClient(headers=bearer(key) if key else {}) as http,
        Client(streamable_http_client(f"{address}/mcp", http_client=http), mode=mode) as client,
    ):
        yield client


@contextlib.asynccontextmanager
async def inside(app: FastAPI, key: str | None = None, mode: str = AUTO) -> AsyncIterator[Client]:
    """A client of an app that is running in this loop."""
    transport = httpx2.ASGITransport(app, client=("127.0.0.1", 50_000))
    async with (
        httpx2.AsyncClient(transport=transport, base_url="http://testserver", headers=bearer(key) if key else {}) as http,
        Client(streamable_http_client("http://testserver/mcp", http_client=http), mode=mode) as client,
    ):
        yield client


def ask(make: Service, calls: Callable[[Client], Awaitable[T]], key: str | None = None, mode: str = AUTO) -> T:
    """Start an app, talk to it, and end it."""

    async def run() -> T:
        app = make()
        async with app.router.lifespan_context(app), inside(app, key, mode) as client:
            return await calls(client)

    return anyio.run(run)


def text_of(result: CallToolResult) -> str:
    """What a model is given to read."""
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text
