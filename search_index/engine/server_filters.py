"""Conditions as a Qdrant server takes them."""

from __future__ import annotations

from qdrant_client import models

from search_index.engine.filters import Absent, Between, Condition, Conditions, Either, OneOf


def as_filter(conditions: Conditions) -> models.Filter:
    """Qdrant's form of ``conditions``."""
    return models.Filter(must=[_condition(part) for part in conditions.must], must_not=[_condition(part) for part in conditions.must_not])


def visible_at(revision: int) -> Conditions:
    """Everything that ``revision`` holds, whoever may read it."""
    return Conditions((Between("valid_from", at_most=revision), Between("valid_to", above=revision)))


def _condition(condition: Condition) -> models.Condition:
    if isinstance(condition, Either):
        return models.Filter(should=[_condition(part) for part in condition.of])
    if isinstance(condition, Absent):
        return models.IsEmptyCondition(is_empty=models.PayloadField(key=condition.key))
    if isinstance(condition, OneOf):
        values = list(condition.values)
        if values and isinstance(values[0], bool):
            return models.FieldCondition(key=condition.key, match=models.MatchValue(value=values[0]))
        return models.FieldCondition(key=condition.key, match=models.MatchAny(any=[str(value) for value in values]))
    bounds = models.Range(gte=condition.at_least, gt=condition.above, lte=condition.at_most, lt=condition.below)
    return models.FieldCondition(key=condition.key, range=bounds)
