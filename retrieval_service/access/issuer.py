"""An OpenID Connect issuer's public keys: discovered, kept, and fetched again when they are rotated, never more often than is decent."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, cast
from urllib.parse import urlsplit

import httpx
import jwt
from pydantic import JsonValue as Json

from retrieval_service.access.exposure import is_loopback
from retrieval_service.access.refusals import AccessUnknown, Unauthorized
from retrieval_service.telemetry import Telemetry
from search_index.errors import WrongUsage

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Asymmetric ones alone: a shared secret would let this service make tokens, and let a public key be taken for one."""
FETCH_WITHIN_S = 5.0
LARGEST_ANSWER: Final = 262_144
MOST_KEYS: Final = 100
ASK_AGAIN_AFTER_S = 30.0
"""Between two fetches for a key that is not known: whoever makes up key ids cannot have the issuer asked more often."""
ASK_AGAIN_AFTER_FAILURE_S = 5.0
FRESH_FOR_S = 300.0
"""After which the keys are fetched again beside the requests, so that one the issuer took back stops working."""
KEPT_FOR_S = 86_400.0
"""How long keys are believed while the issuer cannot be reached."""

Fetch = Callable[[str], Awaitable[Json]]
_NEVER: Final = float("-inf")


class IssuerUnreachable(Exception):
    """The issuer gave no usable answer. Its text is for the log: a kind of failure, nothing of the answer."""


class IssuerKeys:
    """The keys of one issuer. To be used from one event loop."""

    def __init__(self, issuer: str, telemetry: Telemetry, fetch: Fetch | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._issuer = issuer
        self._telemetry = telemetry
        self._fetch = fetch or fetch_json
        self._clock = clock
        self._lock = asyncio.Lock()
        self._keys: Mapping[str, jwt.PyJWK] = {}
        self._read_at = self._tried_at = _NEVER
        self._failed = False
        self._refreshing: asyncio.Task[None] | None = None

    async def key(self, kid: str) -> jwt.PyJWK:
        """The key of an id.

        Errors:
            Unauthorized: the issuer has no such key.
            AccessUnknown: it is not known, and the issuer cannot be asked.
        """
        age = self._clock() - self._read_at
        known = self._keys.get(kid) if age <= KEPT_FOR_S else None
        if known is not None:
            if age > FRESH_FOR_S and (self._refreshing is None or self._refreshing.done()):
                self._refreshing = asyncio.create_task(self._refresh())
            return known
        await self._refresh()
        found = self._keys.get(kid) if self._clock() - self._read_at <= KEPT_FOR_S else None
        if found is not None:
            return found
        if self._failed:
            raise AccessUnknown("issuer_unavailable", "The issuer of tokens cannot be asked for its keys.", "Ask again in some seconds.")
        raise Unauthorized("token_key")

    async def _refresh(self) -> None:
        """Fetch the keys, unless that was done a moment ago; whoever comes meanwhile waits for the same fetch."""
        async with self._lock:
            if self._clock() - self._tried_at < (ASK_AGAIN_AFTER_FAILURE_S if self._failed else ASK_AGAIN_AFTER_S):
                return
            try:
                self._keys = usable_keys(await self._fetch(await self._where()))
                self._read_at, self._failed = self._clock(), False
            except (IssuerUnreachable, httpx.HTTPError, httpx.InvalidURL, TimeoutError) as e:
                self._failed = True
                self._telemetry.log.warning(
                    "issuer cannot be asked", error=type(e).__name__, why=str(e) if isinstance(e, IssuerUnreachable) else ""
                )
            finally:
                self._tried_at = self._clock()

    async def _where(self) -> str:
        document = await self._fetch(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
        if not isinstance(document, dict) or document.get("issuer") != self._issuer:
            raise IssuerUnreachable("the discovery document names another issuer")
        address = document.get("jwks_uri")
        if not isinstance(address, str) or not is_safe(address):
            raise IssuerUnreachable("the discovery document names no https address for its keys")
        return address


def check_issuer(issuer: str, audience: str | None) -> None:
    """Refuse settings under which tokens could be forged.

    Errors:
        WrongUsage: the issuer is not https (or http on loopback), or no audience is set.
    """
    if not is_safe(issuer):
        raise WrongUsage(
            "PLUMBLINE_OIDC_ISSUER is not an https address.", "Give the issuer's address exactly as its tokens have it in `iss`."
        )
    if not audience:
        raise WrongUsage(
            "PLUMBLINE_OIDC_ISSUER is set without PLUMBLINE_OIDC_AUDIENCE: tokens for any other application would be let in.",
            "Set PLUMBLINE_OIDC_AUDIENCE to the name that the issuer knows this service by.",
        )


def is_safe(address: str) -> bool:
    """Whether what comes from an address can be believed: https, or this very machine."""
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host)))


def usable_keys(document: Json) -> dict[str, jwt.PyJWK]:
    """The public keys for signatures in a JWKS (RFC 7517), by id. Symmetric, private, unknown and nameless ones are left out.

    Errors:
        IssuerUnreachable: it is no JWKS.
    """
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise IssuerUnreachable("its keys are no JWKS")
    found: dict[str, jwt.PyJWK] = {}
    for entry in listed[:MOST_KEYS]:
        if not isinstance(entry, dict) or entry.get("use", "sig") != "sig" or "d" in entry or entry.get("kty") == "oct":
            continue
        kid = entry.get("kid")
        try:
            key = jwt.PyJWK(entry)
        except (jwt.PyJWTError, ValueError, TypeError):
            continue
        if isinstance(kid, str) and kid and key.algorithm_name in ALGORITHMS:
            found[kid] = key
    return found


async def fetch_json(address: str) -> Json:
    """What an address answers, within 5 seconds and 256 KiB. Redirects are not followed: they may lead anywhere.

    Errors:
        IssuerUnreachable: it does not answer with JSON, or with too much of it.
        httpx.HTTPError, TimeoutError: it does not answer.
    """
    direct = is_loopback(urlsplit(address).hostname or "")  # a proxy is for what is elsewhere
    asked = {"Accept": "application/json", "Accept-Encoding": "identity"}  # unpacked, a packed answer could be of any size
    async with (
        asyncio.timeout(FETCH_WITHIN_S),
        httpx.AsyncClient(follow_redirects=False, trust_env=not direct) as http,
        http.stream("GET", address, headers=asked) as answer,
    ):
        if answer.status_code != httpx.codes.OK or answer.headers.get("content-encoding", "identity") != "identity":
            raise IssuerUnreachable(f"it answered {answer.status_code}")
        body = b""
        async for part in answer.aiter_raw():
            body += part
            if len(body) > LARGEST_ANSWER:
                raise IssuerUnreachable("its answer is too large")
    try:
        return cast(Json, json.loads(body))
    except (ValueError, RecursionError) as e:
        raise IssuerUnreachable("its answer is no JSON") from e
