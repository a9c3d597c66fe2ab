"""The overlay: documents that fewer may read than releases say, written at once and read by the service several times a second.

Making it narrower takes nothing but the document. Making it wider, or taking an entry away, lets more through, and is for
``settle_narrowed`` alone, which a run calls when no gate stands against it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from sqlalchemy import Connection, delete, insert, select, update

from search_index.catalog import tables as t
from search_index.catalog.database import Database
from search_index.model.overlay import OverlayEntry, Why
from search_index.model.release import now
from search_index.withholding import Overlay

_AT_ONCE = 500
_FIELDS = tuple(OverlayEntry.model_fields)


class Overlays(Database):
    """Narrowed and erased documents. Every change raises the overlay's version by one."""

    def overlay_version(self) -> int:
        """Which overlay holds; 0 while there never was one."""
        with self._transaction() as c:
            return int(c.execute(select(t.overlay_version.c.version)).scalar() or 0)

    def overlay(self) -> Overlay:
        """The overlay that holds."""
        version = self.overlay_version()  # read first: what is written in between has a later one, and is read again next time
        return Overlay(version, self.overlay_entries())

    def overlay_entries(self, source: str | None = None) -> list[OverlayEntry]:
        """The entries of one source or of all, by document."""
        query = select(t.overlay).order_by(t.overlay.c.document_id)
        with self._transaction() as c:
            rows = c.execute(query if source is None else query.where(t.overlay.c.source == source)).mappings().all()
        return [OverlayEntry(**{name: row[name] for name in _FIELDS}) for row in rows]

    def overlaid(self) -> dict[Why, int]:
        """How many documents are in it, and why."""
        with self._transaction() as c:
            return dict(Counter(c.execute(select(t.overlay.c.why)).scalars()))

    def narrow_documents(self, source: str, tenant: str, may_read: Mapping[str, frozenset[str]], by: str) -> int:
        """Let only these groups of a tenant read documents, by id.

        Nobody gains by it: of an entry that stands, only the groups in both are left, and none if it is another tenant's.

        Args:
            by: the run or the person that says so.

        Returns:
            How many entries it made or narrowed.
        """
        with self._alone() as c:
            standing = _standing(c, may_read)
            wanted = {document: _narrower(standing.get(document), tenant, groups) for document, groups in may_read.items()}
            changed = {d: groups for d, groups in wanted.items() if d not in standing or groups != standing[d].groups}
            fresh = {"source": source, "tenant": tenant, "why": "narrowed", "since": now(), "by": by}
            _write(c, [_entry(standing.get(document), document, groups, fresh) for document, groups in changed.items()])
        return len(changed)

    def erase_documents(self, documents: Mapping[str, str], by: str) -> int:
        """Let nobody read documents any more, in no release; the first step of an erasure, after which the rest has time.

        Args:
            documents: source by id. What is not known, or not yet, may be named too.

        Returns:
            How many of them were not erased before.
        """
        with self._alone() as c:
            standing = _standing(c, documents)
            fresh = {d: source for d, source in documents.items() if d not in standing or standing[d].why != "erased"}
            at = now()
            _write(
                c,
                [
                    OverlayEntry(document_id=document, source=source, why="erased", groups=frozenset(), since=at, by=by)
                    for document, source in fresh.items()
                ],
            )
        return len(fresh)

    def settle_narrowed(self, source: str, tenant: str, may_read: Mapping[str, frozenset[str]], leaving: Iterable[str]) -> int:
        """Bring narrowed entries of a source to what its published state says, wider ones too. Erased documents stay as they are.

        Args:
            may_read: groups by document, of entries that go on; one that has no entry gets none.
            leaving: documents whose every retained index says the same as the entry.

        Returns:
            How many entries changed or left.
        """
        gone = set(leaving)
        with self._alone() as c:
            standing = {d: e for d, e in _standing(c, [*may_read, *gone]).items() if (e.why, e.source) == ("narrowed", source)}
            left = sorted(gone & standing.keys())
            for portion in _portions(left):
                c.execute(delete(t.overlay).where(t.overlay.c.document_id.in_(portion)))
            staying = {document: standing[document] for document in may_read if document in standing and document not in gone}
            settled = [entry.model_copy(update={"tenant": tenant, "groups": may_read[document]}) for document, entry in staying.items()]
            changed = [entry for entry in settled if entry != standing[entry.document_id]]
            _write(c, changed)
            if left and not changed:
                _raise_version(c)
        return len(left) + len(changed)


def _narrower(standing: OverlayEntry | None, tenant: str, groups: frozenset[str]) -> frozenset[str]:
    if standing is None:
        return groups
    return groups & standing.groups if standing.tenant == tenant else frozenset()


def _entry(standing: OverlayEntry | None, document: str, groups: frozenset[str], fresh: Mapping[str, object]) -> OverlayEntry:
    if standing is not None:
        return standing.model_copy(update={"groups": groups})
    return OverlayEntry.model_validate({**fresh, "document_id": document, "groups": groups})


def _standing(connection: Connection, documents: Iterable[str]) -> dict[str, OverlayEntry]:
    found: dict[str, OverlayEntry] = {}
    for portion in _portions(documents):
        for row in connection.execute(select(t.overlay).where(t.overlay.c.document_id.in_(portion))).mappings():
            found[row["document_id"]] = OverlayEntry(**{name: row[name] for name in _FIELDS})
    return found


def _write(connection: Connection, entries: list[OverlayEntry]) -> None:
    if not entries:
        return
    for portion in _portions(entry.document_id for entry in entries):
        connection.execute(delete(t.overlay).where(t.overlay.c.document_id.in_(portion)))
    connection.execute(insert(t.overlay), [{**entry.model_dump(), "groups": sorted(entry.groups)} for entry in entries])
    _raise_version(connection)


def _raise_version(connection: Connection) -> None:
    raised = update(t.overlay_version).values(version=t.overlay_version.c.version + 1)
    if connection.execute(raised).rowcount == 0:
        connection.execute(insert(t.overlay_version).values(id=1, version=1))


def _portions(documents: Iterable[str]) -> Iterator[list[str]]:
    left = iter(documents)
    while portion := list(islice(left, _AT_ONCE)):
        yield portion
