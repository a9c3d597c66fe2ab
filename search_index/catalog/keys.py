"""API keys in the catalog: made, rotated, revoked, and never with their secrets."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache

from pydantic import ValidationError
from sqlalchemy import RowMapping, delete, insert, select, update

from search_index.catalog import tables as t
from search_index.catalog.database import Database
from search_index.errors import HomeDamaged, NotFound, WrongUsage
from search_index.model.keys import ApiKey, IssuedKey, KeyTerms, new_key_id, new_secret, secret_sha256
from search_index.model.release import canonical_json, now, signature_of
from search_index.model.search import EVERYONE

_UNSIGNED = {"revoked_at", "revoked_by", "last_used_at", "altered"}


class Keys(Database):
    """Keys of the search API. They are signed, since a row of this table lets more through: one that was not signed opens nothing.

    A row is never deleted. That there was once a key is what tells a service that it asks for them.
    """

    def api_keys(self) -> list[ApiKey]:
        """Every key, oldest first, also those that are expired, revoked or altered."""
        query = (
            select(t.api_keys, t.api_key_uses.c.last_used_at)
            .outerjoin(t.api_key_uses, t.api_key_uses.c.id == t.api_keys.c.id)
            .order_by(t.api_keys.c.at, t.api_keys.c.id)
        )
        with self._transaction() as c:
            rows = c.execute(query).mappings().all()
        signing_key = self._key() if rows and self._key is not None else None
        return [_stored(row, signing_key) for row in rows]

    def create_key(self, terms: KeyTerms, actor: str) -> IssuedKey:
        """Make a key.

        Errors:
            WrongUsage: a key cannot be that.
        """
        at = now()
        terms.check(at)
        id = new_key_id()
        secret = new_secret(id)
        key = ApiKey(
            id=id,
            name=terms.name.strip(),
            tenant=terms.tenant,
            groups=sorted(set(terms.groups) - {EVERYONE}),
            scopes=sorted(set(terms.scopes)),
            created_at=at,
            created_by=actor,
            expires_at=terms.expires_at,
            requests_per_minute=terms.requests_per_minute,
            secret_sha256=secret_sha256(secret),
        )
        body = _body(key)
        with self._transaction() as c:
            c.execute(insert(t.api_keys).values(id=id, body=body, signature=_signature(body, self._signing_key()), at=at))
        return IssuedKey(key=key, secret=secret)

    def rotate_key(self, id: str, overlap: timedelta) -> IssuedKey:
        """Give a key a new secret; the old one works for ``overlap`` more. One that was still working from a rotation before ends now.

        Errors:
            NotFound: there is no such key.
            WrongUsage: it is revoked, expired or altered, so that a new secret would open nothing.
        """
        key, at = self.api_key(id), now()
        if (state := key.state(at)) != "active":
            raise WrongUsage(f"Key {id} is {state}; a new secret would open nothing.", "Make another with `plumbline keys create`.")
        if overlap < timedelta(0):
            raise WrongUsage("An overlap cannot be negative.", "Give 0 to end the old secret at once.")
        secret = new_secret(id)
        until = at + overlap if overlap else None
        changed = {
            "secret_sha256": secret_sha256(secret),
            "rotated_at": at,
            "previous_sha256": key.secret_sha256 if until else None,
            "previous_until": until,
        }
        rotated = key.model_copy(update=changed)
        body = _body(rotated)
        with self._transaction() as c:
            standing = update(t.api_keys).where(t.api_keys.c.id == id, t.api_keys.c.body == _body(key), t.api_keys.c.revoked_at.is_(None))
            if c.execute(standing.values(body=body, signature=_signature(body, self._signing_key()))).rowcount != 1:
                raise WrongUsage(f"Key {id} was changed by somebody else just now.", "Look at it with `plumbline keys list`.")
        return IssuedKey(key=rotated, secret=secret)

    def revoke_key(self, id: str, actor: str) -> ApiKey:
        """End a key at once; one that is revoked already stays as it is.

        The signature goes with it, so that a key does not come back when a row is edited.

        Errors:
            NotFound: there is no such key.
        """
        with self._transaction() as c:
            standing = update(t.api_keys).where(t.api_keys.c.id == id, t.api_keys.c.revoked_at.is_(None))
            c.execute(standing.values(revoked_at=now(), revoked_by=actor, signature=""))
        return self.api_key(id)

    def api_key(self, id: str) -> ApiKey:
        """One key.

        Errors:
            NotFound: there is none of that id.
        """
        found = next((key for key in self.api_keys() if key.id == id), None)
        if found is None:
            raise NotFound(f"There is no key {id}.", "`plumbline keys list` shows those there are.")
        return found

    def note_key_uses(self, used: Mapping[str, datetime]) -> None:
        """Remember when keys were last used."""
        if not used:
            return
        with self._transaction() as c:
            c.execute(delete(t.api_key_uses).where(t.api_key_uses.c.id.in_(list(used))))
            c.execute(insert(t.api_key_uses), [{"id": id, "last_used_at": at} for id, at in used.items()])

    def _signing_key(self) -> bytes:
        if self._key is None:
            raise HomeDamaged("The catalog was opened for looking only, so no key can be made.", "Open the whole home.")
        return self._key()


def _body(key: ApiKey) -> str:
    return canonical_json(key.model_dump(mode="json", exclude=_UNSIGNED))


def _signature(body: str, signing_key: bytes) -> str:
    return signature_of(f"api key\n{body}", signing_key)


@lru_cache(maxsize=4096)
def _parsed(body: str) -> ApiKey | None:
    """A body as a key. Remembered, for a service reads all keys twice a second."""
    try:
        return ApiKey.model_validate_json(body)
    except ValidationError:
        return None


def _stored(row: RowMapping, signing_key: bytes | None) -> ApiKey:
    body, signature = str(row["body"]), str(row["signature"] or "")
    key = _parsed(body)
    trusted = (
        key is not None and key.id == row["id"] and (signing_key is None or hmac.compare_digest(_signature(body, signing_key), signature))
    )
    if key is None:
        key = ApiKey(
            id=row["id"], name="?", groups=[], scopes=[], created_at=row["at"], created_by="?", expires_at=None, secret_sha256="",
        )  # fmt: skip
    standing = {"id": row["id"], "revoked_at": row["revoked_at"], "revoked_by": row["revoked_by"], "last_used_at": row["last_used_at"]}
    return key.model_copy(update={**standing, "altered": row["revoked_at"] is None and not trusted})
