"""Which release a share of those who ask is answered by, and how earlier ones ended."""

from __future__ import annotations

from sqlalchemy import insert, select, update

from search_index.catalog import tables as t
from search_index.catalog.database import Database
from search_index.model.operating import Canary, EndedCanary
from search_index.model.release import now


class Canaries(Database):
    """At most one canary at a time."""

    def canary(self) -> Canary | None:
        """The one that flies."""
        query = select(t.canaries).where(t.canaries.c.ended_at.is_(None)).order_by(t.canaries.c.id.desc())
        with self._transaction() as c:
            row = c.execute(query).mappings().first()
        return Canary(**{k: row[k] for k in Canary.model_fields}) if row else None

    def begin_canary(self, revision: int, share: float, actor: str) -> Canary:
        """Have a share, above 0 and below 1, answered by a release; any other canary ends."""
        made = Canary(revision=revision, share=share, at=now(), actor=actor)
        with self._transaction() as c:
            flying = update(t.canaries).where(t.canaries.c.ended_at.is_(None))
            c.execute(flying.values(ended_at=made.at, ended_by=actor, why=f"release {revision} took its place"))
            c.execute(insert(t.canaries).values(**made.model_dump()))
        return made

    def end_canary(self, by: str, why: str) -> Canary | None:
        """Have the live release answer everybody; gives the canary that was ended."""
        standing = self.canary()
        with self._transaction() as c:
            c.execute(update(t.canaries).where(t.canaries.c.ended_at.is_(None)).values(ended_at=now(), ended_by=by, why=why))
        return standing

    def last_canary(self) -> EndedCanary | None:
        """The one that ended last."""
        query = select(t.canaries).where(t.canaries.c.ended_at.is_not(None)).order_by(t.canaries.c.id.desc())
        with self._transaction() as c:
            row = c.execute(query).mappings().first()
        return EndedCanary(**{k: row[k] for k in EndedCanary.model_fields}) if row else None
