"""The parts of access put together for one app: who may ask is settled before anything can be read."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import FastAPI
from starlette.middleware.body_limit import RequestBodyLimitMiddleware

from retrieval_service.access.authority import Authority, Tokens
from retrieval_service.access.exposure import check_exposure, is_loopback
from retrieval_service.access.gate import Gate
from retrieval_service.access.keyring import Keyring
from retrieval_service.telemetry import Telemetry
from search_index.home import Home
from search_index.settings import Settings

OpenHome = Callable[[Settings], Home]


class Lock:
    """The keyring, the authority and the gate of one app.

    Errors:
        WrongUsage: settings would let in whoever comes, or tokens that can be forged.
    """

    def __init__(self, settings: Settings, telemetry: Telemetry, open_home: OpenHome) -> None:
        self._settings = settings
        self._telemetry = telemetry
        self._open_home = open_home
        self.keyring = Keyring(settings, telemetry, open_home)
        if not is_loopback(settings.host):
            self.keyring.look()
            check_exposure(settings, len(self.keyring.known().keys))
        self.authority = Authority(settings, self.keyring, _tokens(settings, telemetry))

    def open_home(self, settings: Settings) -> Home:
        """Open a home whose keys have been read, so that none can be served for a moment as if it had no keys."""
        self.keyring.look()
        return self._open_home(settings)

    def guard(self, app: FastAPI) -> None:
        """Put the gate in front of an app's routes; what is added to the app afterwards stands before the gate."""
        # The gate refuses what announces too much; this stops, while it is read, what announces nothing.
        app.add_middleware(RequestBodyLimitMiddleware, max_body_size=self._settings.max_body)
        app.add_middleware(Gate, settings=self._settings, authority=self.authority, telemetry=self._telemetry, routes=app.router.routes)

    def start(self, wait_s: float) -> None:
        """Begin following the keys, and say loudly when none are needed."""
        self.keyring.start(wait_s)
        settings, log = self._settings, self._telemetry.log
        if settings.allow_anonymous:
            log.warning("anonymous requests are let in: whoever reaches this address may search what everyone may read", host=settings.host)
        elif settings.oidc_issuer is None and is_loopback(settings.host) and not self.keyring.count:
            log.warning(
                "development mode: there are no keys, so whoever is at this machine may do everything",
                host=settings.host,
                remedy="plumbline keys create NAME --scope search",
            )


def _tokens(settings: Settings, telemetry: Telemetry) -> Tokens | None:
    if not settings.oidc_issuer:
        return None
    from retrieval_service.access.tokens import IssuedTokens  # an HTTP client and cryptography, which keys do not need

    return IssuedTokens(settings, telemetry)
