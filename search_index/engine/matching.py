"""Whether a payload that is at hand meets what an engine would filter by."""

from __future__ import annotations

from pydantic import JsonValue as Value

from search_index.engine.filters import Absent, Between, Condition, Conditions, Either, OneOf
from search_index.engine.interface import Payload

_METADATA = "metadata."


def meets(payload: Payload, wanted: Conditions) -> bool:
    """Whether all that must hold does, and nothing that must not."""
    return all(_holds(payload, one) for one in wanted.must) and not any(_holds(payload, one) for one in wanted.must_not)


def _holds(payload: Payload, condition: Condition) -> bool:
    if isinstance(condition, Either):
        return any(_holds(payload, one) for one in condition.of)
    values = _values(payload, condition.key)
    if isinstance(condition, Absent):
        return not values
    if isinstance(condition, OneOf):
        # By type as well, for to Python True is 1.
        return any(type(value) is type(one) and value == one for value in values for one in condition.values)
    return any(_between(value, condition) for value in values)


def _between(value: Value, bounds: Between) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return not (
        (bounds.at_least is not None and value < bounds.at_least)
        or (bounds.above is not None and value <= bounds.above)
        or (bounds.at_most is not None and value > bounds.at_most)
        or (bounds.below is not None and value >= bounds.below)
    )


def _values(payload: Payload, key: str) -> list[Value]:
    """What a field holds, one by one where it is a list; nothing where it is missing or null."""
    if key.startswith(_METADATA):
        metadata = payload.get("metadata")
        value = metadata.get(key.removeprefix(_METADATA).strip('"')) if isinstance(metadata, dict) else None
    else:
        value = payload.get(key)
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
