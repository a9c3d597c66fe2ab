"""What the lines of PDF pages make up: titles, paragraphs, list items, tables; without page numbers and running heads."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, pairwise

from pipelines.parsing.assembly import Part
from pipelines.parsing.pdf.flow import flow, known_words
from pipelines.parsing.pdf.line import Line
from pipelines.parsing.pdf.running import without_running_lines
from pipelines.parsing.pdf.tables import table_rows, table_text_and_html
from pipelines.parsing.pdf.titles import TITLE_WORDS, Heads, depths, is_title, style_of, words_of

_BULLET = re.compile(r"^(?:[•●▪◦‣■○∙·\u2013*]|[-]\s|\(?(?:\d{1,2}|[a-z]|[ivx]{1,4})[.)]\s)", re.IGNORECASE)
_WIDEST_SPACING = 1.2
"""Most white between lines of one paragraph, in heights of the font: that of text set with double spacing."""


def parts_of_pages(pages: Sequence[Sequence[Line]], outline: Mapping[int, Heads]) -> Iterator[Part]:
    """Parts in reading order, pages numbered from 1. A running head or foot is kept where it first stands.

    ``pages`` have their lines in reading order; ``outline`` says by page which titles the file itself names.
    """
    lines = [line for page in pages for line in page]
    if not lines:
        return
    characters: Counter[float] = Counter()
    for line in lines:
        characters[line.size] += len(line.text)
    body = characters.most_common(1)[0][0]
    mostly_bold = sum(len(line.text) for line in lines if line.bold) * 2 > sum(len(line.text) for line in lines)
    words = known_words(lines)
    blocks = [
        (number, kind, block, outline.get(number, {}).get(words_of(flow(block, words))) if kind == "Title" and number in outline else None)
        for number, page in enumerate(without_running_lines(pages, body), 1)
        for kind, block in _page_blocks(page, body, mostly_bold, outline.get(number, {}))
    ]
    styles = depths([(number, style_of(block), said) for number, kind, block, said in blocks if kind == "Title"], len(pages))
    for number, kind, block, said in blocks:
        text, html = table_text_and_html(block) if kind == "Table" else (flow(block, words), None)
        depth = (styles[style_of(block)] if said is None else said) if kind == "Title" else None
        yield Part(kind, text.replace("\ufffe", "-"), number, depth, html.replace("\ufffe", "-") if html else None)


def _page_blocks(page: Sequence[Line], body: float, mostly_bold: bool, heads: Heads) -> Iterator[tuple[str, list[Line]]]:
    """Blocks column by column: what is centred or flush is so within its column. A paragraph may go on in the next one."""
    last: tuple[str, list[Line]] | None = None
    for _, column in groupby(page, key=lambda line: line.column):
        for number, (kind, block) in enumerate(_blocks(list(column), body, mostly_bold, heads)):
            if last and number == 0 and last[0] == kind == "NarrativeText" and _goes_on(last[1][-1], block[0]):
                last[1].extend(block)
                continue
            if last:
                yield last
            last = kind, block
    if last:
        yield last


def _goes_on(above: Line, line: Line) -> bool:
    """Whether the last line of a column breaks off in a sentence that the first of the next one takes up."""
    return abs(above.size - line.size) < 0.1 * above.size and above.text[-1] not in ".:;!?" and line.text[0].islower()


def _blocks(page: Sequence[Line], body: float, mostly_bold: bool, heads: Heads) -> Iterator[tuple[str, list[Line]]]:
    """Lines that belong together, with their kind."""
    if not page:
        return
    left, right = min(line.left for line in page), max(line.right for line in page)
    gaps = sorted(above.bottom - below.top for above, below in pairwise(page) if above.bottom >= below.bottom)
    spacing = _spacing(gaps, body)
    titles = [is_title(line, body, mostly_bold, left, right) or (bool(heads) and words_of(line.text) in heads) for line in page]
    tables = table_rows(page, titles, left, right)
    block: list[Line] = []
    kind = ""
    for index, line in enumerate(page):
        line_kind = "Table" if tables[index] else "Title" if titles[index] else "ListItem" if _BULLET.match(line.text) else "NarrativeText"
        joined = bool(block) and _continues(block[-1], line, kind, line_kind, spacing, right)
        if block and not joined:
            yield _kind(kind, block), block
        block, kind = ([*block, line], kind) if joined else ([line], line_kind)
    yield _kind(kind, block), block


def _spacing(gaps: Sequence[float], body: float) -> float:
    """White between the lines of a paragraph, from the gaps of a page in rising order: that of most, unless few lines are much closer."""
    if not gaps:
        return 0.0
    closest, usual = gaps[len(gaps) // 10], gaps[len(gaps) // 4]
    return min(max(closest if usual > closest + 0.6 * body else usual, 0.0), _WIDEST_SPACING * body)


def _kind(kind: str, block: Sequence[Line]) -> str:
    """What is set large but goes on and on is text."""
    return "NarrativeText" if kind == "Title" and sum(len(line.text.split()) for line in block) > 2 * TITLE_WORDS else kind


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
