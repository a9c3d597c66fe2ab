"""Queries that quote: how far a passage holds a long query word for word.

Sequential dependence after Metzler and Croft, "A Markov Random Field Model for Term Dependencies" (2005), taken to its end: not
pairs of words but the longest run of them, and how much of the query's weight the passage's words carry.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

LEAST_WORDS = 6
"""Shorter queries are names and topics: that all of their words occur says little."""
LEAST_RUN = 0.5
LEAST_COVERED = 0.9
"""A passage that holds neither half of a query in one run nor nine tenths of its weight is on the matter, but no quotation."""

_WORD = re.compile(r"\w+")


def words(text: str) -> list[str]:
    """Words in order, case-folded.

    >>> words("Net sales, Q3-2023")
    ['net', 'sales', 'q3', '2023']
    """
    return _WORD.findall(text.casefold())


def longest_run(query: list[str], passage: str) -> int:
    """How many words of the query stand in the passage one after the other.

    Args:
        query: words of the query.
        passage: the passage's words, joined by single spaces, with one at either end.

    >>> longest_run(["the", "grey", "heron", "stands"], " a grey heron stands still ")
    3
    """
    longest = 0
    for start in range(len(query)):
        while start + longest < len(query) and f" {' '.join(query[start : start + longest + 1])} " in passage:
            longest += 1
    return longest


def quotedness(query: list[str], weights: Mapping[str, float], passage: str) -> float:
    """How much a passage looks like what the query was copied from: 0 not at all, 2 entirely.

    The share of the query in its longest run and the share of its weight that the passage carries, once either is large.

    Args:
        query: words of the query, as ``words`` gives them.
        weights: how much each of them tells, its IDF.
        passage: the passage's text.
    """
    there = words(passage)
    held = set(there)
    total = sum(weights.values())
    covered = sum(weight for word, weight in weights.items() if word in held) / total if total else 0.0
    run = longest_run(query, f" {' '.join(there)} ") / len(query)
    return run + covered if run >= LEAST_RUN or covered >= LEAST_COVERED else 0.0
