"""A question's parts, and what of it is left to ask once names and times are filters."""

from __future__ import annotations

import re
from typing import Final

from search_index.bm25 import words_in

MOST: Final = 3
"""Parts of a question that are asked by themselves."""
LEAST_WORDS: Final = 3
"""With fewer words that tell something it is no question of its own, but the rest of one."""
COMMON: Final = frozenset(
    "a an the and or but if in on at of to for from by with as about into over under between during since until per what which who whom"
    " whose when where why how is are was were be been am has have had do does did can could should would may might must shall will there"
    " these those this that it its their they we our you your i my me any all each every some other most more latest recent also please"
    " compare list describe explain summarize summarise outline analyze analyse examine discuss identify give show tell find provide name"
    " detail evaluate assess review determine state report reported".split()
)
"""Words that begin questions or bind their parts. What else English begins a sentence with fails as a name when it is looked up."""
_BREAKS: Final = re.compile(
    r"(?<=[?!;])\s+|(?<=[a-z)]\.)\s+(?=[A-Z])|,?\s+and\s+(?=(?:how|what|which|who|why|when|where|whether)\b)|\s+(?:versus|vs\.?)\s+",
    re.IGNORECASE,
)
_OVER_TIME: Final = re.compile(
    r"\b(?:over\s+(?:the\s+)?(?:\w+\s+){0,2}(?:time|years?|quarters?|months?|periods?|versions?|releases?|timeframe)"
    r"|across|trends?|histor\w*|evol\w*|chang\w*|fluctuat\w*|var(?:y|ied|ies)|shift\w*|develop(?:ed|ment)s?|grow\w*|grew|declin\w*"
    r"|each|every|compar\w*|previous|prior|earlier|between|differ\w*|(?:quarter|year|month)[\s-](?:to|over|on|by)[\s-](?:quarter|year|month))\b",
    re.IGNORECASE,
)
_LATEST: Final = re.compile(r"\b(?:latest|(?:most\s+)?recent(?:ly)?|newest|currently|current)\b", re.IGNORECASE)


def parts_of(question: str) -> list[str]:
    """What a question asks one after the other; itself alone where it asks one thing.

    >>> parts_of("What was paid to the builder, and how was the loan secured?")
    ['What was paid to the builder', 'how was the loan secured?']
    """
    # One blank for many: the pattern tries each of them as the beginning of a break.
    parts = [stripped for part in _BREAKS.split(re.sub(r"\s{2,}", " ", question)) if (stripped := part.strip(" ,;"))]
    return parts[:MOST] if len(parts) > 1 and all(map(enough, parts)) else [question]


def asks_over_time(question: str) -> bool:
    """Whether it asks how something changed, so that one document cannot answer alone."""
    return _OVER_TIME.search(question) is not None


def asks_latest(question: str) -> bool:
    """Whether it asks for the newest there is."""
    return _LATEST.search(question) is not None


def enough(text: str) -> bool:
    """Whether a part of a question has words enough of its own to be asked alone."""
    words = [text[start:end].lower() for start, end in words_in(text)]
    return sum(word not in COMMON for word in words) >= LEAST_WORDS or not text.isascii()
