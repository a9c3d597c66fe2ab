"""What a query may see, as conditions any engine can translate into its own filter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from search_index.engine.interface import Visibility
from search_index.errors import WrongUsage
from search_index.model.filters import MetadataCondition, Scalar


@dataclass(frozen=True, slots=True)
class OneOf:
    """The field, or one of its values where it is a list, is one of ``values``; without values, or without the field, none matches."""

    key: str
    values: tuple[str, ...] | tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Between:
    """``at_least <= field <= at_most`` and ``above < field < below``, where given; a point without the field does not match."""

    key: str
    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    below: float | None = None


@dataclass(frozen=True, slots=True)
class Absent:
    """The point does not have the field, or it is null or an empty list."""

    key: str


@dataclass(frozen=True, slots=True)
class Either:
    """At least one of ``of`` holds."""

    of: tuple[Condition, ...]


Condition: TypeAlias = OneOf | Between | Absent | Either


@dataclass(frozen=True, slots=True)
class Conditions:
    """All of ``must`` and none of ``must_not`` hold."""

    must: tuple[Condition, ...]
    must_not: tuple[Condition, ...] = ()


def conditions(visibility: Visibility) -> Conditions | None:
    """What a point has to meet to be seen; None where nothing can be, which is so without a tenant and without groups."""
    if not visibility.tenant or not visibility.groups:
        return None
    must: list[Condition] = [
        OneOf("tenant", (visibility.tenant,)),
        Between("valid_from", at_most=visibility.revision),
        Between("valid_to", above=visibility.revision),
        OneOf("access", tuple(sorted(visibility.groups))),
    ]
    filters = visibility.filters
    if filters.sources:
        must.append(OneOf("source", tuple(filters.sources)))
    if filters.documents:
        named = tuple(filters.documents)
        must.append(Either((OneOf("uri", named), OneOf("document_id", named))))
    if filters.modified_from or filters.modified_to:
        since, until = (moment.timestamp() if moment else None for moment in (filters.modified_from, filters.modified_to))
        must.append(Between("modified_ts", at_least=since, below=until))
    excluded = visibility.excluded_documents
    must_not: list[Condition] = [OneOf("document_id", tuple(sorted(excluded)))] if excluded else []
    for name, value in filters.metadata.items():
        key = metadata_field(name)
        if isinstance(value, MetadataCondition):
            meeting, barring = _of_metadata(key, value)
            must += meeting
            must_not += barring
        else:
            must.append(equals(key, value if isinstance(value, list) else [value]))
    return Conditions(tuple(must), tuple(must_not))


def _of_metadata(key: str, wanted: MetadataCondition) -> tuple[list[Condition], list[Condition]]:
    """What has to hold and what must not. A range of dates has been turned into the values within it, see ``metadata.resolved``."""
    must: list[Condition] = []
    must_not: list[Condition] = []
    if wanted.bounds:
        must.append(Between(key, _number(wanted.gte), _number(wanted.gt), _number(wanted.lte), _number(wanted.lt)))
    if wanted.any is not None:
        must.append(equals(key, wanted.any) if wanted.any else OneOf(key, ()))
    if wanted.none:
        must_not.append(equals(key, wanted.none))
    if wanted.exists is not None:
        (must_not if wanted.exists else must).append(Absent(key))
    return must, must_not


def _number(bound: float | str | None) -> float | None:
    if isinstance(bound, str):
        raise WrongUsage("An engine compares numbers; a range of dates has to be resolved first.", "Ask through the searcher.")
    return bound


def metadata_field(key: str) -> str:
    """The payload path of a metadata key; quoted where it holds what would part a path."""
    return f"metadata.{key}" if key.replace("_", "").replace("-", "").isalnum() else f'metadata."{key}"'


def equals(key: str, values: list[Scalar]) -> Condition:
    """The field equals one of ``values``, of which there is one at least. Numbers equal by value, so 5 finds 5.0; True is not 1."""
    parts: list[Condition] = [OneOf(key, (value,)) for value in values if isinstance(value, bool)]
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    parts += [Between(key, at_least=number, at_most=number) for number in numbers]
    if texts := tuple(value for value in values if isinstance(value, str)):
        parts.append(OneOf(key, texts))
    return parts[0] if len(parts) == 1 else Either(tuple(parts))
