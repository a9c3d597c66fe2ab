"""What a query may see, as conditions any engine can translate into its own filter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from search_index.engine.interface import Visibility
from search_index.model.search import Scalar


@dataclass(frozen=True, slots=True)
class OneOf:
    """The field, or one of its values where it is a list, is one of ``values``; a point without the field does not match."""

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
class Either:
    """At least one of ``of`` holds."""

    of: tuple[Condition, ...]


Condition: TypeAlias = OneOf | Between | Either


@dataclass(frozen=True, slots=True)
class Conditions:
    """All of ``must`` and none of ``must_not`` hold."""

    must: tuple[Condition, ...]
    must_not: tuple[Condition, ...] = ()


def conditions(visibility: Visibility) -> Conditions | None:
    """What a point has to meet to be seen; None where nothing can be, which is so without groups."""
    if not visibility.groups:
        return None
    must: list[Condition] = [
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
    for key, value in filters.metadata.items():
        must.append(equals(metadata_field(key), value if isinstance(value, list) else [value]))
    excluded = visibility.excluded_documents
    return Conditions(tuple(must), (OneOf("document_id", tuple(sorted(excluded))),) if excluded else ())


def metadata_field(key: str) -> str:
    """The payload path of a metadata key; quoted where it holds what would part a path."""
    return f"metadata.{key}" if key.replace("_", "").replace("-", "").isalnum() else f'metadata."{key}"'


def equals(key: str, values: list[Scalar]) -> Condition:
    """The field equals one of ``values``. Numbers equal by value, so 5 finds 5.0; True is not 1."""
    parts: list[Condition] = [OneOf(key, (value,)) for value in values if isinstance(value, bool)]
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    parts += [Between(key, at_least=number, at_most=number) for number in numbers]
    if texts := tuple(value for value in values if isinstance(value, str)):
        parts.append(OneOf(key, texts))
    return parts[0] if len(parts) == 1 else Either(tuple(parts))
