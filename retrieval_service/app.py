"""The service put together: ``create_app`` for any ASGI server, ``serve`` to run it."""

from __future__ import annotations

import contextlib
import errno
import gc
import logging
import socket
from collections.abc import AsyncIterator, Callable

import uvicorn
from anyio import to_thread
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.types import ASGIApp

from retrieval_service import problems
from retrieval_service.access.lock import Lock
from retrieval_service.admission import SearchWorkers, TurnAway
from retrieval_service.agent.planner_model import PlannerModel
from retrieval_service.announce import AnnounceOverride
from retrieval_service.breaker import Breakers
from retrieval_service.canary import CanaryRelease
from retrieval_service.deprecation import AnnounceDeprecation, notice_of
from retrieval_service.guarded import Guards
from retrieval_service.listening import BoundedHttp
from retrieval_service.live import LiveRelease, OpenHome, OpenRelease
from retrieval_service.mcp.endpoint import McpEndpoint
from retrieval_service.minding import Minder
from retrieval_service.query_log import QueryLog
from retrieval_service.routes import (
    agent,
    batch,
    console,
    context,
    documents,
    feedback,
    health,
    lineage,
    pushing,
    quality,
    releases,
    search,
)
from retrieval_service.shadow import ShadowRelease
from retrieval_service.source_lag import SourceLag
from retrieval_service.telemetry import RequestTelemetry, Telemetry
from retrieval_service.tracing import RequestTracing, export_traces
from search_index.errors import Busy, WrongUsage
from search_index.home import Home
from search_index.settings import Settings

FIRST_LOOK_S = 5.0
"""How long starting waits for the first release to load; a slower load goes on beside a service that answers 503."""
GRACEFUL_SHUTDOWN_S = 10

_TAGS = [
    {"name": "search", "description": "Ask the index."},
    {"name": "pushing", "description": "Put documents in."},
    {"name": "releases", "description": "What was published, what was refused and why."},
    {"name": "lineage", "description": "Where a passage came from, and what was checked on its way."},
    {"name": "quality", "description": "How good the answers are."},
    {"name": "health", "description": "For load balancers and monitoring."},
]


def create_app(
    settings: Settings,
    *,
    telemetry: Telemetry | None = None,
    open_home: OpenHome = Home,
    load: OpenRelease | None = None,
) -> FastAPI:
    """The service over one home. It starts looking for releases when the ASGI server starts it.

    Errors:
        WrongUsage: it would listen beyond this machine without keys, and ``allow_anonymous`` is not set; or tokens could be forged.
        HomeDamaged: it would listen beyond this machine, and its keys cannot be read.
    """
    telemetry = telemetry or Telemetry()
    lock = Lock(settings, telemetry, open_home)
    guards = Guards(settings.encoder_timeout, settings.fallback_passages, telemetry)
    tried = load or guards.tried
    shadow, canary = ShadowRelease(telemetry, tried), CanaryRelease(telemetry, tried)
    query_log = QueryLog(settings, telemetry)
    also = [shadow.follow, canary.follow, query_log.follow, SourceLag(telemetry).follow]
    live = LiveRelease(
        settings, telemetry, open_home=lock.open_home, load=load or guards.served(Minder(telemetry, Breakers(telemetry))), also=also
    )

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await to_thread.run_sync(lock.start, FIRST_LOOK_S)
        app.state.workers = SearchWorkers(telemetry, waiting=guards.waiting)
        await to_thread.run_sync(live.start, FIRST_LOOK_S)
        try:
            async with mcp.running():
                yield
        finally:
            await to_thread.run_sync(query_log.write)
            await to_thread.run_sync(live.stop)
            await to_thread.run_sync(lock.keyring.stop)
            await to_thread.run_sync(shadow.close)
            await to_thread.run_sync(canary.close)

    app = FastAPI(
        title="Plumbline",
        version="1",
        description="Search an index in which nothing is served that did not pass its gates, and every hit can say where it came from.",
        openapi_tags=_TAGS,
        lifespan=lifespan,
        generate_unique_id_function=_operation_id,
        docs_url=None,  # both pages load their scripts from a CDN, and this service reaches out for nothing
        redoc_url=None,
        redirect_slashes=False,  # the redirect would lead to whatever name the header Host gives
    )
    app.state.settings, app.state.telemetry, app.state.live = settings, telemetry, live
    app.state.query_log, app.state.planner = query_log, PlannerModel.of(settings)
    app.state.shadow, app.state.canary, app.state.authority = shadow, canary, lock.authority
    problems.install(app)
    app.add_middleware(TurnAway)
    lock.guard(app)
    app.add_middleware(RequestTelemetry, telemetry=telemetry, on_defect=_answer_defects(telemetry))
    app.add_middleware(AnnounceOverride, live=live)
    app.add_middleware(AnnounceDeprecation)
    app.add_middleware(RequestTracing, telemetry=telemetry)
    for part in (search, batch, context, agent, documents, pushing, feedback, releases, lineage, quality, health, console):
        app.include_router(part.router)
    for route in app.routes:
        notice_of(route)  # one that is deprecated has to say until when
    mcp = McpEndpoint(app, settings.max_body)
    app.router.routes.append(mcp.route)
    return app


def serve(settings: Settings) -> None:
    """Run the service until SIGINT or SIGTERM; requests under way are answered first.

    Errors:
        Busy: another process listens on the port.
        WrongUsage: the address cannot be listened on, or would expose the index to others without keys.
    """
    export_traces()
    telemetry = Telemetry()
    app = create_app(settings, telemetry=telemetry)
    listener = _listen(settings)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=BoundedHttp,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACEFUL_SHUTDOWN_S,
    )
    telemetry.log.info("listening", host=settings.host, port=listener.getsockname()[1], home=str(settings.root))
    with listener, contextlib.suppress(KeyboardInterrupt):  # uvicorn raises the signal again after its graceful end
        _Server(config).run(sockets=[listener])


class _Server(uvicorn.Server):
    """What was loaded at the start stays: looking through it for garbage would hold every request up, half a second each time."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        gc.collect()
        gc.freeze()


def _listen(settings: Settings) -> socket.socket:
    """The listening socket, taken before anything is loaded: a port in use is said at once and nobody can take it in between."""
    host = settings.host.strip("[]")
    if not 0 <= settings.port <= 65535:  # getaddrinfo takes the number modulo 65536 and would listen elsewhere
        raise WrongUsage(f"There is no port {settings.port}.", "Choose one from 1 to 65535 with PLUMBLINE_PORT.")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        with contextlib.ExitStack() as on_failure:
            listener = on_failure.enter_context(socket.socket(family, kind, protocol))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(2048)
            on_failure.pop_all()
    except OSError as e:
        if e.errno == errno.EADDRINUSE:
            raise Busy(f"Another process listens on {host}:{settings.port}.", "Stop it, or choose another port with PLUMBLINE_PORT.") from e
        raise WrongUsage(f"The service cannot listen on {host}:{settings.port}: {e}.", "Correct PLUMBLINE_HOST or PLUMBLINE_PORT.") from e
    return listener


def _operation_id(route: APIRoute) -> str:
    """The function's name, so that generated clients keep theirs when a path changes."""
    return route.name


def _answer_defects(telemetry: Telemetry) -> Callable[[BaseException, str], ASGIApp]:
    def answer(defect: BaseException, request_id: str) -> ASGIApp:
        telemetry.log.error("defect", **problems.describe(defect))
        return problems.unexpected(request_id)

    return answer
