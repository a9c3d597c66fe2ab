"""Releases and the live pointer."""

from __future__ import annotations

import contextlib
from datetime import datetime
from typing import Literal

from pydantic import JsonValue as Json
from pydantic import ValidationError
from sqlalchemy import delete, func, insert, select, update

from search_index.catalog import tables as t
from search_index.catalog.database import Database
from search_index.errors import NothingPublished, Refused, RevisionUnknown
from search_index.model.operating import Freeze
from search_index.model.release import Manifest, Pointer, ReleaseRecord, canonical_json, now


class Releases(Database):
    """Every revision ever taken, and which of them answers."""

    def pointer(self) -> Pointer:
        """Which release is live, which is the head, and whether publishing is paused."""
        with self._transaction() as c:
            row = c.execute(select(t.pointer)).mappings().first()
        return Pointer(**{k: row[k] for k in Pointer.model_fields}) if row else Pointer(live=None, head=None, paused=None, updated_at=now())

    def release(self, revision: int) -> ReleaseRecord:
        """The release of one revision.

        Errors:
            RevisionUnknown: there is none.
        """
        with self._transaction() as c:
            row = c.execute(select(t.releases).where(t.releases.c.revision == revision)).mappings().first()
        if row is None:
            raise RevisionUnknown(f"There is no release {revision}.", "`plumbline releases list` shows those there are.")
        return _record(dict(row))

    def releases(self, limit: int = 50, published_only: bool = False) -> list[ReleaseRecord]:
        """Releases, newest first."""
        query = select(t.releases).order_by(t.releases.c.revision.desc()).limit(limit)
        if published_only:
            query = query.where(t.releases.c.published_at.is_not(None))
        with self._transaction() as c:
            return [_record(dict(row)) for row in c.execute(query).mappings()]

    def resolve(self, as_of: int | datetime | None) -> ReleaseRecord:
        """The live release, a published one by revision, or the one that was live at an instant.

        Errors:
            NothingPublished: nothing has been published yet.
            RevisionUnknown: that revision was never published, or nothing was live at that instant.
        """
        if as_of is None:
            live = self.pointer().live
            if live is None:
                raise NothingPublished("Nothing is published yet.", "Run `plumbline ingest PATH` first.")
            return self.release(live)
        if isinstance(as_of, datetime):
            with self._transaction() as c:
                moves = t.pointer_moves.c
                found = c.execute(select(moves.live).where(moves.at <= as_of).order_by(moves.id.desc()).limit(1)).scalar()
            if found is None:
                raise RevisionUnknown(f"Nothing was live at {as_of.isoformat()}.", "`plumbline releases list` shows when each went live.")
            return self.release(found)
        record = self.release(as_of)
        if record.published_at is None:
            raise RevisionUnknown(f"Release {as_of} was never published.", "`plumbline releases list` shows those that were.")
        return record

    def begin(self, run_id: str) -> int:
        """Take the next revision for a candidate. A number once taken is never used again."""
        with self._alone() as c:
            revision = (c.execute(select(func.max(t.releases.c.revision))).scalar() or 0) + 1
            c.execute(
                insert(t.releases).values(
                    revision=revision,
                    status="candidate",
                    run_id=run_id,
                    created_at=now(),
                    manifest=None,
                    signature=None,
                    reasons=[],
                    scores={},
                )
            )
        return revision

    def record_manifest(self, manifest: Manifest, signature: str | None) -> None:
        """Write what the candidate turned out to be.

        Args:
            signature: None until its gates let it through: what was only staged is not signed, and so never served.
        """
        with self._transaction() as c:
            c.execute(
                update(t.releases)
                .where(t.releases.c.revision == manifest.revision, t.releases.c.status == "candidate")
                .values(manifest=canonical_json(manifest.model_dump(mode="json")), signature=signature)
            )

    def record_scores(self, revision: int, scores: dict[str, Json]) -> None:
        """Write what the evaluation measured."""
        with self._transaction() as c:
            c.execute(update(t.releases).where(t.releases.c.revision == revision).values(scores=scores))

    def record_overridden(self, revision: int, overridden: list[str]) -> None:
        """Write which failed verdicts an override excused, a sentence each."""
        with self._transaction() as c:
            c.execute(update(t.releases).where(t.releases.c.revision == revision).values(overridden=overridden))

    def publish(self, revision: int, expected_head: int | None, actor: str) -> None:
        """Make a candidate live: one transaction, compare-and-swap on the head.

        Errors:
            Refused: the head moved since the candidate was staged, publishing is paused or frozen, or it is no candidate.
        """
        self._publish(revision, expected_head, actor, None)

    def publish_beside(self, revision: int, expected_head: int | None, actor: str) -> None:
        """The same, but what is live stays so, and publishing pauses until it is resumed. Where nothing is live, it goes live.

        Errors:
            Refused: as ``publish``.
        """
        self._publish(revision, expected_head, actor, f"release {revision} waits beside the live one")

    def _publish(self, revision: int, expected_head: int | None, actor: str, waits: str | None) -> None:
        with self._alone() as c:
            row = c.execute(select(t.pointer)).mappings().first()
            head, live, paused = (row["head"], row["live"], row["paused"]) if row else (None, None, None)
            if paused:
                raise Refused(f"Publishing is paused: {paused}.", "`plumbline releases resume` lifts it.")
            frozen = c.execute(select(t.freezes).where(t.freezes.c.ended_at.is_(None))).mappings().first()
            if frozen:
                freeze = Freeze(at=frozen["at"], actor=frozen["actor"], reason=frozen["reason"])
                raise Refused(f"{freeze.says[0].upper()}{freeze.says[1:]}.", "`plumbline releases resume` lifts it.")
            if head != expected_head:
                raise Refused(
                    f"Release {revision} was staged against {expected_head}, but the head is {head} now.", "Run the ingest again."
                )
            at = now()
            done = c.execute(
                update(t.releases)
                .where(t.releases.c.revision == revision, t.releases.c.status == "candidate", t.releases.c.manifest.is_not(None))
                .values(status="retired" if waits and live is not None else "live", published_at=at)
            )
            if done.rowcount != 1:
                raise Refused(f"Release {revision} is not a candidate.", "Run the ingest again.")
            c.execute(delete(t.pointer))
            if waits and live is not None:
                c.execute(insert(t.pointer).values(id=1, live=live, head=revision, paused=waits, updated_at=at))
                c.execute(insert(t.pointer_moves).values(at=at, live=live, action="beside", actor=actor, reason=waits))
                return
            if live is not None:
                c.execute(update(t.releases).where(t.releases.c.revision == live).values(status="retired"))
            c.execute(insert(t.pointer).values(id=1, live=revision, head=revision, paused=None, updated_at=at))
            c.execute(insert(t.pointer_moves).values(at=at, live=revision, action="publish", actor=actor, reason=""))

    def reject(self, revision: int, reasons: list[str]) -> None:
        """Record that a candidate was discarded, and why. If it was signed, it no longer is."""
        with self._transaction() as c:
            c.execute(
                update(t.releases)
                .where(t.releases.c.revision == revision, t.releases.c.status == "candidate")
                .values(status="rejected", reasons=reasons, signature=None)
            )

    def move_live(self, revision: int, action: Literal["rollback", "resume"], actor: str, reason: str, paused: str | None) -> None:
        """Point at another published release and pause or resume publishing; the head stays."""
        with self._alone() as c:
            at = now()
            live = c.execute(select(t.pointer.c.live)).scalar()
            c.execute(update(t.releases).where(t.releases.c.revision == live).values(status="retired"))
            done = c.execute(
                update(t.releases).where(t.releases.c.revision == revision, t.releases.c.published_at.is_not(None)).values(status="live")
            )
            if done.rowcount != 1:
                raise RevisionUnknown(f"Release {revision} was never published.", "`plumbline releases list` shows those that were.")
            c.execute(update(t.pointer).values(live=revision, paused=paused, updated_at=at))
            c.execute(insert(t.pointer_moves).values(at=at, live=revision, action=action, actor=actor, reason=reason))

    def abandoned(self) -> list[int]:
        """Revisions still marked candidate: with the lease in hand, what a killed run left."""
        with self._transaction() as c:
            return list(c.execute(select(t.releases.c.revision).where(t.releases.c.status == "candidate")).scalars())


def _record(row: dict[str, object]) -> ReleaseRecord:
    """A row as a release. A manifest that cannot be read is none: such a release is not trusted, and the others can still be listed."""
    text, overridden = row.pop("manifest"), row.pop("overridden")
    manifest = None
    if isinstance(text, str):
        with contextlib.suppress(ValidationError):
            manifest = Manifest.model_validate_json(text)
    return ReleaseRecord(manifest=manifest, signed_text=text, overridden=overridden or [], **row)  # type: ignore[arg-type]
