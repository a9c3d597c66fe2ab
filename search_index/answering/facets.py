"""How the documents that may be seen are spread over a field. Documents are counted, never passages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, TypeAlias

from search_index.engine.interface import DocumentFacts
from search_index.errors import FilterInvalid
from search_index.model.filters import Scalar
from search_index.model.passage import Facet, FacetValue

METADATA: Final = "metadata."
Values: TypeAlias = Callable[[DocumentFacts], Sequence[Scalar]]


def counted(name: str, documents: Iterable[str], facts: Mapping[str, DocumentFacts], limit: int) -> Facet:
    """One facet of ``documents``.

    Args:
        name: ``source``, ``modified_at.year``, ``modified_at.month`` or ``metadata.NAME``.
        documents: ids of those that this principal may see and the filters let through.
        limit: most values.

    Raises:
        FilterInvalid: there is no such facet.
    """
    values_of = _values(name)
    counts: Counter[tuple[bool, Scalar]] = Counter()  # True is 1 to a dictionary, and not to a reader
    having = missing = 0
    for document in documents:
        values = {(isinstance(value, bool), value) for value in values_of(facts[document])}
        counts.update(values)
        having, missing = having + bool(values), missing + (not values)
    ordered = sorted(counts.items(), key=lambda found: (-found[1], str(found[0][1])))
    if name.startswith("modified_at."):
        ordered = sorted(counts.items(), key=lambda found: str(found[0][1]), reverse=True)
    return Facet(
        values=[FacetValue(value=value, documents=count) for (_, value), count in ordered[:limit]],
        more_values=max(0, len(ordered) - limit),
        documents=having,
        missing=missing,
    )


def metadata_name(facet: str) -> str | None:
    """The metadata field that a facet is over; None for the others."""
    return facet.removeprefix(METADATA) if facet.startswith(METADATA) else None


def _values(name: str) -> Values:
    if name == "source":
        return lambda facts: [facts.source]
    if name in ("modified_at.year", "modified_at.month"):
        form = "%Y" if name.endswith("year") else "%Y-%m"
        return lambda facts: [] if facts.modified_ts is None else [datetime.fromtimestamp(facts.modified_ts, UTC).strftime(form)]
    field = metadata_name(name)
    if not field:
        raise FilterInvalid(
            f"There is no facet {name!r}.", "Ask for `source`, `modified_at.year`, `modified_at.month` or `metadata.` and a field's name."
        )
    return lambda facts: _scalars(facts.metadata.get(field))


def _scalars(value: object) -> list[Scalar]:
    found = value if isinstance(value, list) else [value]
    return [each for each in found if isinstance(each, str | int | float | bool)]
