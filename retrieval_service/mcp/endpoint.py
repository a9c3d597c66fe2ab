"""``POST /mcp``: the tools over streamable HTTP, without sessions, behind the gate like every other route."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio
from anyio.abc import TaskGroup, TaskStatus
from fastapi import BackgroundTasks, FastAPI
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from retrieval_service.access.authority import Authority
from retrieval_service.access.exposure import is_name_of_this_machine
from retrieval_service.access.refusals import Unauthorized
from retrieval_service.mcp.given import Given
from retrieval_service.problems import Starting, describe
from retrieval_service.telemetry import request_id_of
from search_index.errors import PlumblineError
from search_index.model.search import Principal

if TYPE_CHECKING:
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

PATH = "/mcp"


class OriginRefused(PlumblineError):
    """A web page of elsewhere had a browser on this machine ask."""

    slug = "origin-refused"
    status = 403


class MessageRefused(PlumblineError):
    """A request that holds no message of the protocol."""

    slug = "message-refused"

    def __init__(self, status: int) -> None:
        super().__init__(
            "That is no message of the protocol.", "POST one message as `application/json`, and accept `application/json` as the answer."
        )
        self.status = status


class McpEndpoint:
    """An ASGI application with a route of its own.

    Each request stands alone: a POST with one message, answered as JSON. There are no streams to GET and no sessions to DELETE, so any
    replica answers, and one request is one call to the gate's counting. The SDK is imported with the first request.
    """

    def __init__(self, app: FastAPI, max_body: int) -> None:
        self._app = app
        self._max_body = max_body
        self._tasks: TaskGroup | None = None
        self._manager: StreamableHTTPSessionManager | None = None
        self._starting = anyio.Lock()
        self.route = Route(PATH, self, methods=["POST"], name="mcp", include_in_schema=False)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Be ready for requests; what the SDK started ends with the block."""
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            try:
                yield
            finally:
                self._tasks = self._manager = None
                tasks.cancel_scope.cancel()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one message.

        Errors:
            OriginRefused: there are no keys, and a web page of another machine asks.
            Starting: the service is not up, or going down.
            MessageRefused: it is no message of the protocol, and the protocol has no words for that.
            HTTPException: the caller left before all of it was there, or it is too large.
        """
        scope["route"] = self.route  # what telemetry names the request by
        await self._check_origin(Headers(scope=scope))
        manager = await self._started()
        background = scope["state"]["background"] = BackgroundTasks()
        refused: int | None = None

        async def send_answer(message: Message) -> None:
            nonlocal refused
            if message["type"] == "http.response.start" and message["status"] >= 400:
                told = Headers(raw=message.get("headers", [])).get("content-type", "")
                refused = None if told.startswith("application/json") else message["status"]
            if refused is None:
                await send(message)

        await manager.handle_request(scope, await _read(scope, receive), send_answer)
        if refused is not None:
            raise MessageRefused(refused)
        await background()

    async def _check_origin(self, headers: Headers) -> None:
        """The gate has looked at ``Host``. The protocol wants ``Origin`` looked at too: it matters where no key is asked for."""
        authority: Authority = self._app.state.authority
        if authority.mode() != "development":
            return
        for origin in headers.getlist("origin"):
            try:
                asking = urlsplit(origin).netloc
            except ValueError:  # no address at all, such as one with half a bracket
                asking = ""
            if not asking or not is_name_of_this_machine(asking):
                raise OriginRefused(
                    "Without keys the service answers web pages of this machine only.", "Make a key with `plumbline keys create NAME`."
                )

    async def _started(self) -> StreamableHTTPSessionManager:
        async with self._starting:
            if self._tasks is None:
                raise Starting("The service is not up.", "Ask again in a second.")
            if self._manager is None:
                self._manager = await self._tasks.start(self._run)
            return self._manager

    async def _run(self, *, task_status: TaskStatus[StreamableHTTPSessionManager]) -> None:
        manager = await anyio.to_thread.run_sync(self._made)
        from retrieval_service.mcp.server import discreet

        try:
            with discreet(self._app.state.telemetry):
                async with manager.run():
                    task_status.started(manager)
                    await anyio.sleep_forever()
        except Exception as defect:  # noqa: BLE001 - it must not end the service, which this task is a part of; the next request starts anew
            self._app.state.telemetry.log.error("defect", **describe(defect))
        finally:
            self._manager = None

    def _made(self) -> StreamableHTTPSessionManager:
        """In a thread, so that nobody waits for the import but whoever asks first."""
        from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

        from retrieval_service.mcp.server import build_server

        # The SDK's own checks of Host and Origin stay off: the gate's know of keys, and allow every name of this machine.
        return StreamableHTTPSessionManager(
            build_server(self._given), json_response=True, stateless=True, max_request_body_size=self._max_body
        )

    def _given(self, request: Request | None) -> Given:
        principal = getattr(request.state, "principal", None) if request is not None else None
        if request is None or not isinstance(principal, Principal):  # as a route refuses where there is no gate
            raise Unauthorized("missing")
        state = self._app.state
        return Given(
            principal=principal,
            client=request.client.host if request.client is not None else "",
            request_id=request_id_of(request.scope),
            live=state.live,
            shadow=state.shadow,
            canary=state.canary,
            workers=state.workers,
            telemetry=state.telemetry,
            query_log=state.query_log,
            background=request.state.background,
            count=request.state.count,
            planner=state.planner,
        )


async def _read(scope: Scope, receive: Receive) -> Receive:
    """The whole body, to be received at once: the SDK would take a caller who leaves in its middle for a defect of its own.

    Raises:
        HTTPException: that happened, or the body is larger than the limit.
    """
    try:
        body = await Request(scope, receive).body()
    except ClientDisconnect as gone:
        raise HTTPException(400) from gone
    given = False

    async def receive_again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_again
