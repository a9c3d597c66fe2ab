"""API keys: who holds one, what it may do, and how a secret is proven without being kept."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from datetime import datetime
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from search_index.errors import WrongUsage
from search_index.model.tenant import DEFAULT_TENANT, check_tenant

SCOPES: Final[dict[str, str]] = {
    "search": "search, and see where one's hits come from",
    "history": "search older releases too",
    "push": "put documents into sources of their own, and take them out again",
    "feedback": "say how good an answer was",
    "governance": "read releases, their verdicts, their lineage and quality",
    "operate": "read metrics, and what shadows and canaries found",
    "admin": "everything",
}
"""Every scope there is, and what it lets its holder do."""

KeyState = Literal["active", "expired", "revoked", "altered"]

_SECRET = re.compile(r"plb_([0-9a-f]{10})_[A-Za-z0-9_-]{43}")
_LONGEST_GROUP = 200


class ApiKey(BaseModel):
    """One key. Its secret is not in it: only the sha256 of it is.

    A secret is 32 random bytes. Nobody guesses 256 bits however fast the hash is, so a slow hash, which protects what people choose,
    would only make every request slow.

    ``altered`` says that the row is not what was signed: somebody edited the catalog, and the key opens nothing.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    tenant: str = Field(DEFAULT_TENANT, description="whose documents it reads, and no other's")
    groups: list[str] = Field(description="access groups beside `everyone`")
    scopes: list[str]
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    requests_per_minute: int | None = Field(None, description="its own rate limit; null: the service's, 0: none")
    secret_sha256: str
    rotated_at: datetime | None = None
    previous_sha256: str | None = Field(None, description="of the secret before the rotation")
    previous_until: datetime | None = Field(None, description="until when that one works")
    revoked_at: datetime | None = None
    revoked_by: str | None = None
    last_used_at: datetime | None = Field(None, description="to the minute")
    altered: bool = False

    def state(self, at: datetime) -> KeyState:
        """Whether it opens anything at an instant."""
        if self.revoked_at is not None:
            return "revoked"
        if self.altered:
            return "altered"
        return "expired" if self.expires_at is not None and at >= self.expires_at else "active"

    def proven_by(self, secret: str, at: datetime) -> bool:
        """Whether a secret is this key's, or the one before while that still works. Takes the same time whatever is wrong with it."""
        given = secret_sha256(secret)
        current = hmac.compare_digest(given, self.secret_sha256)
        previous = hmac.compare_digest(given, self.previous_sha256 or "")
        return current or (previous and self.previous_until is not None and at < self.previous_until)


class KeyTerms(BaseModel):
    """What somebody asks a key to be."""

    model_config = ConfigDict(frozen=True)

    name: str
    tenant: str = DEFAULT_TENANT
    groups: list[str] = Field(default_factory=list)
    scopes: list[str]
    expires_at: datetime | None = None
    requests_per_minute: int | None = None

    def check(self, at: datetime) -> None:
        """Whether a key can be that.

        Errors:
            WrongUsage: it has no name, a scope is unknown or none is given, a tenant or group cannot be one, or it would be
                expired from the start.
        """
        if not self.name.strip() or not self.name.isprintable():
            raise WrongUsage("A key needs a name of printable characters.", "Name who will hold it, for example `search-page`.")
        if unknown := sorted(set(self.scopes) - set(SCOPES)):
            raise WrongUsage(f"There is no scope {', '.join(map(repr, unknown))}.", f"There are: {', '.join(SCOPES)}.")
        if not self.scopes:
            raise WrongUsage("A key without a scope opens nothing.", f"Give at least one --scope: {', '.join(SCOPES)}.")
        check_tenant(self.tenant)
        if wrong := [group for group in self.groups if not is_group(group)]:
            raise WrongUsage(
                f"{', '.join(map(repr, wrong))} cannot be a group: no wildcards, commas, control characters or blanks at the ends.",
                "Name each group with a --group of its own, as the contracts do; whoever asks is in the group `everyone` anyway.",
            )
        if self.expires_at is not None and self.expires_at <= at:
            raise WrongUsage("The key would be expired from the start.", "Give a time that is still to come.")
        if self.requests_per_minute is not None and self.requests_per_minute < 0:
            raise WrongUsage("A rate cannot be negative.", "Give requests per minute; 0 means no limit.")


class IssuedKey(BaseModel):
    """A key with its secret, which exists here and nowhere else: shown once, and gone."""

    model_config = ConfigDict(frozen=True)

    key: ApiKey
    secret: str = Field(repr=False)


def new_key_id() -> str:
    """A key's id: in its secret, in lists and in logs."""
    return secrets.token_hex(5)


def new_secret(id: str) -> str:
    """A secret for a key: ``plb_<id>_`` and 32 random bytes in 43 url-safe characters. The prefix lets scanners find leaked ones."""
    return f"plb_{id}_{secrets.token_urlsafe(32)}"


def key_id_of(secret: str) -> str | None:
    """Which key a secret claims to be of; None where it is no secret at all."""
    found = _SECRET.fullmatch(secret)
    return found[1] if found else None


def secret_sha256(secret: str) -> str:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def is_group(name: str) -> bool:
    """Whether a name can be an access group: printable, no blanks at its ends, neither a wildcard nor a list."""
    return 0 < len(name) <= _LONGEST_GROUP and name == name.strip() and name.isprintable() and not set(name) & set("*,")
