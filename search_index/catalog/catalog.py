"""One object for the catalog: opens, migrates, and offers what the rest of the house asks of it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import JsonValue as Json
from sqlalchemy import Connection, Engine, create_engine, delete, event, func, insert, inspect, select, text, update
from sqlalchemy.exc import DatabaseError, OperationalError, SQLAlchemyError

from search_index.catalog import tables as t
from search_index.errors import DiskFull, HomeDamaged, NothingPublished, PlumblineError, Refused, RevisionUnknown
from search_index.model.release import Manifest, Pointer, ReleaseRecord, Verdict, canonical_json, now
from search_index.model.state import Change, LaneState

_HEAD = "0001"


class Catalog:
    """Releases, the live pointer, verdicts, lane state and pending changes.

    Every method is one transaction. Instants are UTC.

    Errors:
        HomeDamaged: the database cannot be read or is from a newer version.
        DiskFull: it cannot be written for want of room.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @classmethod
    def open(cls, url: str) -> Catalog:
        """Open the database at a SQLAlchemy URL, making or migrating its tables when they are not there."""
        engine = create_engine(url, connect_args={"timeout": 30} if url.startswith("sqlite") else {})
        if url.startswith("sqlite"):
            Path(engine.url.database or "").parent.mkdir(parents=True, exist_ok=True)
            event.listen(engine, "connect", _sqlite_pragmas)
        catalog = cls(engine)
        with catalog._transaction() as c:
            if not inspect(c).has_table("alembic_version") or c.execute(text("select version_num from alembic_version")).scalar() != _HEAD:
                _migrate(c)
        return catalog

    def close(self) -> None:
        """Let go of every connection."""
        self._engine.dispose()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except PlumblineError:
            raise
        except OperationalError as e:
            if "full" in str(e.orig):
                raise DiskFull("The catalog cannot be written: the disk is full.", "Make room and run the command again.") from e
            raise HomeDamaged(
                f"The catalog at {self._engine.url.render_as_string()} cannot be used: {e.orig}.",
                "Check that the folder is readable and writable by this user; `plumbline doctor` says more.",
            ) from e
        except DatabaseError as e:
            raise HomeDamaged(
                f"The catalog at {self._engine.url.render_as_string()} is damaged: {e.orig}.",
                "Put back a copy of it; the tables and index directories beside it are untouched.",
            ) from e
        except SQLAlchemyError as e:
            raise HomeDamaged(
                f"The catalog at {self._engine.url.render_as_string()} cannot be used: {e}.", "See `plumbline doctor`."
            ) from e

    # releases and the pointer -------------------------------------------------------------------------------------

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
        with self._transaction() as c:
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

    def record_manifest(self, manifest: Manifest, signature: str) -> None:
        """Write what the candidate turned out to be."""
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

    def publish(self, revision: int, expected_head: int | None, actor: str) -> None:
        """Make a candidate live: one transaction, compare-and-swap on the head.

        Errors:
            Refused: the head moved since the candidate was staged, publishing is paused, or it is no candidate.
        """
        with self._transaction() as c:
            row = c.execute(select(t.pointer)).mappings().first()
            head, live, paused = (row["head"], row["live"], row["paused"]) if row else (None, None, None)
            if paused:
                raise Refused(f"Publishing is paused: {paused}.", "`plumbline releases resume` lifts it.")
            if head != expected_head:
                raise Refused(
                    f"Release {revision} was staged against {expected_head}, but the head is {head} now.", "Run the ingest again."
                )
            at = now()
            done = c.execute(
                update(t.releases)
                .where(t.releases.c.revision == revision, t.releases.c.status == "candidate", t.releases.c.manifest.is_not(None))
                .values(status="live", published_at=at)
            )
            if done.rowcount != 1:
                raise Refused(f"Release {revision} is not a candidate.", "Run the ingest again.")
            if live is not None:
                c.execute(update(t.releases).where(t.releases.c.revision == live).values(status="retired"))
            c.execute(delete(t.pointer))
            c.execute(insert(t.pointer).values(id=1, live=revision, head=revision, paused=None, updated_at=at))
            c.execute(insert(t.pointer_moves).values(at=at, live=revision, action="publish", actor=actor, reason=""))

    def reject(self, revision: int, reasons: list[str]) -> None:
        """Record that a candidate was discarded, and why."""
        with self._transaction() as c:
            c.execute(
                update(t.releases)
                .where(t.releases.c.revision == revision, t.releases.c.status == "candidate")
                .values(status="rejected", reasons=reasons)
            )

    def move_live(self, revision: int, action: Literal["rollback", "resume"], actor: str, reason: str, paused: str | None) -> None:
        """Point at another published release and pause or resume publishing; the head stays."""
        with self._transaction() as c:
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

    # verdicts -----------------------------------------------------------------------------------------------------

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
                    }
                    for v in found
                ],
            )

    def verdicts_on(self, subject: str, inputs: set[str]) -> list[Verdict]:
        """The latest verdict of each check of ``subject`` whose inputs have one of these digests."""
        with self._transaction() as c:
            query = select(t.verdicts.c.id, t.verdicts.c.body).where(
                t.verdicts.c.subject == subject, t.verdicts.c.inputs_digest.in_(inputs)
            )
            rows = c.execute(query.order_by(t.verdicts.c.id)).all()
        latest = {(v.check, v.inputs_digest): v for v in (_verdict(*row) for row in rows)}
        return list(latest.values())

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

    # lanes --------------------------------------------------------------------------------------------------------

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

    # changes that wait for a person -------------------------------------------------------------------------------

    def propose_change(self, change: Change) -> Change:
        """Record a change that needs accepting; a known one is returned as it stands."""
        with self._transaction() as c:
            row = c.execute(select(t.changes).where(t.changes.c.change == change.change)).mappings().first()
            if row is None:
                c.execute(insert(t.changes).values(**change.model_dump()))
                return change
        return Change(**dict(row))

    def changes(self, source: str | None = None) -> list[Change]:
        """Changes that wait or were accepted, newest first."""
        query = select(t.changes).order_by(t.changes.c.seen_at.desc())
        with self._transaction() as c:
            return [
                Change(**dict(row)) for row in c.execute(query if source is None else query.where(t.changes.c.source == source)).mappings()
            ]

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
            c.execute(update(t.changes).where(*of_it).values(accepted_at=now(), actor=actor, reason=reason))
            return Change(**dict(c.execute(select(t.changes).where(*of_it)).mappings().one()))


def _record(row: dict[str, object]) -> ReleaseRecord:
    manifest = row.pop("manifest")
    return ReleaseRecord(manifest=Manifest.model_validate_json(manifest) if isinstance(manifest, str) else None, **row)  # type: ignore[arg-type]


def _verdict(id: int, body: str) -> Verdict:
    return Verdict.model_validate_json(body).model_copy(update={"id": id})


def _sqlite_pragmas(connection: object, _: object) -> None:
    cursor = connection.cursor()  # type: ignore[attr-defined]
    # WAL lets the service read while a run writes; FULL makes a published pointer survive a power cut.
    cursor.execute("pragma journal_mode=wal")
    cursor.execute("pragma synchronous=full")
    cursor.close()


def _migrate(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except command.util.CommandError as e:  # type: ignore[attr-defined]
        raise HomeDamaged(
            f"The catalog is from another version of Plumbline: {e}.", "Install the version that wrote it, or a newer one."
        ) from e
