"""The gate: every request passes it, before its body is read and before any route sees it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from retrieval_service.access.authority import Authority
from retrieval_service.access.caller import NOBODY, Caller, network_of
from retrieval_service.access.rate import Allowance, RateLimiter
from retrieval_service.access.refusals import BodyTooLarge, NotAdmitted, Reason, TooManyRequests, Unauthorized
from retrieval_service.access.scopes import PARTLY_PUBLIC, PUBLIC, require, scopes_of
from retrieval_service.problems import Forbidden, problem_response
from retrieval_service.telemetry import Telemetry, request_id_of
from search_index.errors import PlumblineError
from search_index.settings import Settings

GUESSES_PER_MINUTE = 30
"""Invalid credentials from one address that are answered as such; the next ones are told to slow down."""


class Gate:
    """Asks of every request who makes it, whether they may, and whether it is not too much.

    What a route then reads is ``request.state.principal``; without this layer there is none, and a route refuses. One that does the work of
    several requests says so to ``request.state.count``.
    Everything but the paths named in ``scopes`` needs a principal; what is answered and not listed in that table takes ``admin``.
    """

    def __init__(self, app: ASGIApp, settings: Settings, authority: Authority, telemetry: Telemetry, routes: Sequence[BaseRoute]) -> None:
        self._app = app
        self._settings = settings
        self._authority = authority
        self._telemetry = telemetry
        self._routes = routes
        self._rates = RateLimiter()
        self._guesses = RateLimiter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # nothing here speaks it, and nothing is let past unasked
            await send({"type": "websocket.close", "code": 1008})
            return
        state = scope.setdefault("state", {})
        allowance: Allowance | None = None
        try:
            caller = await self._caller(scope)
            state["principal"], state["who"] = caller.principal, caller.who
            allowance = self._count(caller)
            self._check_scopes(scope, caller)
            self._check_length(scope)
        except PlumblineError as refused:
            await self._refuse(refused, scope, allowance)(scope, receive, send)
            return

        def count(cost: int) -> None:
            nonlocal allowance
            try:
                allowance = self._count(caller, cost)
            except TooManyRequests as refused:
                self._telemetry.refused(refused.reason, caller.who)
                raise

        async def send_with_rate(message: Message) -> None:
            if allowance is not None and message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in allowance.headers().items():
                    headers.setdefault(name, value)
            await send(message)

        state["count"] = count

        await self._app(scope, receive, send_with_rate)

    async def _caller(self, scope: Scope) -> Caller:
        path, address = scope["path"], scope["client"][0] if scope.get("client") else ""
        if scope["method"] in ("GET", "HEAD"):
            if path in PUBLIC:
                return NOBODY
            if path in PARTLY_PUBLIC:
                return await self._authority.caller_or_nobody(scope["headers"], address)
        try:
            return await self._authority.caller(scope["headers"], address)
        except Unauthorized as e:
            if e.reason != "missing":
                self._count_guess(address)
            raise

    def _count(self, caller: Caller, cost: int = 1) -> Allowance | None:
        """Errors: TooManyRequests: it is over the caller's limit."""
        limit = self._settings.rate_limit if caller.requests_per_minute is None else caller.requests_per_minute
        if limit == 0:
            return None
        allowance = self._rates.hit(caller.who, limit, cost)
        if not allowance.allowed:
            raise _too_many("rate", allowance, f"This is more than {limit} requests a minute.")
        return allowance

    def _count_guess(self, address: str) -> None:
        """Count a credential that is none.

        Only those are refused that are wrong again: a valid key from the same address, which a whole office may share, goes on working.

        Errors:
            TooManyRequests: there were too many from this address.
        """
        allowance = self._guesses.hit(network_of(address), GUESSES_PER_MINUTE)
        if not allowance.allowed:
            raise _too_many("guessing", allowance, "There were too many credentials that are not valid.")

    def _check_scopes(self, scope: Scope, caller: Caller) -> None:
        """Errors: Forbidden: the caller lacks a scope that this takes."""
        path = scope["path"]
        if "admin" in caller.principal.scopes or (scope["method"] in ("GET", "HEAD") and path in PUBLIC | PARTLY_PUBLIC):
            return
        needed = scopes_of(scope["method"], path)
        if not needed and any(route.matches(scope)[0] is Match.FULL for route in self._routes):
            needed = frozenset({"admin"})
        for one in sorted(needed):
            require(caller.principal, one)

    def _check_length(self, scope: Scope) -> None:
        """Errors: BodyTooLarge: the request announces more than is read; one that does not announce it is stopped while it is read."""
        most = self._settings.max_body
        for length in (value for name, value in scope["headers"] if name == b"content-length"):
            if not length.isdigit() or len(length) > 15 or int(length) > most:
                raise BodyTooLarge("body", f"The body is larger than {most} bytes.", "Send less; PLUMBLINE_MAX_BODY sets the limit.")

    def _refuse(self, refused: PlumblineError, scope: Scope, allowance: Allowance | None) -> Response:
        reason: Reason = refused.reason if isinstance(refused, NotAdmitted) else "scope"
        headers = refused.headers if isinstance(refused, NotAdmitted) else {}
        if isinstance(refused, Forbidden):
            headers = {"WWW-Authenticate": 'Bearer realm="plumbline", error="insufficient_scope"'}
        self._telemetry.refused(reason, str(scope["state"].get("who", "-")))
        more = allowance.headers() if allowance is not None else {}
        scope["state"]["problem"] = refused.slug
        return problem_response(
            request_id_of(scope), refused.slug, refused.status, refused.what, refused.remedy, headers={**more, **headers}
        )


def _too_many(reason: Reason, allowance: Allowance, what: str) -> TooManyRequests:
    after = max(1, math.ceil(allowance.reset_s))
    headers = {**allowance.headers(), "Retry-After": str(after)}
    return TooManyRequests(
        reason, what, f"Ask again after {after} seconds; the header `RateLimit` says how many requests are left.", headers
    )
