"""Titles on PDF pages and their depth: from the file's outline where it has one, else from fonts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from pipelines.parsing.pdf.line import Line
from pipelines.parsing.pdf.running import LARGER

if TYPE_CHECKING:
    import pypdfium2

TITLE_WORDS = 20
"""A line of more words is no title."""
_MAX_DEPTH = 5
_MOST_ENTRIES = 5000
_WORD = re.compile(r"\w+")

Heads = Mapping[str, int]
"""Depth by the folded words of a title, from the outline's entries that point to one page."""
Style = tuple[int, bool]
"""Height of the font in points, and whether it is bold."""


def outline_of(document: pypdfium2.PdfDocument) -> dict[int, Heads]:
    """What the outline (bookmarks) says stands on each page, pages numbered from 1."""
    pages: dict[int, dict[str, int]] = {}
    for entry in islice(document.get_toc(), _MOST_ENTRIES):
        target = entry.get_dest()
        index = target.get_index() if target else None
        words = words_of(entry.get_title())
        if index is not None and words:
            pages.setdefault(index + 1, {}).setdefault(words, min(entry.level, _MAX_DEPTH))
    return dict(pages)


def words_of(text: str) -> str:
    """The words of a title as they are compared: folded, without signs and spacing."""
    return " ".join(_WORD.findall(text.casefold()))


def is_title(line: Line, body: float, mostly_bold: bool, left: float, right: float) -> bool:
    """Whether the line is set as a title in a column that goes from ``left`` to ``right``, on pages with text of height ``body``."""
    words = line.text.split()
    if len(words) > TITLE_WORDS or line.text[-1] in ".,;" or not (line.bold or line.size > body * LARGER) or line.numbers > 1:
        return False
    letters = sum(character.isalpha() for character in line.text)
    if letters * 2 < len(line.text.replace(" ", "")):
        return False
    centred = abs((line.left + line.right) - (left + right)) < 0.05 * (right - left)
    flush = line.left - left < 0.1 * (right - left)
    if line.size > body * LARGER:
        return True
    if line.text[0] == "(":
        return False  # "(In millions)", "(Unaudited)": said of what stands above
    return line.bold and not mostly_bold and line.size >= body * 0.85 and (centred or flush) and letters > 2


def style_of(block: Sequence[Line]) -> Style:
    """The style of a title, by its first line."""
    return round(block[0].size), block[0].bold


def depths(titles: Sequence[tuple[int, Style, int | None]], pages: int) -> dict[Style, int]:
    """Depth of each style from (page, style, depth by the outline) of all titles.

    Larger is higher. A style that stands on a single page of many (a cover) heads no other page. Where the outline names titles,
    its depth is that of their style, and other styles are below the larger ones it names.
    """
    seen: dict[Style, set[int]] = {}
    said: dict[Style, int] = {}
    for page, style, depth in titles:
        seen.setdefault(style, set()).add(page)
        if depth is not None:
            said[style] = min(depth, said.get(style, depth))
    if said:
        below = {style: 1 + max((said[larger] for larger in said if larger > style), default=-1) for style in seen}
        return {style: min(said.get(style, below[style]), _MAX_DEPTH) for style in seen}
    lasting = sorted((style for style, where in seen.items() if len(where) > 1 or pages <= 3), reverse=True)
    deepest = max(len(lasting) - 1, 0)
    return {style: min(lasting.index(style) if style in lasting else deepest, _MAX_DEPTH) for style in seen}
