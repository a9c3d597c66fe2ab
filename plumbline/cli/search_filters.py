"""Conditions on metadata as they are typed: ``lang=en``, ``pages>=10``, ``on<2025-01-01``, ``status!=draft``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from search_index.model.filters import Scalar

_CONDITION: Final = re.compile(r"(?P<name>[^=<>!]+?)\s*(?P<sign>!=|>=|<=|=|>|<)\s*(?P<value>.*)", re.DOTALL)
_RANGES: Final = {">=": "gte", ">": "gt", "<=": "lte", "<": "lt"}


def metadata_filters(typed: Sequence[str]) -> dict[str, dict[str, object]]:
    """Conditions of the search API, by field. Several values of one field are alternatives, everything else has to hold together.

    >>> metadata_filters(["lang=en", "lang=de", "pages>=10", "draft!=true"])
    {'lang': {'any': ['en', 'de']}, 'pages': {'gte': 10}, 'draft': {'none': [True]}}

    Errors:
        WrongUsage: one cannot be read.
    """
    from search_index.errors import WrongUsage

    found: dict[str, dict[str, object]] = {}
    for text in typed:
        read = _CONDITION.fullmatch(text.strip())
        if read is None:
            raise WrongUsage(f"{text!r} is no condition.", "Write a field, one of = != >= > <= <, and a value: 'pages>=10'.")
        of_field = found.setdefault(read["name"].strip(), {})
        value = scalar(read["value"].strip())
        if read["sign"] in _RANGES:
            of_field[_RANGES[read["sign"]]] = value
        else:
            listed = of_field.setdefault("any" if read["sign"] == "=" else "none", [])
            assert isinstance(listed, list)
            listed.append(value)
    return found


def scalar(text: str) -> Scalar:
    """A typed value: true, false, a number, or a text, which quotes keep from being one of those.

    >>> [scalar(text) for text in ("3", "2.5", "true", '"3"', "2025-01-01")]
    [3, 2.5, True, '3', '2025-01-01']
    """
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1]
    if text in ("true", "false"):
        return text == "true"
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text
