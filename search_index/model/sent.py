"""What bodies of requests have in common: what is wrong with one is found without looking at all of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pydantic import BaseModel, ConfigDict, model_validator

MOST_FIELDS: Final = 64
"""Names in one object. None of ours has so many; each that is unknown is an error of its own, and a body may hold a hundred thousand."""


class Sent(BaseModel):
    """An object of a request: fields that are not known are refused, and very many of them at once."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _not_too_many(cls, sent: object) -> object:
        return at_most(MOST_FIELDS)(sent)


def at_most(most: int) -> Callable[[object], object]:
    """A validator that lets through what is no object, or one of so many names, before any of them is looked at.

    ``max_length`` alone counts the names of a ``dict`` once each of them has been validated.
    """

    def check(sent: object) -> object:
        if isinstance(sent, dict) and len(sent) > most:
            raise ValueError(f"an object has {most} names at most here")
        return sent

    return check
