"""Who asks, and whether the service may be reached at all."""

from __future__ import annotations

import ipaddress

from retrieval_service.problems import Forbidden
from search_index.errors import WrongUsage
from search_index.model.search import Principal
from search_index.settings import Settings


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach ``host``. A name other than ``localhost`` is taken to be reachable from outside."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def check_exposure(settings: Settings) -> None:
    """Fail closed: without keys everybody who reaches the service reads as ``everyone``, so only this machine may.

    Errors:
        WrongUsage: the host is not loopback and ``allow_anonymous`` is not set.
    """
    if not is_loopback(settings.host) and not settings.allow_anonymous:
        raise WrongUsage(
            f"The service will not listen on {settings.host}: it has no keys, so whoever reaches that address could read the index.",
            "Set PLUMBLINE_HOST=127.0.0.1, or PLUMBLINE_ALLOW_ANONYMOUS=true if everyone who can reach it may read everything.",
        )


async def principal_of_request() -> Principal:
    """Development mode: nobody is asked for a key; everyone is the anonymous principal in the group ``everyone``."""
    return Principal()


def require(principal: Principal, scope: str) -> None:
    """Let a principal through that has a scope.

    Errors:
        Forbidden: it does not.
    """
    if scope not in principal.scopes:
        raise Forbidden(f"{principal.name} may not do this: it takes the scope `{scope}`.", f"Ask for a key with the scope `{scope}`.")
