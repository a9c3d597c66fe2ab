"""Tenants: who a source belongs to, and whose documents a principal reads. One never sees, counts or weighs with another's."""

from __future__ import annotations

import re
from typing import Final

from search_index.errors import WrongUsage

DEFAULT_TENANT: Final = "default"
"""The tenant of a source, a key or a golden set that names none: a tenant like any other."""
LONGEST_TENANT: Final = 64
_NAME: Final = re.compile("[a-z][a-z0-9_-]*")


def is_tenant(name: str) -> bool:
    """Whether a name can be a tenant's.

    >>> is_tenant("north-sea"), is_tenant("North Sea"), is_tenant("")
    (True, False, False)
    """
    return len(name) <= LONGEST_TENANT and _NAME.fullmatch(name) is not None


def check_tenant(name: str) -> None:
    """Make sure that a name can be a tenant's.

    Errors:
        WrongUsage: it cannot.
    """
    if not is_tenant(name):
        remedy = f"A tenant is named as in its contracts: by lower-case letters, digits, - and _, {LONGEST_TENANT} at most."
        raise WrongUsage(f"{name!r} cannot be a tenant.", remedy)
