"""Conditions on metadata, held against what this principal's documents have, and made into what an engine can compare."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias

from search_index.engine.interface import DocumentFacts, IndexReader, Visibility
from search_index.engine.stored_point import METADATA_FIELDS
from search_index.errors import FilterInvalid
from search_index.model.filters import Filters, MetadataCondition, Scalar, Wanted, instant_of, values_of

Kind: TypeAlias = Literal["number", "text", "true or false"]
KINDS: Final[dict[Kind, MetadataCondition]] = {
    "number": MetadataCondition(gte=-1.7e308),
    "true or false": MetadataCondition(any=[True, False]),
}
SHOWN: Final = 40
"""Fields that an error names."""


def kinds_of(reader: IndexReader, seen: Visibility, field: str) -> frozenset[Kind]:
    """What the visible documents have in a metadata field; empty where none has it, or none that may be read.

    Args:
        seen: without filters.
    """

    known = reader.metadata_fields
    if field not in known and len(known) < METADATA_FIELDS:
        return frozenset()  # without a look at every payload, which a field that has no index takes

    def having(wanted: MetadataCondition) -> int:
        return reader.count(replace(seen, filters=Filters(metadata={field: wanted})))

    found = {kind: count for kind, wanted in KINDS.items() if (count := having(wanted))}
    if having(MetadataCondition(exists=True)) > sum(found.values()):
        found["text"] = 1
    return frozenset(found)


def checked(field: str, kinds: frozenset[Kind], wanted: Wanted | None, known: Callable[[], Iterable[str]]) -> None:
    """Make sure that a field is there and that what it is compared with is of its kind.

    Args:
        wanted: what the filter says; None for a facet, which only has to be there.
        known: the fields there are, for the error.

    Raises:
        FilterInvalid: it is not. A field of documents that may not be read is as good as none.
    """
    if not kinds:
        named = sorted(known())
        more = f" and {len(named) - SHOWN} more" if len(named) > SHOWN else ""
        there = f"There are: {', '.join(named[:SHOWN])}{more}." if named else "No document that you may read has any."
        raise FilterInvalid(f"No document that you may read has the metadata field {field!r}.", there)
    values: list[Scalar] = [] if wanted is None else values_of(wanted)
    if isinstance(wanted, MetadataCondition):
        values += wanted.bounds
    for value in values:
        kind: Kind = "true or false" if isinstance(value, bool) else "text" if isinstance(value, str) else "number"
        if kind not in kinds:
            raise FilterInvalid(
                f"The metadata field {field!r} holds {' and '.join(sorted(kinds))}, and is compared with {kind}.",
                "Compare it with what it holds; a date in quotes is text.",
            )


def resolved(filters: Filters, facts: Callable[[], Mapping[str, DocumentFacts]]) -> Filters:
    """The filters with each range of dates turned into the values of the release that lie within it, which is all an engine compares.

    Which values those are shows nothing: they only narrow what is visible.
    """
    changed: dict[str, Wanted] = {}
    for field, wanted in filters.metadata.items():
        if isinstance(wanted, MetadataCondition) and any(isinstance(bound, str) for bound in wanted.bounds):
            within = [text for text in _texts(facts(), field) if _between(instant_of(text), wanted)]
            if wanted.any is not None:
                within = [text for text in within if text in wanted.any]
            changed[field] = MetadataCondition.model_construct(
                gte=None, gt=None, lte=None, lt=None, any=list[Scalar](within), none=wanted.none, exists=wanted.exists
            )
    return filters.model_copy(update={"metadata": {**filters.metadata, **changed}}) if changed else filters


def _texts(facts: Mapping[str, DocumentFacts], field: str) -> list[str]:
    found: set[str] = set()
    for each in facts.values():
        value = each.metadata.get(field)
        found.update(text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str))
    return sorted(found)


def _between(instant: datetime | None, wanted: MetadataCondition) -> bool:
    if instant is None:
        return False
    gte, gt, lte, lt = ((instant_of(end) if isinstance(end, str) else None) for end in (wanted.gte, wanted.gt, wanted.lte, wanted.lt))
    earliest, latest = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    above = instant >= (gte or earliest) and (gt is None or instant > gt)
    return above and instant <= (lte or latest) and (lt is None or instant < lt)
