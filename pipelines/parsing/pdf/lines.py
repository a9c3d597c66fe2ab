"""The lines of a PDF page with their boxes, in content order.

Only the first and last character of a line are looked at, and one between where those differ.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipelines.parsing.pdf.characters import Box, Characters
from pipelines.parsing.pdf.gaps import with_segments
from pipelines.parsing.pdf.line import FoundLine, Line, numbers_at_end, top_down

if TYPE_CHECKING:
    import pypdfium2

_BLANKS = re.compile(r"\s+")
_LINE = re.compile(r"[^\r\n\ufffe]+\ufffe?")


def page_lines(document: pypdfium2.PdfDocument, index: int) -> list[Line]:
    """The lines of a page that hold something and can be seen, in content order; a page set sideways is turned upright.

    What is filled into a form or typed upon the page is drawn last: where there is such, lines go from top to bottom.
    """
    page = document[index]
    filled = _draw_what_is_filled_in(page)
    if filled:  # pdfium reads the new content when it loads the page anew
        page.close()
        page = document[index]
    text_page = page.get_textpage()
    try:
        characters = Characters(text_page)
        found = list(_found(characters, _visible(page)))
        upright = _upright(found)
        lines = with_segments(characters, found) if upright == 0 else [entry.line for entry in found]
    finally:
        text_page.close()
        page.close()
    if any(entry.turns != 0 for entry in found):
        lines = [_turned(line, entry.turns, upright) for line, entry in zip(lines, found, strict=True)]
    lines = _once(lines)
    return top_down(lines, lambda line: line) if filled else lines


def _draw_what_is_filled_in(page: pypdfium2.PdfPage) -> bool:
    """Makes the fields of forms and notes typed upon the page part of its content, as they are when it is printed."""
    from pypdfium2 import raw

    for number in range(raw.FPDFPage_GetAnnotCount(page)):
        annotation = raw.FPDFPage_GetAnnot(page, number)
        kind = raw.FPDFAnnot_GetSubtype(annotation)
        raw.FPDFPage_CloseAnnot(annotation)
        if kind in (raw.FPDF_ANNOT_WIDGET, raw.FPDF_ANNOT_FREETEXT):
            return bool(raw.FPDFPage_Flatten(page, raw.FLAT_NORMALDISPLAY) == raw.FLATTEN_SUCCESS)
    return False


def _visible(page: pypdfium2.PdfPage) -> Box:
    left, bottom, right, top = page.get_cropbox()
    return min(left, right), min(bottom, top), max(left, right), max(bottom, top)


def _found(characters: Characters, visible: Box) -> Iterator[FoundLine]:
    for match in _LINE.finditer(characters.text):
        text = match.group()
        # pdfium writes a hyphen at the end of a line whose last word goes on as U+FFFE
        hyphen = "\ufffe" if text[-1] == "\ufffe" else ""
        stripped = text.rstrip("\ufffe").strip()
        if not stripped:
            continue
        first = match.start() + len(text) - len(text.lstrip())
        found = _line(characters, first, stripped, hyphen)
        if found.turns == 0 and found.line.top - found.line.bottom > 2 * found.line.size:
            runs = list(_level_runs(characters, first, stripped))
            lines = [_line(characters, start, run, hyphen if start == runs[-1][0] else "") for start, run in runs]
        else:
            lines = [found]
        yield from (found for found in lines if _overlap(found.line, visible))


def _line(characters: Characters, first: int, text: str, hyphen: str) -> FoundLine:
    """The line that ``text`` at position ``first`` is."""
    last = first + len(text) - 1
    left, bottom, right, top = characters.box(first)
    end = characters.box(last)
    size = abs(top - bottom)
    turns: int | None = 0
    if last > first + 1 and (abs(end[1] - bottom) > size or end[0] < left):
        turns = characters.quarter_turns(first)
        bottom, top = min(bottom, end[1]), max(top, end[3])
        size = abs(right - left) if turns in (1, 3) else size
    elif abs(abs(end[3] - end[1]) - size) > 0.1 * size:  # a raised mark or an initial: what lies between counts
        _, bottom, _, top = characters.box((first + last) // 2)
        size = abs(top - bottom)
    left, right = min(left, end[0]), max(right, end[2])
    shown = " ".join(text.split()) + hyphen
    bold = characters.bold(first) and characters.bold(last)
    return FoundLine(Line(shown, left, right, bottom, top, round(size, 1), bold, numbers_at_end(shown)), text, first, turns)


def _level_runs(characters: Characters, first: int, text: str) -> Iterator[tuple[int, str]]:
    """Start and text of what stands on one height, where pdfium took what stands below for what stands beside."""
    start = 0
    for blank in _BLANKS.finditer(text):
        _, bottom, _, top = characters.box(first + blank.start() - 1)
        if abs(characters.box(first + blank.end())[1] - bottom) > top - bottom:
            yield first + start, text[start : blank.start()]
            start = blank.end()
    yield first + start, text[start:]


def _overlap(line: Line, visible: Box) -> bool:
    return line.left < visible[2] and line.right > visible[0] and line.bottom < visible[3] and line.top > visible[1]


def _upright(found: list[FoundLine]) -> int:
    """Quarter turns of most of the page's text: that of a page set sideways."""
    if all(entry.turns == 0 for entry in found):
        return 0
    turns: Counter[int] = Counter()
    for entry in found:
        if entry.turns is not None:
            turns[entry.turns] += len(entry.raw)
    return turns.most_common(1)[0][0] if turns else 0


def _turned(line: Line, turns: int | None, upright: int) -> Line:
    """The line as the page reads when turned upright."""
    if upright == 1:
        line = line._replace(left=line.bottom, right=line.top, bottom=-line.right, top=-line.left)
    elif upright == 2:
        line = line._replace(left=-line.right, right=-line.left, bottom=-line.top, top=-line.bottom)
    elif upright == 3:
        line = line._replace(left=-line.top, right=-line.bottom, bottom=line.left, top=line.right)
    return line if turns == upright else line._replace(turned=True)


def _once(lines: list[Line]) -> list[Line]:
    """Without lines printed over themselves, as for bold or shadow."""
    if len({line.text for line in lines}) == len(lines):
        return lines
    seen: dict[str, set[tuple[int, int]]] = {}
    kept = []
    for line in lines:
        at = round(line.left / 3), round(line.bottom / 3)
        places = seen.setdefault(line.text, set())
        if not places or places.isdisjoint((at[0] + right, at[1] + up) for right in (-1, 0, 1) for up in (-1, 0, 1)):
            kept.append(line)
        places.add(at)
    return kept
