"""What a sight shows of documents beside passages: which there are, and which metadata fields they have. Kept by all that decides it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from search_index.answering.facets import counted, metadata_name
from search_index.answering.metadata import Kind, checked, kinds_of, resolved
from search_index.engine.interface import IndexReader, Visibility
from search_index.keeping import keeping
from search_index.model.filters import Filters
from search_index.model.passage import Facet


class _Sight(NamedTuple):
    """A visibility without filters, as a key of what is kept: nobody is given what was found out for another's."""

    revision: int
    tenant: str
    groups: frozenset[str]
    excluded: frozenset[str]

    def through(self, filters: Filters) -> Visibility:
        return Visibility(self.revision, self.tenant, self.groups, filters, self.excluded)


def _sight_of(seen: Visibility) -> _Sight:
    return _Sight(seen.revision, seen.tenant, seen.groups, seen.excluded_documents)


class Sighted:
    """Asks a reader, and keeps some answers."""

    def __init__(self, reader: IndexReader) -> None:
        self._reader = reader
        self._kinds = keeping(256, self._kinds_of)
        self._documents = keeping(8, self._documents_of)

    def narrowed(self, seen: Visibility, filters: Filters) -> Visibility:
        """What is left of ``seen``, which has no filters yet, once ``filters`` are applied; ready for an engine.

        Raises:
            FilterInvalid: a metadata field is not there, or is compared with another kind of value.
            RevisionUnknown: the reader does not hold the revision.
        """
        if not filters.metadata:
            return replace(seen, filters=filters)
        self._reader.check(seen.revision)
        sight = _sight_of(seen)
        for field, wanted in filters.metadata.items():
            checked(field, self._kinds(field, sight), wanted, lambda: self._fields(sight))
        return replace(seen, filters=resolved(filters, lambda: self._reader.facts(seen.revision)))

    def check_facets(self, names: Sequence[str], seen: Visibility) -> None:
        """Make sure that there are such facets.

        Raises:
            FilterInvalid: there is none of a name.
            RevisionUnknown: the reader does not hold the revision.
        """
        sight = _sight_of(seen)
        for name in names:
            counted(name, [], {}, 0)
            if (field := metadata_name(name)) is not None:
                self._reader.check(seen.revision)
                checked(field, self._kinds(field, sight), None, lambda: self._fields(sight))

    def facets(self, names: Sequence[str], seen: Visibility, filters: Filters, limit: int) -> dict[str, Facet]:
        """How many documents that ``filters`` let through have which value of each facet, at most ``limit`` values of one."""
        documents = self._documents(_sight_of(seen), filters.model_dump_json(exclude_defaults=True))
        facts = self._reader.facts(seen.revision)
        return {name: counted(name, documents, facts, limit) for name in names}

    def _documents_of(self, sight: _Sight, filters: str) -> tuple[str, ...]:
        narrowed = resolved(Filters.model_validate_json(filters), lambda: self._reader.facts(sight.revision))
        return tuple(self._reader.documents(sight.through(narrowed)))

    def _kinds_of(self, field: str, sight: _Sight) -> frozenset[Kind]:
        return kinds_of(self._reader, sight.through(Filters()), field)

    def _fields(self, sight: _Sight) -> list[str]:
        """The metadata fields that some visible document has."""
        return [field for field in self._reader.metadata_fields if self._kinds(field, sight)]
