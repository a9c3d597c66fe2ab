"""What the lines of PDF pages make up: titles, paragraphs, list items, tables; without page numbers and running heads."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from pipelines.parsing.assembly import Part

_NUMBER = r"[$€£¥]?\(?[-\u2013\u2014+]?[$€£¥]?\d[\d.,]*\)?[%)]?|[\u2014\u2013-]|[$€£¥%)]+|n/?[am]|\*"
_NUMERIC = re.compile(rf"^(?:{_NUMBER})$", re.IGNORECASE)
_PAGE_NUMBER = re.compile(r"^(?:page\s*)?[-\u2013\u2014|\s]*(\d{1,4})(?:\s*(?:of|/)\s*\d{1,4})?[-\u2013\u2014|\s]*$", re.IGNORECASE)
_BULLET = re.compile(r"^(?:[•●▪◦‣■○∙·\u2013*]|[-]\s|\(?(?:\d{1,2}|[a-z]|[ivx]{1,4})[.)]\s)", re.IGNORECASE)
_HYPHENS = "-\u00ad\u2010\ufffe"
_WORDS = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_DASHES = "-\u2013\u2014"
_TITLE_WORDS = 20
_MAX_DEPTH = 5
_LARGER = 1.15


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text, its box in points (origin at the bottom left), the height of its font and whether all of it is bold."""

    text: str
    left: float
    right: float
    bottom: float
    top: float
    size: float
    bold: bool

    @property
    def cells(self) -> int:
        """How many numbers stand at its end: two or more make a table row."""
        words = self.text.split()
        numbers = next((n for n, word in enumerate(reversed(words)) if not _NUMERIC.match(word)), len(words))
        return sum(any(c.isdigit() or c in _DASHES for c in word) for word in words[len(words) - numbers :])


def parts_of_pages(pages: Sequence[Sequence[Line]]) -> Iterator[Part]:
    """Parts in reading order, pages numbered from 1. A running head or foot is kept where it first stands."""
    lines = [line for page in pages for line in page]
    if not lines:
        return
    characters: Counter[float] = Counter()
    for line in lines:
        characters[line.size] += len(line.text)
    body = characters.most_common(1)[0][0]
    pages = _without_running_lines(pages, body)
    mostly_bold = sum(len(line.text) for line in lines if line.bold) * 2 > sum(len(line.text) for line in lines)
    words = Counter(word.casefold() for line in lines for word in _WORDS.findall(line.text))
    blocks = [(number, block) for number, page in enumerate(pages, 1) for block in _blocks(page, body, mostly_bold)]
    styles = _levels([(number, _style(block)) for number, (kind, block) in blocks if kind == "Title"], len(pages))
    for number, (kind, block) in blocks:
        text = "\n".join(line.text for line in block) if kind == "Table" else _flow(block, words)
        text = text.replace("\ufffe", "-")
        depth = styles[_style(block)] if kind == "Title" else None
        yield Part(kind, text, number, depth)


def _levels(titles: Sequence[tuple[int, tuple[int, bool]]], pages: int) -> dict[tuple[int, bool], int]:
    """Depth of each title style: larger is higher. One that stands on a single page of many (a cover) heads no other page."""
    seen: dict[tuple[int, bool], set[int]] = {}
    for page, style in titles:
        seen.setdefault(style, set()).add(page)
    lasting = sorted((style for style, where in seen.items() if len(where) > 1 or pages <= 3), reverse=True)
    deepest = max(len(lasting) - 1, 0)
    return {style: min(lasting.index(style) if style in lasting else deepest, _MAX_DEPTH) for style in seen}


def _style(block: Sequence[Line]) -> tuple[int, bool]:
    return round(block[0].size), block[0].bold


def _without_running_lines(pages: Sequence[Sequence[Line]], body: float) -> list[list[Line]]:
    """Drops page numbers, and after their first time the lines that run along the edges of pages.

    A running line stands on half of the pages or holds a number that counts with the pages. Its digits may change from page to
    page, except in a title: "Chapter 1" and "Chapter 2" are two.
    """
    edges = [_edges(page) for page in pages]
    shapes = Counter(shape for page in edges for shape in {_shape(line, body) for line in page})
    steps = Counter(step for number, page in enumerate(edges) for step in {_step(line, number, body) for line in page})
    seen: set[str] = set()
    kept = []
    for number, page in enumerate(pages):
        lines = []
        for line in page:
            shape, step = _shape(line, body), _step(line, number, body)
            running = shapes[shape] >= max(4, len(pages) / 2) or (step[1] is not None and steps[step] > 2)
            if running and line in edges[number]:
                if shape in seen or _PAGE_NUMBER.match(line.text):
                    continue
                seen.add(shape)
            lines.append(line)
        kept.append(lines)
    return kept


def _edges(page: Sequence[Line]) -> set[Line]:
    by_height = sorted(page, key=lambda line: line.top)
    return {*by_height[:3], *by_height[-3:]}


def _shape(line: Line, body: float) -> str:
    return line.text if line.bold or line.size > body * _LARGER else re.sub(r"\d+", "#", line.text)


def _step(line: Line, page: int, body: float) -> tuple[str, int | None]:
    """The line's shape, and how far its first or last number is from the page's: the same on each page if it counts them."""
    number = _PAGE_NUMBER.match(line.text) or re.match(r"(\d{1,4})\b", line.text) or re.search(r"\b(\d{1,4})$", line.text)
    return _shape(line, body), int(number.group(1)) - page if number else None


def _blocks(page: Sequence[Line], body: float, mostly_bold: bool) -> Iterator[tuple[str, list[Line]]]:
    """Lines that belong together, with their kind."""
    if not page:
        return
    left, right = min(line.left for line in page), max(line.right for line in page)
    gaps = sorted(above.bottom - below.top for above, below in pairwise(page) if above.bottom >= below.bottom)
    spacing = max(gaps[len(gaps) // 4], 0.0) if gaps else 0.0
    titles = [_is_title(line, body, mostly_bold, left, right) for line in page]
    tables = _table_rows(page, titles, left, right)
    block: list[Line] = []
    kind = ""
    for index, line in enumerate(page):
        line_kind = "Table" if tables[index] else "Title" if titles[index] else "ListItem" if _BULLET.match(line.text) else "NarrativeText"
        joined = bool(block) and _continues(block[-1], line, kind, line_kind, spacing, right)
        if block and not joined:
            yield kind, block
        block, kind = ([*block, line], kind) if joined else ([line], line_kind)
    yield kind, block


def _is_title(line: Line, body: float, mostly_bold: bool, left: float, right: float) -> bool:
    words = line.text.split()
    if len(words) > _TITLE_WORDS or line.text[-1] in ".,;" or not (line.bold or line.size > body * _LARGER) or line.cells > 1:
        return False
    letters = sum(character.isalpha() for character in line.text)
    if letters * 2 < len(line.text.replace(" ", "")):
        return False
    centred = abs((line.left + line.right) - (left + right)) < 0.05 * (right - left)
    flush = line.left - left < 0.1 * (right - left)
    if line.size > body * _LARGER:
        return True
    if line.text[0] == "(":
        return False  # "(In millions)", "(Unaudited)": said of what stands above
    return line.bold and not mostly_bold and line.size >= body * 0.85 and (centred or flush) and letters > 2


def _table_rows(page: Sequence[Line], titles: Sequence[bool], left: float, right: float) -> list[bool]:
    """Which lines are rows: those that end in several numbers, and the short ones between and right above them."""
    rows = [line.cells > 1 for line in page]
    short = [line.right < left + 0.75 * (right - left) or line.cells > 0 for line in page]
    inside = list(rows)
    numbered = [index for index, row in enumerate(rows) if row]
    for first, second in pairwise(numbered):
        if second - first <= 5 and all(short[i] for i in range(first + 1, second)) and page[first].bottom - page[second].top < 90:
            inside[first + 1 : second] = [True] * (second - first - 1)
    for index in numbered:
        above = index - 1
        while above >= 0 and not inside[above] and not titles[above] and page[above].bottom - page[above + 1].top < page[above].size:
            line = page[above]
            if (line.left - left < 0.3 * (right - left) and not short[above]) or index - above > 10 or line.text[-1] in ".:":
                break
            inside[above] = True
            above -= 1
    alone = [inside[i] and not (i > 0 and inside[i - 1]) and not (i + 1 < len(page) and inside[i + 1]) for i in range(len(page))]
    return [is_inside and not is_alone for is_inside, is_alone in zip(inside, alone, strict=True)]


def _continues(above: Line, line: Line, kind: str, line_kind: str, spacing: float, right: float) -> bool:
    """Whether ``line`` goes on with the block that ends in ``above``."""
    gap = above.bottom - line.top
    if gap < -2 * above.size or gap > 8 * above.size:
        return False  # another column, or the other end of the page
    if kind == "Table" or line_kind == "Table":
        return kind == line_kind
    near = gap <= spacing + 0.45 * min(above.size, line.size)
    if kind == "Title" or line_kind == "Title":
        return kind == line_kind and near and above.size == line.size and above.bold == line.bold
    if line_kind == "ListItem":
        return False
    return near


def _flow(block: Sequence[Line], words: Counter[str]) -> str:
    """The lines as running text, with words that were parted at the end of a line put together."""
    text = block[0].text
    for line in block[1:]:
        head, tail = _WORDS.findall(text[-40:-1])[-1:], _WORDS.match(line.text)
        if text[-1] not in _HYPHENS or not text[-2:-1].isalnum():
            text = f"{text} {line.text}"
        elif head and tail and text[-2].isalpha() and line.text[0].islower() and not _is_compound(head[0], tail.group(), text[-1], words):
            text = text[:-1] + line.text
        else:
            text = f"{text[:-1]}-{line.text}"
    return text


def _is_compound(head: str, tail: str, hyphen: str, words: Counter[str]) -> bool:
    """Whether the hyphen belongs to the word: the document writes it so elsewhere, or knows both halves but not the whole."""
    head, tail = head.casefold(), tail.casefold()
    if words[f"{head}-{tail}"] or words[head + tail]:
        return words[f"{head}-{tail}"] > words[head + tail]
    return hyphen != "\u00ad" and words[head.rsplit("-", 1)[-1]] > 1 and words[tail] > 1
