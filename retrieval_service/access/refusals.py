"""Why a request was not let in: told apart in the log and in a metric, and as little as possible to whoever asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from retrieval_service.problems import AnsweredWith

Reason = Literal[
    "missing", "malformed", "unknown", "expired", "revoked", "altered",
    "token_invalid", "token_algorithm", "token_key", "token_expired", "token_tenant",
    "issuer_unavailable", "keys_unreadable", "guessing", "rate", "scope", "body", "host",
]  # fmt: skip
"""Every value that the label of the metric can have."""


class NotAdmitted(AnsweredWith):
    """A request that no route gets to see."""

    def __init__(self, reason: Reason, what: str, remedy: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(what, remedy, headers)
        self.reason: Reason = reason


class Unauthorized(NotAdmitted):
    """There is no credential, or it is not one. Unknown, malformed, expired and revoked ones get one and the same answer."""

    slug = "unauthorized"
    status = 401

    def __init__(self, reason: Reason) -> None:
        super().__init__(
            reason,
            "This takes a key or token that is valid.",
            "Send `Authorization: Bearer ...`; whoever runs the service makes keys with `plumbline keys create`.",
            {"WWW-Authenticate": 'Bearer realm="plumbline"'},
        )


class AccessUnknown(NotAdmitted):
    """Whether a credential is valid cannot be told now, so it is not taken for valid."""

    slug = "access-unknown"
    status = 503


class TooManyRequests(NotAdmitted):
    """More requests than this caller may make."""

    slug = "too-many-requests"
    status = 429


class BodyTooLarge(NotAdmitted):
    """The body is larger than the service reads."""

    slug = "body-too-large"
    status = 413


class Misdirected(NotAdmitted):
    """Without keys the service answers to names of this machine only."""

    slug = "misdirected"
    status = 421


def keys_unreadable() -> AccessUnknown:
    """The catalog, which has the keys, cannot be read."""
    return AccessUnknown(
        "keys_unreadable", "The keys cannot be read, so nobody can be let in.", "Ask again in a second; the service's log says why."
    )
