"""Verdicts, and which of them decided a release."""

from __future__ import annotations

import hmac
from datetime import datetime

from sqlalchemy import delete, insert, select

from search_index.catalog import tables as t
from search_index.catalog.database import Database
from search_index.model.release import Verdict, signature_of


class Verdicts(Database):
    """What checks found. Nothing is overwritten."""

    def add_verdicts(self, found: list[Verdict]) -> None:
        """Keep verdicts; nothing is overwritten, the latest on the same inputs counts."""
        if not found:
            return
        with self._transaction() as c:
            c.execute(
                insert(t.verdicts),
                [
                    {
                        "check": v.check,
                        "subject": v.subject,
                        "inputs_digest": v.inputs_digest,
                        "outcome": v.outcome,
                        "severity": v.severity,
                        "body": v.model_dump_json(),
                        "at": v.at,
                        "signature": self._signature(v.model_dump_json()),
                    }
                    for v in found
                ],
            )

    def verdicts_on(self, subject: str, inputs: set[str]) -> list[Verdict]:
        """The latest verdict of each check of ``subject`` whose inputs have one of these digests.

        One that is not what was signed does not count: it is as if the check had not been made.
        """
        with self._transaction() as c:
            query = select(t.verdicts.c.id, t.verdicts.c.body, t.verdicts.c.signature).where(
                t.verdicts.c.subject == subject, t.verdicts.c.inputs_digest.in_(inputs)
            )
            rows = c.execute(query.order_by(t.verdicts.c.id)).all()
        found = (_verdict(id, body) for id, body, signature in rows if self._signed(body, signature))
        return list({(v.check, v.inputs_digest): v for v in found}.values())

    def failed_checks(self, subject: str, since: datetime) -> list[str]:
        """Names of the checks that failed with severity error since an instant, each once: what may have held a source."""
        query = select(t.verdicts.c.check).where(
            t.verdicts.c.subject == subject, t.verdicts.c.outcome == "failed", t.verdicts.c.severity == "error", t.verdicts.c.at >= since
        )
        with self._transaction() as c:
            return sorted(set(c.execute(query).scalars()))

    def _signature(self, body: str) -> str | None:
        return signature_of(f"verdict\n{body}", self._key()) if self._key is not None else None

    def _signed(self, body: str, signature: str | None) -> bool:
        expected = self._signature(body)
        return expected is None or hmac.compare_digest(expected, signature or "")

    def record_decision(self, revision: int, decided_by: list[Verdict]) -> None:
        """Remember which verdicts decided a release."""
        with self._transaction() as c:
            c.execute(delete(t.release_verdicts).where(t.release_verdicts.c.revision == revision))
            rows = [{"revision": revision, "verdict": v.id} for v in decided_by if v.id is not None]
            if rows:
                c.execute(insert(t.release_verdicts), rows)

    def verdicts(self, revision: int) -> list[Verdict]:
        """The verdicts that decided a release, by subject and check."""
        query = (
            select(t.verdicts.c.id, t.verdicts.c.body)
            .join(t.release_verdicts, t.release_verdicts.c.verdict == t.verdicts.c.id)
            .where(t.release_verdicts.c.revision == revision)
            .order_by(t.verdicts.c.subject, t.verdicts.c.check)
        )
        with self._transaction() as c:
            return [_verdict(*row) for row in c.execute(query)]


def _verdict(id: int, body: str) -> Verdict:
    return Verdict.model_validate_json(body).model_copy(update={"id": id})
