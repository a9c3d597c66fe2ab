"""Tokens of an OpenID Connect issuer: signed JWTs (RFC 7519), checked as RFC 8725 advises."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import partial
from typing import Final

import jwt
from anyio import CapacityLimiter, to_thread

from retrieval_service.access.caller import Caller, principal_of
from retrieval_service.access.issuer import ALGORITHMS, IssuerKeys, check_issuer
from retrieval_service.access.refusals import Unauthorized
from retrieval_service.telemetry import Telemetry
from search_index.model.keys import is_group
from search_index.model.tenant import DEFAULT_TENANT, is_tenant
from search_index.settings import Settings

LEEWAY_S = 30
"""How far the issuer's clock may be off."""
MOST_GROUPS: Final = 1000
_CHECKED_AT_ONCE: Final = 4


class IssuedTokens:
    """Takes the tokens of the issuer that settings name.

    Errors:
        WrongUsage: settings name an issuer that is not https, or no audience.
    """

    def __init__(self, settings: Settings, telemetry: Telemetry, keys: IssuerKeys | None = None) -> None:
        issuer = settings.oidc_issuer or ""
        check_issuer(issuer, settings.oidc_audience)
        self._settings = settings
        self._keys = keys or IssuerKeys(issuer, telemetry)
        self._limiter = CapacityLimiter(_CHECKED_AT_ONCE)

    async def caller(self, token: str) -> Caller:
        """Whoever a token was issued to: its subject, with the groups and scopes of its claims.

        Errors:
            Unauthorized: it is no token, of another issuer or for another service, not yet or no longer valid, or not signed by the issuer.
            AccessUnknown: the issuer's key is not known, and the issuer cannot be asked.
        """
        key = await self._keys.key(_key_id(token))
        # Verifying takes up to a millisecond, in which the event loop answers others.
        claims = await to_thread.run_sync(partial(_verified, token, key, self._settings), limiter=self._limiter)
        subject = str(claims["sub"])
        groups = [f"{self._settings.oidc_groups_prefix}{name}" for name in _words(claims.get(self._settings.oidc_groups_claim), split=None)]
        scopes = _words(claims.get(self._settings.oidc_scopes_claim), split=" ")
        # A subject may be somebody's address, so logs have a digest of it.
        digest = hashlib.sha256(subject.encode()).hexdigest()[:12]
        principal = principal_of(
            f"subject {digest}", _tenant(claims, self._settings.oidc_tenant_claim), filter(is_group, groups[:MOST_GROUPS]), scopes
        )
        return Caller(principal, f"subject:{digest}")


def _key_id(token: str) -> str:
    """Which key a token says it is signed with. It is looked up in a dictionary and nowhere else, whatever it looks like."""
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError) as e:
        raise Unauthorized("malformed") from e
    if header.get("alg") not in ALGORITHMS:
        raise Unauthorized("token_algorithm")
    kid = header.get("kid")
    if not isinstance(kid, str) or not kid:
        raise Unauthorized("token_key")
    return kid


def _verified(token: str, key: jwt.PyJWK, settings: Settings) -> Mapping[str, object]:
    """A token's claims, once its signature, issuer, audience and times hold."""
    try:
        claims: dict[str, object] = jwt.decode(
            token,
            key,
            algorithms=[key.algorithm_name],  # what the issuer says of the key, never what the token says of itself
            issuer=settings.oidc_issuer,
            audience=settings.oidc_audience,
            leeway=LEEWAY_S,
            options={"require": ["exp", "iss", "aud", "sub"], "enforce_minimum_key_length": True},
        )
    except jwt.ExpiredSignatureError as e:
        raise Unauthorized("token_expired") from e
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as e:
        raise Unauthorized("token_invalid") from e
    if not claims["sub"]:
        raise Unauthorized("token_invalid")
    return claims


def _tenant(claims: Mapping[str, object], claim: str | None) -> str:
    """Whose documents the token is for. Where a claim is to say it, one that does not is not taken for any tenant's."""
    if claim is None:
        return DEFAULT_TENANT
    tenant = claims.get(claim)
    if not isinstance(tenant, str) or not is_tenant(tenant):
        raise Unauthorized("token_tenant")
    return tenant


def _words(claim: object, split: str | None) -> list[str]:
    """A claim that is a list of words, or one text: split where words in a text are divided by that, whole otherwise."""
    if isinstance(claim, str):
        return claim.split(split) if split else [claim]
    return [word for word in claim if isinstance(word, str)] if isinstance(claim, list) else []
