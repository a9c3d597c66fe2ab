"""The tools on standard input and output, over one home, for programs that start their own server."""

from __future__ import annotations

import contextlib
import os
import secrets
import select
import signal
import threading
from collections.abc import Iterable

import anyio
from anyio import to_thread
from fastapi import BackgroundTasks
from mcp.server.stdio import stdio_server
from starlette.requests import Request

from retrieval_service.access.caller import principal_of
from retrieval_service.admission import SearchWorkers
from retrieval_service.agent.planner_model import PlannerModel
from retrieval_service.canary import CanaryRelease
from retrieval_service.live import LiveRelease
from retrieval_service.mcp.given import Given
from retrieval_service.mcp.server import build_server, discreet
from retrieval_service.query_log import QueryLog
from retrieval_service.shadow import ShadowRelease
from retrieval_service.telemetry import Telemetry
from search_index.home import open_release
from search_index.settings import Settings

FIRST_LOOK_S = 10.0
"""How long the first call may wait for the release to load; a slower load goes on beside a server that says so."""
_STDIN = 0


def serve_stdio(settings: Settings, tenant: str, groups: Iterable[str]) -> None:
    """Answer on standard output what comes in on standard input, until that ends, or SIGINT or SIGTERM.

    Whoever runs this can read the home, so nobody is asked for a key; the answers hold the tenant's documents, and ``groups`` say which
    beside those that ``everyone`` may read. Releases that are published meanwhile are followed, but neither shadow nor canary: a second
    release would double the memory of each. The log goes to standard error.
    """
    anyio.run(_serve, settings, tenant, frozenset(groups))


async def _serve(settings: Settings, tenant: str, groups: frozenset[str]) -> None:
    telemetry = Telemetry()
    query_log = QueryLog(settings, telemetry)
    live = LiveRelease(settings, telemetry, also=[query_log.follow])
    shadow, canary = ShadowRelease(telemetry, open_release), CanaryRelease(telemetry, open_release)
    workers = SearchWorkers(telemetry)
    principal = principal_of("stdio", tenant, groups, ("search", "history", "governance"))

    def given_for(_: Request | None) -> Given:
        return Given(
            principal=principal,
            client="",
            request_id=secrets.token_hex(8),
            live=live,
            shadow=shadow,
            canary=canary,
            workers=workers,
            telemetry=telemetry,
            query_log=query_log,
            background=BackgroundTasks(),  # for a shadow alone
            count=lambda cost: None,
            planner=PlannerModel.of(settings),
        )

    server = build_server(given_for)
    coming_in = _Relay()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_stop_at_signals, coming_in)
        lines = anyio.wrap_file(os.fdopen(coming_in.onward, encoding="utf-8", errors="replace"))
        # Inside, standard output is the protocol's alone: what native code writes there goes to standard error.
        with discreet(telemetry), coming_in:
            async with lines, stdio_server(stdin=lines) as (read, write):
                try:
                    await to_thread.run_sync(live.start, FIRST_LOOK_S)
                    await server.run(read, write, server.create_initialization_options())
                finally:
                    coming_in.stop()
                    with anyio.CancelScope(shield=True):
                        await to_thread.run_sync(query_log.write)
                        await to_thread.run_sync(live.stop)
        tasks.cancel_scope.cancel()


async def _stop_at_signals(coming_in: _Relay) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            coming_in.stop()


class _Relay:
    """Passes standard input on to ``onward``, a file descriptor, until it ends or is told to stop; ``onward`` then ends too.

    A read of standard input that waits in a thread cannot be given up, and Ctrl-C would hang until another line comes.
    """

    def __init__(self) -> None:
        self.onward, self._into = os.pipe()
        self._told, self._tell = os.pipe()

    def __enter__(self) -> _Relay:
        """Begin."""
        threading.Thread(target=self._pass_on, name="stdin", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    def stop(self) -> None:
        """Pass nothing more on."""
        os.write(self._tell, b".")

    def _pass_on(self) -> None:
        with os.fdopen(self._into, "wb") as into, contextlib.suppress(BrokenPipeError):
            while True:
                ready, _, _ = select.select([_STDIN, self._told], [], [])
                if self._told in ready or not (data := os.read(_STDIN, 65_536)):
                    return
                into.write(data)
                into.flush()
