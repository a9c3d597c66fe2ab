"""Whoever asks, as the service knows them once it has looked at their credential."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from search_index.model.keys import SCOPES, ApiKey
from search_index.model.search import EVERYONE, Principal
from search_index.model.tenant import DEFAULT_TENANT

_EVERY_SCOPE: Final = frozenset(SCOPES)


@dataclass(frozen=True)
class Caller:
    """A principal, and how their requests are counted.

    ``requests_per_minute`` is their own limit, None where the service's holds; 0 is none at all. ``who`` is whom it is counted for; it
    stands in the log too, and is therefore never a secret or a person's name.
    """

    principal: Principal
    who: str
    requests_per_minute: int | None = None


def principal_of(name: str, tenant: str, groups: Iterable[str], scopes: Iterable[str]) -> Principal:
    """A principal reads its tenant's documents, as its groups and as ``everyone``.

    Unknown scopes are worth nothing, and ``admin`` is worth all; none of them reaches into another tenant.
    """
    known = frozenset(scopes) & _EVERY_SCOPE
    scoped = _EVERY_SCOPE if "admin" in known else known
    return Principal(name=name, tenant=tenant, groups=frozenset(groups) | {EVERYONE}, scopes=scoped)


def holder_of(key: ApiKey) -> Caller:
    """Whoever holds a key."""
    return Caller(principal_of(f"key {key.id}", key.tenant, key.groups, key.scopes), f"key:{key.id}", key.requests_per_minute)


NOBODY: Final = Caller(Principal(name="nobody", groups=frozenset(), scopes=frozenset()), "nobody", 0)
"""Reads nothing and may do nothing; for public paths."""
DEVELOPER: Final = Caller(principal_of("anonymous", DEFAULT_TENANT, (), ("admin",)), "development", 0)
"""Whoever is at this machine, while there are no keys."""


def anonymous(address: str) -> Caller:
    """Whoever sends no credential where that is allowed. Counted by address: a host of IPv6 has 2^64 of them, so by its network."""
    return Caller(principal_of("anonymous", DEFAULT_TENANT, (), ("search", "feedback")), f"address:{network_of(address)}")


def network_of(address: str) -> str:
    """The address, or its /64 of IPv6; what is no address, such as a Unix socket's peer, shares one name."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    return str(found.ipv4_mapped) if found.ipv4_mapped else str(ipaddress.ip_network((int(found), 64), strict=False).network_address)
