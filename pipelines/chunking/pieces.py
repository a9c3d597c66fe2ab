"""The smallest parts a document may be cut into: its elements, and the sentences or rows of those too long for a passage."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from search_index.model.document import Element, ParsedDocument

CHARACTERS_PER_TOKEN = 16
"""A word too long for the tokenizer is one token, however long it is; a passage, and what it repeats, has to end all the same."""
_SENTENCE_END = re.compile(r"(?:(?<=[.!?…])[\"'\u201d\u2019)\]]*\s+(?=[\"'\u201c\u2018(\[]?[^\sa-z])|(?<=[\u3002\uff01\uff1f\uff1b])|\n+)")
_LINE_END = re.compile(r"\n+")
_WORD_END = re.compile(r"\s+|(?<=[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af])|(?<=[/,;:_|])")
_MARKER = re.compile(r"\(?(?:[-*+\u2022\u2023\u25e6\u2013\u2014\u00b7]|\w{1,3}[.)])\)?")
_COLONS = ":\uff1a"
_LINED = ("Table", "CodeSnippet", "FormulaSnippet")
_MAX_TITLE_CHARACTERS = 300
_MAX_SECTION_DEPTH = 6

CountTokens = Callable[[int, int], int]
"""Tokens between two positions of the document's text."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part that stays whole.

    ``continues`` says that the piece before is of the same element; ``lead`` is where a passage that begins with this piece
    starts: at the piece itself, or earlier by the overlap. ``columns`` is the first row of the table that a piece continues.
    ``introduces`` says that it ends with a colon: what follows belongs to it.
    """

    start: int
    end: int
    kind: str
    page: int | None
    section: tuple[str, ...]
    is_title: bool = False
    continues: bool = False
    lead: int = 0
    columns: str = ""
    introduces: bool = False


def pieces_of(document: ParsedDocument, most_tokens: int, overlap: int, most_characters: int, tokens: CountTokens) -> Iterator[Piece]:
    """Pieces in order that cover all the text; none has more than ``most_tokens``, overlap included, where that can be helped.

    Elements stay whole where they can. Those that are too long are split, and overlap, but for rows and lines of code.
    """
    for element, section, is_title in _sectioned(document, most_tokens, tokens):
        start, end = element.start, element.end
        if tokens(start, end) <= most_tokens and end - start <= most_characters:
            introduces = not is_title and document.text[end - 1] in _COLONS
            yield Piece(start, end, element.kind, element.page, section, is_title, False, start, introduces=introduces)
            continue
        columns = _columns(document.text[start:end]) if element.kind == "Table" else ""
        spans = list(_split(document.text, element, most_tokens - overlap, most_characters, tokens))
        for index, (start, end) in enumerate(spans):
            lead = start if index == 0 or element.kind in _LINED else _lead(document.text, spans, index, overlap, tokens)
            introduces = document.text[end - 1] in _COLONS
            yield Piece(start, end, element.kind, element.page, section, False, index > 0, lead, columns if index else "", introduces)


def sentences_of(document: ParsedDocument, most_tokens: int, overlap: int, most_characters: int, tokens: CountTokens) -> Iterator[Piece]:
    """As ``pieces_of``, but each piece is one sentence, row or line, titles are like any other, and overlap goes across elements."""
    spans: list[tuple[int, int]] = []
    for element, section, is_title in _sectioned(document, most_tokens, tokens):
        columns = _columns(document.text[element.start : element.end]) if element.kind == "Table" else ""
        for index, (start, end) in enumerate(_split(document.text, element, max(1, most_tokens - overlap), most_characters, tokens)):
            spans = [*spans[-overlap:], (start, end)] if overlap else [(start, end)]
            lead = _lead(document.text, spans, len(spans) - 1, overlap, tokens) if len(spans) > 1 else start
            yield Piece(start, end, element.kind, element.page, section, is_title, index > 0, lead, columns if index else "")


def _sectioned(document: ParsedDocument, most_tokens: int, tokens: CountTokens) -> Iterator[tuple[Element, tuple[str, ...], bool]]:
    """The elements, each with the path of titles above it, itself included, and whether it is a title."""
    path: list[tuple[int, str]] = []
    for element in _gapless(document):
        text = document.text[element.start : element.end]
        is_title = element.kind == "Title" and len(text) <= _MAX_TITLE_CHARACTERS and tokens(element.start, element.end) <= most_tokens // 2
        if is_title:
            depth = element.depth or 0
            path = [*(entry for entry in path if entry[0] < depth), (depth, " ".join(text.split()))][-_MAX_SECTION_DEPTH:]
        yield element, tuple(title for _, title in path), is_title


def _gapless(document: ParsedDocument) -> Iterator[Element]:
    """The elements, and one for any text that none of them holds."""
    position = 0
    for element in [*document.elements, Element("", len(document.text), len(document.text))]:
        gap = document.text[position : element.start]
        if gap.strip():
            start = position + len(gap) - len(gap.lstrip())
            yield Element("UncategorizedText", start, start + len(gap.strip()))
        if document.text[element.start : element.end].strip():
            yield element
        position = element.end


def _columns(text: str) -> str:
    """A table's first row, if it names its columns."""
    first = text.split("\n", 1)[0]
    return first if " | " in first and sum(c.isdigit() for c in first) * 4 < len(first) else ""


def _split(text: str, element: Element, most: int, most_characters: int, tokens: CountTokens) -> Iterator[tuple[int, int]]:
    """Sentences (rows, lines) of an element; those too long still are cut between words, and words too long within."""
    parts = _cut(text, element.start, element.end, _LINE_END) if element.kind in _LINED else _sentences(text, element.start, element.end)
    for start, end in parts:
        if tokens(start, end) <= most and end - start <= most_characters:
            yield start, end
        else:
            yield from _packed(text, start, end, most // 2, most_characters // 2, tokens)


def _sentences(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Sentences; a list item's bullet or number is not one, but begins the next."""
    marker: tuple[int, int] | None = None
    for begin, stop in _cut(text, start, end, _SENTENCE_END):
        if marker is None and _MARKER.fullmatch(text, begin, stop):
            marker = begin, stop
            continue
        yield marker[0] if marker else begin, stop
        marker = None
    if marker:
        yield marker


def _cut(text: str, start: int, end: int, pattern: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    position = start
    for match in pattern.finditer(text, start, end):
        if match.start() > position:
            yield from _trimmed(text, position, match.start() + len(match.group().rstrip()))
            position = match.end()
    yield from _trimmed(text, position, end)


def _trimmed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    part = text[start:end]
    if part.strip():
        yield start + len(part) - len(part.lstrip()), start + len(part.rstrip())


def _packed(text: str, start: int, end: int, most: int, most_characters: int, tokens: CountTokens) -> Iterator[tuple[int, int]]:
    """Runs of words of at most ``most`` tokens each."""
    open_start, open_end = start, start
    for word_start, word_end in _words(text, start, end, most, most_characters, tokens):
        if open_end > open_start and (tokens(open_start, word_end) > most or word_end - open_start > most_characters):
            yield open_start, open_end
            open_start = word_start
        elif open_end == open_start:
            open_start = word_start
        open_end = word_end
    if open_end > open_start:
        yield open_start, open_end


def _words(text: str, start: int, end: int, most: int, most_characters: int, tokens: CountTokens) -> Iterator[tuple[int, int]]:
    """Words, those that are too long in halves of halves."""
    for word_start, word_end in _cut(text, start, end, _WORD_END):
        halves = [(word_start, word_end)]
        while halves:
            left, right = halves.pop()
            if right - left > 1 and (tokens(left, right) > most or right - left > most_characters):
                middle = (left + right) // 2
                halves += [(middle, right), (left, middle)]
            else:
                yield left, right


def _lead(text: str, spans: list[tuple[int, int]], index: int, overlap: int, tokens: CountTokens) -> int:
    """Where the overlap before piece ``index`` begins: at a sentence if a whole one fits, else at a word."""
    start = lead = spans[index][0]
    earliest = start - overlap * CHARACTERS_PER_TOKEN
    for before, _ in reversed(spans[max(0, index - overlap) : index]):
        if before < earliest or tokens(before, start) > overlap:
            break
        lead = before
    if lead < start or overlap == 0:
        return lead
    words = list(_cut(text, *spans[index - 1], _WORD_END))
    for word, _ in reversed(words[-overlap:]):
        if word < earliest or tokens(word, start) > overlap:
            break
        lead = word
    return lead
