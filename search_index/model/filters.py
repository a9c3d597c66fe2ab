"""What narrows a search: sources, documents, times, and conditions on declared metadata."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Final, TypeAlias

from pydantic import AwareDatetime, BeforeValidator, Field, StringConstraints, model_validator

from search_index.model.sent import Sent, at_most

Scalar = str | int | float | bool
Bound: TypeAlias = Annotated[float, Field(allow_inf_nan=False)] | Annotated[str, StringConstraints(max_length=40)]
"""A number, or a date (``2024-05-31``, its first instant in UTC) or instant of ISO 8601."""
LARGEST: Final = 2**1023
"""Beyond this a number is no number to the engine."""
MOST_VALUES: Final = 10_000
"""That all conditions of a search compare with for equality: an engine looks at each."""
MOST_FIELDS: Final = 20
_Scalars: TypeAlias = Annotated[list[Scalar], Field(max_length=MOST_VALUES, fail_fast=True)]


def instant_of(text: str) -> datetime | None:
    """The instant a text names, in UTC unless it says another zone; None where it is no date of ISO 8601.

    >>> instant_of("2024-05-31").isoformat(), instant_of("May")
    ('2024-05-31T00:00:00+00:00', None)
    """
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


class MetadataCondition(Sent):
    """What one metadata field of a document has to meet; everything given has to hold."""

    gte: Bound | None = Field(None, description="at least: a number, or a date or instant")
    gt: Bound | None = Field(None, description="more than, or later")
    lte: Bound | None = Field(None, description="at most")
    lt: Bound | None = Field(None, description="less than, or earlier")
    any: _Scalars | None = Field(None, description="one of these")
    none: Annotated[list[Scalar], Field(max_length=1000, fail_fast=True)] | None = Field(
        None, description="none of these; a document without the field qualifies"
    )
    exists: bool | None = Field(None, description="true: it has the field; false: it has not")

    @property
    def bounds(self) -> list[float | str]:
        """The ends of the range that are given."""
        return [bound for bound in (self.gte, self.gt, self.lte, self.lt) if bound is not None]

    @model_validator(mode="after")
    def _makes_sense(self) -> MetadataCondition:
        if not self.model_fields_set or all(getattr(self, name) is None for name in self.model_fields_set):
            raise ValueError("say at least one of gte, gt, lte, lt, any, none and exists")
        if len({type(bound) for bound in self.bounds}) > 1:
            raise ValueError("the ends of a range are all numbers or all dates")
        if any(isinstance(bound, str) and instant_of(bound) is None for bound in self.bounds):
            raise ValueError("the end of a range is a number, or a date such as 2024-05-31 or 2024-05-31T09:00:00Z")
        return self


Wanted: TypeAlias = MetadataCondition | Scalar | _Scalars


class Filters(Sent):
    """Narrow a search. Fields are ANDed; values inside a list are ORed."""

    sources: list[str] = Field(default_factory=list, description="source names", max_length=100, fail_fast=True)
    documents: list[str] = Field(default_factory=list, description="document URIs (`source:path`) or ids", max_length=1000, fail_fast=True)
    modified_from: AwareDatetime | None = Field(None, description="the file was modified at or after this instant")
    modified_to: AwareDatetime | None = Field(None, description="the file was modified before this instant")
    metadata: Annotated[dict[str, Wanted], BeforeValidator(at_most(MOST_FIELDS))] = Field(
        default_factory=dict,
        description="document metadata: a value, a list of which any will do, or an object of gte, gt, lte, lt, any, none, exists",
        max_length=MOST_FIELDS,
    )

    @model_validator(mode="after")
    def _numbers_are_numbers(self) -> Filters:
        for wanted in self.metadata.values():
            if any(isinstance(value, int | float) and not -LARGEST < value < LARGEST for value in values_of(wanted)):
                raise ValueError("a number is finite and not beyond what a computer's floating point holds")
        if sum(len(values_of(wanted)) for wanted in self.metadata.values()) > MOST_VALUES:
            raise ValueError(f"all conditions on metadata together name {MOST_VALUES} values at most")
        return self


def values_of(wanted: Wanted) -> list[Scalar]:
    """Every value that a condition compares with for equality."""
    if isinstance(wanted, MetadataCondition):
        return [*(wanted.any or []), *(wanted.none or [])]
    return wanted if isinstance(wanted, list) else [wanted]
