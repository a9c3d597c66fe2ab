"""Whether the service may be reached at all, and by which name."""

from __future__ import annotations

import ipaddress

from search_index.errors import WrongUsage
from search_index.settings import Settings


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach ``host``. A name other than ``localhost`` is taken to be reachable from outside."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def check_exposure(settings: Settings, keys: int) -> None:
    """Fail closed: where nobody has to show anything, only this machine may ask.

    Args:
        keys: how many keys there are, expired and revoked ones too.

    Errors:
        WrongUsage: the host is not loopback, there is neither a key nor an issuer, and ``allow_anonymous`` is not set.
    """
    if is_loopback(settings.host) or settings.allow_anonymous or settings.oidc_issuer or keys:
        return
    raise WrongUsage(
        f"The service will not listen on {settings.host}: it has no keys, so whoever reaches that address could read the index.",
        "Make one with `plumbline keys create NAME --scope search`, or set PLUMBLINE_HOST=127.0.0.1, or"
        " PLUMBLINE_ALLOW_ANONYMOUS=true if everyone who can reach it may search what `everyone` may read.",
    )


def is_name_of_this_machine(host: str) -> bool:
    """Whether a ``Host`` header can only mean this machine or its own network: an address, or a name without a dot.

    A web page that somebody on this machine looks at can have its own name point to 127.0.0.1 (DNS rebinding), and its scripts then ask
    this service as if it were theirs. The browser still sends the page's name.
    """
    name = host.rsplit(":", 1)[0] if not host.endswith("]") and ":" in host else host
    name = name.rstrip(".").lower()
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return "." not in name or name.endswith(".localhost")
    return True
