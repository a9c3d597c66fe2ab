"""Running heads and feet of PDF pages, and their page numbers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from pipelines.parsing.pdf.line import Line

LARGER = 1.15
"""A font this much larger than the body's is a title's."""
_PAGE_NUMBER = re.compile(r"^(?:page\s*)?[-\u2013\u2014|\s]*(\d{1,4})(?:\s*(?:of|/)\s*\d{1,4})?[-\u2013\u2014|\s]*$", re.IGNORECASE)


def without_running_lines(pages: Sequence[Sequence[Line]], body: float) -> list[list[Line]]:
    """Drops page numbers, and after their first time the lines that run along the edges of pages or across them at an angle.

    A running line stands on half of the pages or holds a number that counts with the pages. Its digits may change from page to
    page, except in a title: "Chapter 1" and "Chapter 2" are two. ``body`` is the height of the font of most text.
    """
    edges = [_edges(page) for page in pages]
    shapes = Counter(shape for page in edges for shape in {_shape(line, body) for line in page})
    steps = Counter(step for number, page in enumerate(edges) for step in {_step(line, number, body) for line in page})
    seen: set[str] = set()
    kept = []
    for number, page in enumerate(pages):
        lines = []
        for line in page:
            if line in edges[number]:
                shape, step = _shape(line, body), _step(line, number, body)
                running = shapes[shape] >= max(4, len(pages) / 2) or (step[1] is not None and steps[step] > 2)
                if running or line.turned:
                    if shape in seen or _PAGE_NUMBER.match(line.text):
                        continue
                    seen.add(shape)
            lines.append(line)
        kept.append(lines)
    return kept


def _edges(page: Sequence[Line]) -> set[Line]:
    """The lines at the top and the bottom of the page, and those at an angle to it (watermarks, stamps along a side)."""
    by_height = sorted((line for line in page if not line.turned), key=lambda line: line.top)
    return {*by_height[:3], *by_height[-3:], *(line for line in page if line.turned)}


def _shape(line: Line, body: float) -> str:
    return line.text if line.bold or line.size > body * LARGER else re.sub(r"\d+", "#", line.text)


def _step(line: Line, page: int, body: float) -> tuple[str, int | None]:
    """The line's shape, and how far its first or last number is from the page's: the same on each page if it counts them."""
    number = _PAGE_NUMBER.match(line.text) or re.match(r"(\d{1,4})\b", line.text) or re.search(r"\b(\d{1,4})$", line.text)
    return _shape(line, body), int(number.group(1)) - page if number else None
