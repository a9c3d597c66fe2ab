"""Paragraphs far longer than any that is written by hand: a log without a blank line, a book in one line.

unstructured looks at every character of a paragraph, some of them several times, to tell a title from prose. Nothing of this length is
a title, so such paragraphs are cut into pieces of prose and skip that: 100 MB in one line then take a quarter of the memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby

LONGEST_PARAGRAPH = 100_000
"""Characters; the longest chapters of novels have as many."""
_BETWEEN = re.compile(r"\n[^\S\n]*\n\s*")


def by_length(text: str, longest: int = LONGEST_PARAGRAPH) -> Iterator[tuple[bool, str]]:
    """The text as (whether it is a piece of an overlong paragraph, text): ordinary paragraphs stay together, nothing is lost but blanks.

    >>> list(by_length("one\\n\\ntwo\\n\\naaa bbb ccc\\n\\nthree", longest=7))
    [(False, 'one\\n\\ntwo'), (True, 'aaa bbb'), (True, 'ccc'), (False, 'three')]
    """
    if len(text) <= longest:
        yield False, text
        return
    for overlong, paragraphs in groupby(_BETWEEN.split(text), key=lambda paragraph: len(paragraph) > longest):
        if not overlong:
            yield False, "\n\n".join(paragraphs)
            continue
        for paragraph in paragraphs:
            yield from ((True, piece) for piece in _pieces(paragraph, longest))


def _pieces(paragraph: str, longest: int) -> Iterator[str]:
    """Cut at the last end of a line, else at the last blank, else where the length is reached."""
    rest = 0
    while rest < len(paragraph):
        end = rest + longest
        if end < len(paragraph):
            end = next((place for place in (paragraph.rfind(mark, rest + 1, end + 1) for mark in "\n ") if place > 0), end)
        piece = paragraph[rest:end].strip()
        if piece:
            yield piece
        rest = end + 1 if paragraph[end : end + 1].isspace() else end
