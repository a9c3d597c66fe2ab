"""The engine over a Qdrant server: one collection for an index, and every revision staged into it in place.

A collection is called ``<prefix>_<index>_r0000001_<token>``, after the revision it was begun with: an index that is built from nothing
once more, while older releases are kept, gets another, and homes that share a server never have the same. Ledger, term statistics and what
a revision is lie beside the lake (``server_ledger``). No reader waits for a writer, since a search sees its own revision only. In this
order:

1. What was staged after the head and never published is taken back: points that begin after it are deleted, points that end after it are
   open again. Neither is seen by the head or anything before it, so it may be done at any instant and any number of times.
2. ``staged.json`` says which collection the revision will be in. From here on, whoever finds it without ``about.json`` knows what to undo.
3. Points that the *head's* ledger dropped are deleted. The head is published, so no discard can need them again; those that the new
   revision drops stay until it is the head itself.
4. New points are added with ``valid_from = r``, then retired ones get ``valid_to = r``. Readers of older revisions see neither.
5. Ledger and statistics are written. ``publish`` counts what the revision sees, then writes ``about.json``; the catalog points at it last.

A process killed in 1 to 5 leaves the head's answers as they were; ``recover`` finds the folder that nobody points at and goes back to 1.
A discard takes ``about.json`` away first, then the points, then the folder, and so can be killed anywhere as well. The points of a release
that is no longer retained go when the second release after is staged; a reader from before then refuses it (``ServerReader.check``).
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property

import pyarrow as pa
from qdrant_client import QdrantClient

from search_index.bm25 import Bm25Settings
from search_index.engine import ledger as ledgers
from search_index.engine import tenant_statistics
from search_index.engine.about import answers_for, oldest_of, statistics_needed
from search_index.engine.directory import name_of
from search_index.engine.interface import LEDGER, POINTS, Candidate, Delta, Engine, Kept, Superseded
from search_index.engine.server_checks import ensure_whole, strays
from search_index.engine.server_client import Server
from search_index.engine.server_collection import Collection
from search_index.engine.server_ledger import LedgerFolders, Place, ServerAbout
from search_index.engine.server_reader import ServerReader
from search_index.engine.tenant_statistics import ByTenant
from search_index.engine.verification import differences
from search_index.errors import HomeDamaged, PlumblineError, RevisionUnknown, WrongUsage


class ServerCandidate(Candidate):
    """See ``Candidate``."""

    def __init__(self, engine: ServerEngine, index: str, about: ServerAbout) -> None:
        self._engine, self._index, self._about = engine, index, about

    @property
    def index(self) -> str:
        """The index it belongs to."""
        return self._index

    @property
    def revision(self) -> int:
        """The revision it would become."""
        return self._about.revision

    @property
    def content(self) -> str:
        """The ledger's hash."""
        return self._about.content

    @property
    def answers_for(self) -> list[int] | None:
        """Older revisions that it answers for as well."""
        return self._about.retained

    def reader(self) -> ServerReader:
        """Search what was staged."""
        return self._engine.reader_of(self._index, self._about)

    def ledger(self) -> pa.Table:
        """Read the ledger alone."""
        return self._engine.folders.ledger(self._index, self._about)

    def publish(self) -> None:
        """Make sure that all of it is there, and say so beside the lake."""
        folders = self._engine.folders
        if folders.finished(self._index, self.revision):
            return
        if folders.place(self._index, self.revision) is None:
            raise HomeDamaged(f"Revision {self.revision} was discarded and cannot be published.", "Stage it again.")
        self.reader().close()
        folders.finish(self._index, self._about)

    def discard(self) -> None:
        """Take back whatever it changed."""
        self._engine.take_back(self._index, self.revision)


class ServerEngine(Engine):
    """See ``Engine``. Only one process may stage at a time: whoever has the writer's lease.

    Args:
        server: where the points are.
        folder: where the ledgers are, a folder or a URL; made when the first revision is staged.
        connect: makes the client, of which one is shared by all readers and closed with the engine.
    """

    def __init__(self, server: Server, folder: str, connect: Callable[[Server], QdrantClient]) -> None:
        self._server, self._folder, self._connect = server, folder, connect

    @cached_property
    def folders(self) -> LedgerFolders:
        """The ledgers."""
        return LedgerFolders(self._folder)

    @cached_property
    def _client(self) -> QdrantClient:
        return self._connect(self._server)

    def collection(self, index: str, place: Place) -> Collection:
        """A collection of an index."""
        return Collection(self._client, self._server, f"{self._server.prefix}_{index}_{name_of(place.begun)}_{place.token}")

    def stage(
        self,
        index: str,
        head: int | None,
        revision: int,
        delta: Delta,
        bm25: Bm25Settings,
        dimension: int,
        retained: Sequence[int] | None,
    ) -> ServerCandidate:
        """Apply ``delta`` to the head's collection, or to a new one, where nobody sees it."""
        if head is not None and head >= revision:
            raise WrongUsage(f"Revision {revision} cannot follow {head}.", "Give a revision that was never used.")
        if not delta.added.schema.equals(POINTS):
            delta = Delta(delta.added.select(POINTS.names).cast(POINTS), delta.retired)
        before = self.folders.about(index, head) if head is not None else None
        if before and not (bm25.follows(before.bm25) and before.dimension == dimension):
            raise WrongUsage(f"Index {index} was made with other BM25 settings or another dimension.", "Stage another index.")
        rows = self.folders.ledger(index, before) if before else LEDGER.empty_table()
        plan = ledgers.plan(rows, delta, revision, retained)
        place = before.place if before else Place(begun=revision, token=uuid.uuid4().hex[:12])
        self.take_back(index, revision)
        stored = self.collection(index, place)
        if before:
            self._rewind(index, before)
        with self._taken_back_on_failure(index, revision):
            self.folders.begin(index, revision, place)
            if before:
                stored.delete(self.folders.vacuumed(index, before.revision))
            else:
                stored.create(dimension)
            fields = dict(before.fields) if before else {}
            added = list(stored.add(delta.added, revision, bm25, dimension, fields))
            stored.retire(plan.closed["point_id"].to_pylist(), revision)
            merged, answered = ledgers.merged(plan.kept, added), answers_for(before, retained)
            statistics = self._statistics(index, before, revision, delta, plan.closed, answered)
            self.folders.fill(index, revision, merged, statistics, plan.vacuumed)
        about = ServerAbout(
            revision=revision,
            oldest=oldest_of(before, revision, answered),
            points=merged.num_rows,
            dimension=dimension,
            bm25=bm25,
            content=ledgers.content_hash(merged),
            fields=fields,
            retained=answered,
            place=place,
        )
        return ServerCandidate(self, index, about)

    def open(self, index: str, revision: int, head: int | None = None) -> ServerReader:
        """Open the newest published revision that holds ``revision``."""
        return self.reader_of(index, self._holding(index, revision, head))

    def ledger(self, index: str, revision: int, head: int | None = None) -> pa.Table:
        """Read the ledger of that revision."""
        return self.folders.ledger(index, self._holding(index, revision, head))

    def recover(self, keep: Kept) -> list[str]:
        """Take back what was staged and never pointed at; remove ledgers and collections that are superseded."""
        going = {(each.index, each.revision): each.why for each in self.superseded(keep)}
        for index, revision in going:
            self.folders.unfinish(index, revision)
        done: list[str] = []
        for index in self.folders.indexes():
            done += self._taken_back(index, keep)
            for revision in self.folders.revisions(index):
                if not self.folders.finished(index, revision):
                    self.folders.remove(index, revision)
                    why = f"was {going[index, revision]}" if (index, revision) in going else "an interrupted run left"
                    done.append(f"Removed {index}/{name_of(revision)}, which {why}.")
        return done

    def superseded(self, keep: Kept) -> list[Superseded]:
        """Ledgers of all but the newest releases of each collection that holds something to be kept."""
        found = []
        for index in self.folders.indexes():
            kept, lineages = self._kept(index, keep), self.folders.lineages(index)
            staying = {revision for pointed in kept.values() for revision in pointed[-max(keep.reserves, 1) :]}
            for revision, begun in lineages.begun.items():
                if revision not in staying and self.folders.finished(index, revision):
                    published = (index, revision) in keep.published
                    why = "never published" if not published else "superseded" if begun in kept else "of an index no kept release is in"
                    found.append(Superseded(index, revision, self.folders.size(index, revision), why))
        return found

    def verify(self, index: str, revision: int) -> list[str]:
        """Compare every stored point with its row, the statistics with a recount, and what is stored with what is known."""
        about = self.folders.about(index, revision)
        stored = self.collection(index, about.place)
        if not stored.exists():
            return [f"The collection {stored.name} is missing."]
        reader = ServerReader(index, about, self.folders.ledger(index, about), stored, self.folders)
        return differences(reader, revision) + strays(reader, stored)

    def size_of(self, index: str, revision: int) -> int:
        """Bytes of the revision's ledger and, at least, of the vectors of its points; the server does not say what a collection takes."""
        about = self.folders.about(index, revision)
        return self.folders.size(index, revision) + 4 * about.points * about.dimension

    def close(self) -> None:
        """Close the client, if there ever was one."""
        if "_client" in self.__dict__:
            self._client.close()
            del self._client

    def reader_of(self, index: str, about: ServerAbout) -> ServerReader:
        """A reader of a revision, published or staged, once its collection has been held against its ledger."""
        stored = self.collection(index, about.place)
        reader = ServerReader(index, about, self.folders.ledger(index, about), stored, self.folders)
        ensure_whole(reader, stored)
        return reader

    def take_back(self, index: str, revision: int) -> None:
        """Undo whatever a revision changed and remove its folder; nothing where there is none."""
        if revision not in self.folders.revisions(index):
            return
        place = self.folders.place(index, revision)
        self.folders.unfinish(index, revision)
        if place and place.begun == revision:
            self.collection(index, place).drop()
        elif place:
            self.collection(index, place).undo(revision)
        self.folders.remove(index, revision)

    def _holding(self, index: str, revision: int, head: int | None) -> ServerAbout:
        for held in reversed(self.folders.revisions(index)):
            if held < revision:
                break
            if (head is None or held <= head) and self.folders.finished(index, held):
                about = self.folders.about(index, held)
                if about.holds(revision):
                    return about
        raise RevisionUnknown(f"No ledger of index {index} holds revision {revision}.", "Ask for a revision that is retained.")

    def _rewind(self, index: str, head: ServerAbout) -> None:
        """Take back every revision of the head's collection that is newer than the head."""
        for later in self.folders.revisions(index):
            if later > head.revision and self.folders.place(index, later) == head.place:
                self.take_back(index, later)
        self.collection(index, head.place).rewind(head.revision)

    def _statistics(
        self, index: str, before: ServerAbout | None, revision: int, delta: Delta, closed: pa.Table, answered: Sequence[int] | None
    ) -> dict[int, ByTenant]:
        saved = self.folders.statistics(index, before.revision) if before else []
        newest = self.folders.load_statistics(index, before.revision, saved[-1]) if before and saved else {}
        needed = statistics_needed([*saved, revision], answered)
        older = {of: self.folders.load_statistics(index, before.revision, of) for of in saved if of in needed} if before else {}
        return {**older, revision: tenant_statistics.updated(newest, delta.added, closed)}

    @contextlib.contextmanager
    def _taken_back_on_failure(self, index: str, revision: int) -> Iterator[None]:
        try:
            yield
        except BaseException:
            with contextlib.suppress(PlumblineError):  # what cannot be undone now, the next run's ``recover`` undoes
                self.take_back(index, revision)
            raise

    def _kept(self, index: str, keep: Kept) -> dict[int, list[int]]:
        """Collections of an index that a kept release is in, with their published revisions."""
        published, retained = ([revision for of, revision in each if of == index] for each in (keep.published, keep.retained))
        return self.folders.lineages(index).kept(published, retained)

    def _taken_back(self, index: str, keep: Kept) -> list[str]:
        """Drop collections that nothing needs and take back in the others what is newer than their last published revision."""
        done, kept = [], self._kept(index, keep)
        places = {place for revision in self.folders.revisions(index) if (place := self.folders.place(index, revision))}
        for place in sorted(places, key=lambda each: each.begun):
            stored = self.collection(index, place)
            if place.begun not in kept:
                stored.drop()
            elif stored.exists() and (changed := stored.rewind(kept[place.begun][-1])):
                done.append(f"Took back {changed} points of {stored.name}, which an interrupted run had staged.")
        return done
