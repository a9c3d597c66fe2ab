"""How far each lane got, and which changes wait for a person."""

from __future__ import annotations

import hmac

from sqlalchemy import delete, insert, select, update

from search_index.catalog import tables as t
from search_index.catalog.database import Database
from search_index.errors import RevisionUnknown
from search_index.model.release import now, signature_of
from search_index.model.state import Change, LaneState


class Lanes(Database):
    """What the steps of each source's lane last came to."""

    def lane(self, source: str, stage: str) -> LaneState | None:
        """What a lane's step last came to, None before it ever ran."""
        with self._transaction() as c:
            row = c.execute(select(t.lanes).where(t.lanes.c.source == source, t.lanes.c.stage == stage)).mappings().first()
        return LaneState(**dict(row)) if row else None

    def lanes(self) -> list[LaneState]:
        """Every lane's every step."""
        with self._transaction() as c:
            return [LaneState(**dict(row)) for row in c.execute(select(t.lanes).order_by(t.lanes.c.source, t.lanes.c.stage)).mappings()]

    def record_lane(self, state: LaneState) -> None:
        """Write what a lane's step came to."""
        with self._transaction() as c:
            c.execute(delete(t.lanes).where(t.lanes.c.source == state.source, t.lanes.c.stage == state.stage))
            c.execute(insert(t.lanes).values(**state.model_dump()))

    def quarantined(self) -> dict[str, int]:
        """How many documents each source has in quarantine."""
        found = ((s.source, s.state.get("quarantined", 0)) for s in self.lanes() if s.stage == "documents")
        return {source: count for source, count in found if isinstance(count, int) and count}

    def lane_tenants(self) -> dict[str, str]:
        """Whose each source was when its lane last began, which is known before any release holds it."""
        begun = ((s.source, s.state.get("access")) for s in self.lanes() if s.stage == "manifest")
        return {source: str(access[0]) for source, access in begun if isinstance(access, list) and access}


class Changes(Database):
    """Changes too large or too lax to go through unseen.

    An acceptance is signed, since it lets more through: one that was written into the table by other means does not count.
    """

    def propose_change(self, change: Change) -> Change:
        """Record a change that needs accepting; a known one is returned as it stands."""
        with self._transaction() as c:
            row = c.execute(select(t.changes).where(t.changes.c.change == change.change)).mappings().first()
            if row is None:
                c.execute(insert(t.changes).values(**change.model_dump()))
                return change
        return self._trusted(dict(row))

    def changes(self, source: str | None = None) -> list[Change]:
        """Changes that wait or were accepted, newest first."""
        query = select(t.changes).order_by(t.changes.c.seen_at.desc())
        with self._transaction() as c:
            rows = c.execute(query if source is None else query.where(t.changes.c.source == source)).mappings().all()
        return [self._trusted(dict(row)) for row in rows]

    def accept_change(self, source: str, change: str, actor: str, reason: str) -> Change:
        """Let a waiting change through from the next run on.

        Errors:
            RevisionUnknown: that source has no such change waiting.
        """
        with self._transaction() as c:
            of_it = (t.changes.c.change.startswith(change, autoescape=True), t.changes.c.source == source)
            found = c.execute(select(t.changes).where(*of_it)).mappings().all()
            if len(found) != 1:
                raise RevisionUnknown(
                    f"Source {source} has {'no' if not found else 'more than one'} change {change!r}.",
                    "`plumbline sources list` shows what waits.",
                )
            accepted = _change(dict(found[0])).model_copy(update={"accepted_at": now(), "actor": actor, "reason": reason})
            signed = {**accepted.model_dump(include={"accepted_at", "actor", "reason"}), "signature": self._acceptance(accepted)}
            c.execute(update(t.changes).where(*of_it).values(**signed))
            return accepted

    def _acceptance(self, change: Change) -> str | None:
        return signature_of(f"acceptance\n{change.model_dump_json(exclude={'seen_at'})}", self._key()) if self._key is not None else None

    def _trusted(self, row: dict[str, object]) -> Change:
        """A change as it stands; it waits still where its acceptance is not what was signed."""
        change, signature = _change(row), row["signature"]
        if change.accepted_at is None or self._key is None:
            return change
        if hmac.compare_digest(self._acceptance(change) or "", str(signature or "")):
            return change
        return change.model_copy(update={"accepted_at": None, "actor": None, "reason": None})


def _change(row: dict[str, object]) -> Change:
    return Change.model_validate({name: value for name, value in row.items() if name != "signature"})
