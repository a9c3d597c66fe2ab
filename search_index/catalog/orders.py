"""What operators ordered: publishing frozen, gates overridden, releases pinned."""

from __future__ import annotations

import hmac
import uuid
from datetime import datetime, timedelta

from pydantic import ValidationError
from sqlalchemy import delete, insert, select, update

from search_index.catalog import tables as t
from search_index.catalog.database import Database
from search_index.errors import RevisionUnknown, WrongUsage
from search_index.model.operating import LONGEST_OVERRIDE, Freeze, Override, Pin
from search_index.model.release import canonical_json, now, signature_of


class Freezes(Database):
    """Whether a person has stopped publishing. A row suffices, signed or not: whoever adds one stops more, never less."""

    def frozen(self) -> Freeze | None:
        """The freeze that stands."""
        with self._transaction() as c:
            row = c.execute(select(t.freezes).where(t.freezes.c.ended_at.is_(None)).order_by(t.freezes.c.id)).mappings().first()
        return Freeze(at=row["at"], actor=row["actor"], reason=row["reason"]) if row else None

    def freeze(self, actor: str, reason: str) -> Freeze:
        """Stop publishing; where it is stopped already, the freeze that stands is returned."""
        standing = self.frozen()
        if standing is not None:
            return standing
        made = Freeze(at=now(), actor=actor, reason=reason)
        with self._transaction() as c:
            c.execute(insert(t.freezes).values(**made.model_dump()))
        return made

    def thaw(self, actor: str, reason: str) -> Freeze | None:
        """Let publishing go on; gives the freeze that was lifted."""
        standing = self.frozen()
        with self._transaction() as c:
            ended = update(t.freezes).where(t.freezes.c.ended_at.is_(None))
            c.execute(ended.values(ended_at=now(), ended_by=actor, ended_reason=reason))
        return standing


class Overrides(Database):
    """Overrides of gates. They are signed, since a row of this table lets more through: what was not signed does not count."""

    def order_override(self, checks: list[str], hours: float, actor: str, reason: str, key: bytes) -> Override:
        """Let candidates go live in spite of failed verdicts of ``checks`` (empty: of all that can be) for ``hours``.

        Errors:
            WrongUsage: no reason is given, or it would last longer than ``LONGEST_OVERRIDE``.
        """
        at, lasting = now(), timedelta(hours=hours)
        if not timedelta(0) < lasting <= LONGEST_OVERRIDE:
            raise WrongUsage(f"An override of {hours:g} hours is not possible.", "Give --hours above 0 and up to 24; it can be renewed.")
        if not reason.strip():
            raise WrongUsage("An override needs a reason.", "Give --reason TEXT; it is shown wherever the release is.")
        override = Override(
            id=uuid.uuid4().hex[:12], checks=sorted(checks), reason=reason.strip(), actor=actor, ordered_at=at, expires_at=at + lasting
        )
        body = canonical_json(override.model_dump(mode="json"))
        with self._transaction() as c:
            c.execute(insert(t.overrides).values(id=override.id, body=body, signature=_signature(body, key), at=at))
        return override

    def override(self, key: bytes, at: datetime | None = None) -> Override | None:
        """The override that stands, the one that lasts longest where there are several; expired, revoked or altered ones do not count."""
        instant = at or now()
        found = [o for o in (_signed(body, signature, key) for body, signature in self._open_overrides()) if o and o.stands(instant)]
        return max(found, key=lambda o: o.expires_at, default=None)

    def altered_overrides(self, key: bytes) -> list[str]:
        """Ids of overrides in force by their row, but not what was signed: somebody edited the catalog."""
        with self._transaction() as c:
            rows = c.execute(
                select(t.overrides.c.id, t.overrides.c.body, t.overrides.c.signature).where(t.overrides.c.revoked_at.is_(None))
            )
            return [id for id, body, signature in rows if _signed(body, signature, key) is None]

    def revoke_override(self, actor: str, reason: str, key: bytes) -> list[Override]:
        """End every override that stands; gives what was ended.

        The signature goes with it, so that an override does not come back when a row is edited.
        """
        standing = [o for o in (_signed(body, signature, key) for body, signature in self._open_overrides()) if o and o.stands(now())]
        with self._transaction() as c:
            open_ones = update(t.overrides).where(t.overrides.c.revoked_at.is_(None))
            c.execute(open_ones.values(revoked_at=now(), revoked_by=actor, revoked_reason=reason, signature=""))
        return standing

    def _open_overrides(self) -> list[tuple[str, str]]:
        with self._transaction() as c:
            rows = c.execute(select(t.overrides.c.body, t.overrides.c.signature).where(t.overrides.c.revoked_at.is_(None)))
            return [(body, signature) for body, signature in rows]


class Pins(Database):
    """Releases that retention leaves alone."""

    def pins(self) -> list[Pin]:
        """Every pin, by revision."""
        with self._transaction() as c:
            return [Pin(**dict(row)) for row in c.execute(select(t.pins).order_by(t.pins.c.revision)).mappings()]

    def pin(self, revision: int, actor: str, reason: str) -> Pin:
        """Keep a published release. Whether it is still held is for the caller to see; a pin brings nothing back."""
        made = Pin(revision=revision, at=now(), actor=actor, reason=reason)
        with self._transaction() as c:
            c.execute(delete(t.pins).where(t.pins.c.revision == revision))
            c.execute(insert(t.pins).values(**made.model_dump()))
        return made

    def unpin(self, revision: int) -> None:
        """Leave a release to retention again.

        Errors:
            RevisionUnknown: it is not pinned.
        """
        with self._transaction() as c:
            if c.execute(delete(t.pins).where(t.pins.c.revision == revision)).rowcount != 1:
                raise RevisionUnknown(f"Release {revision} is not pinned.", "`plumbline releases list` shows which are.")


def _signature(body: str, key: bytes) -> str:
    return signature_of(f"override\n{body}", key)


def _signed(body: str, signature: str, key: bytes) -> Override | None:
    """The override a row holds, None where it is not what was signed."""
    if not hmac.compare_digest(_signature(body, key), signature):
        return None
    try:
        return Override.model_validate_json(body)
    except ValidationError:
        return None
