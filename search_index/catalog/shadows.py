"""Which release shadows the live one, and how their answers differed."""

from __future__ import annotations

from sqlalchemy import delete, insert, select

from search_index.catalog import tables as t
from search_index.catalog.database import Database
from search_index.model.operating import Shadow, ShadowAnswer
from search_index.model.release import now

ANSWERS_KEPT = 100_000


class Shadows(Database):
    """At most one release shadows the live one."""

    def shadow(self) -> Shadow | None:
        """The release that is asked beside the live one."""
        with self._transaction() as c:
            row = c.execute(select(t.shadows)).mappings().first()
        return Shadow(revision=row["revision"], at=row["at"], actor=row["actor"]) if row else None

    def begin_shadow(self, revision: int, actor: str) -> Shadow:
        """Have a release asked beside the live one, in place of any other."""
        made = Shadow(revision=revision, at=now(), actor=actor)
        with self._transaction() as c:
            c.execute(delete(t.shadows))
            c.execute(insert(t.shadows).values(id=1, **made.model_dump()))
        return made

    def end_shadow(self) -> Shadow | None:
        """Stop it; what was written down stays. Gives the one that was ended."""
        standing = self.shadow()
        with self._transaction() as c:
            c.execute(delete(t.shadows))
        return standing

    def add_shadow_answers(self, answers: list[ShadowAnswer]) -> None:
        """Write answers down; the oldest beyond ``ANSWERS_KEPT`` go."""
        if not answers:
            return
        with self._transaction() as c:
            c.execute(insert(t.shadow_answers), [answer.model_dump() for answer in answers])
            oldest = c.execute(select(t.shadow_answers.c.id).order_by(t.shadow_answers.c.id.desc()).offset(ANSWERS_KEPT).limit(1)).scalar()
            if oldest is not None:
                c.execute(delete(t.shadow_answers).where(t.shadow_answers.c.id <= oldest))

    def shadow_answers(self, shadow: int) -> list[ShadowAnswer]:
        """What was written down of a release, oldest first."""
        query = select(t.shadow_answers).where(t.shadow_answers.c.shadow == shadow).order_by(t.shadow_answers.c.id)
        with self._transaction() as c:
            return [ShadowAnswer(**{k: row[k] for k in ShadowAnswer.model_fields}) for row in c.execute(query).mappings()]
