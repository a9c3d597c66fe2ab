"""Cuts a parsed document into passages that the embedding model can hold whole.

Cuts are chosen together, as the cheapest way through the document: a passage should be well filled, begin at a title, stay on
one page and in one section, and never end with a title. Each wish has a price (``_Prices``), and dynamic programming over the
possible cuts finds the least sum. Every passage is a span of the document's text.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import accumulate, pairwise
from typing import Literal

from pipelines.chunk_pieces import Piece, pieces_of
from pipelines.token_counter import TokenCounter
from search_index.model.document import Chunk, ParsedDocument
from search_index.model.release import digest_of

CODE_VERSION = 1
"""Raised whenever a change of the chunker changes its chunks."""

_HEADER_SHARE = 4
_CHARACTERS_PER_TOKEN = 16
"""A word too long for the tokenizer is one token, however long it is; a passage has to end all the same."""


@dataclass(frozen=True, slots=True)
class ChunkerSettings:
    """How passages are cut. ``max_tokens`` is what the encoder sees at most, header and special tokens included.

    ``overlap_tokens`` is how much of an element that had to be split is said again in the next passage.
    """

    max_tokens: int = 256
    overlap_tokens: int = 32
    strategy: Literal["by_title"] = "by_title"

    def __post_init__(self) -> None:
        if self.max_tokens < 32 or not 0 <= self.overlap_tokens <= self.max_tokens // 4:
            raise ValueError("max_tokens must be at least 32, overlap_tokens at most a quarter of it")

    @property
    def fingerprint(self) -> str:
        """Settings and code version: chunks of the same text differ only if this does."""
        return f"{self.strategy}-{self.max_tokens}-{self.overlap_tokens}-{digest_of({**asdict(self), 'code': CODE_VERSION})[:8]}"


@dataclass(frozen=True, slots=True)
class _Prices:
    """What each imperfection costs, relative to one another; set by reading chunks of documentation and quarterly reports."""

    passage: float = 0.3
    emptiness: float = 2.0
    cut_in_section: float = 0.35
    cut_in_list: float = 0.5
    cut_in_element: float = 0.6
    cut_after_title: float = 50.0
    deeper_title: float = 0.1
    sibling_title: float = 0.35
    higher_title: float = 0.6
    page_turn: float = 0.8


_PRICES = _Prices()


def chunk_document(document: ParsedDocument, settings: ChunkerSettings, count_tokens: TokenCounter) -> list[Chunk]:
    """Passages of ``document``, in order.

    For each: ``document.text[start:end] == text``, and ``tokens``, counted exactly on ``encoder_text``, is at most
    ``max_tokens``. Together they cover every character that is not white space. A document that fits whole is one passage.
    """
    if not document.text.strip():
        return []
    spans = count_tokens.spans(document.text)
    cutter = _Cutter(document, settings, count_tokens, spans)
    return cutter.chunks()


class _Cutter:
    """One document being cut: its pieces, and where each begins and ends among its tokens."""

    def __init__(self, document: ParsedDocument, settings: ChunkerSettings, counter: TokenCounter, spans: list[tuple[int, int]]) -> None:
        self.document = document
        self.counter = counter
        self.room = settings.max_tokens - counter.special
        self.header_room = settings.max_tokens // _HEADER_SHARE
        self.characters = settings.max_tokens * _CHARACTERS_PER_TOKEN
        self._starts = [start for start, _ in spans]
        self._ends = list(accumulate((end for _, end in spans), max))
        self._header_tokens: dict[str, int] = {}
        split_above = self.room - self.header_room
        self.pieces: list[Piece] = list(pieces_of(document, split_above, settings.overlap_tokens, self.characters // 2, self.tokens))

    def tokens(self, start: int, end: int) -> int:
        """Tokens that touch ``text[start:end]``: what the span would count alone, give or take a word cut in two."""
        return max(0, bisect_left(self._starts, end) - bisect_right(self._ends, start))

    def chunks(self) -> list[Chunk]:
        """The passages, each counted exactly."""
        runs = [(0, len(self.pieces))] if self._fits_whole() else list(self._cheapest_runs())
        drafts = [self._draft(first, last) for first, last in runs]
        counts = self.counter.counts([draft.encoder_text for draft in drafts])
        counted = [replace(draft, tokens=count) for draft, count in zip(drafts, counts, strict=True)]
        new_from = [self.pieces[first].start for first, _ in runs]
        return [part for draft, start in zip(counted, new_from, strict=True) for part in self._within_room(draft, start)]

    def _fits_whole(self) -> bool:
        first, last = self.pieces[0], self.pieces[-1]
        if last.end - first.start > self.characters:
            return False
        header = self._header(0, len(self.pieces))
        text = self.document.text[first.start : last.end]
        return self.counter.counts([f"{header}\n{text}" if header else text])[0] <= self.room + self.counter.special

    def _cheapest_runs(self) -> Iterator[tuple[int, int]]:
        """Runs of pieces ``[first, last)`` with the least price in all (dynamic programming from the front)."""
        pieces, count = self.pieces, len(self.pieces)
        room = [self.room - self._count_header(self._header(index, index + 1)) for index in range(count)]
        best = [0.0] + [float("inf")] * count
        came_from = [0] * (count + 1)
        for first in range(count):
            crossing = 0.0
            begin = pieces[first].lead
            base = best[first] + self._cut_price(first)
            for last in range(first + 1, count + 1):
                end = pieces[last - 1].end
                size = self.tokens(begin, end)
                if last > first + 1:
                    if size > room[first] or end - begin > self.characters:
                        break
                    crossing += self._crossing_price(last - 1, self.tokens(begin, pieces[last - 2].end) / max(room[first], 1))
                empty = max(0.0, 0.5 - size / max(room[first], 1)) * 2
                price = base + _PRICES.passage + _PRICES.emptiness * empty * empty + crossing
                if price < best[last]:
                    best[last], came_from[last] = price, first
        cuts = [count]
        while cuts[-1] > 0:
            cuts.append(came_from[cuts[-1]])
        cuts.reverse()
        yield from pairwise(cuts)

    def _cut_price(self, index: int) -> float:
        """The price of beginning a passage at this piece."""
        if index == 0:
            return 0.0
        piece, before = self.pieces[index], self.pieces[index - 1]
        if before.is_title:
            return _PRICES.cut_after_title
        if piece.continues:
            return _PRICES.cut_in_element
        if piece.is_title or piece.page != before.page:
            return 0.0
        return _PRICES.cut_in_list if piece.kind == before.kind == "ListItem" else _PRICES.cut_in_section

    def _crossing_price(self, index: int, filled: float) -> float:
        """The price of having this piece inside a passage, and not at its beginning; ``filled`` is the part of it before."""
        piece, before = self.pieces[index], self.pieces[index - 1]
        price = _PRICES.page_turn if piece.page != before.page else 0.0
        if piece.is_title and not before.is_title:
            deeper = len(piece.section) - len(before.section)
            title_price = _PRICES.deeper_title if deeper > 0 else _PRICES.sibling_title if deeper == 0 else _PRICES.higher_title
            price += title_price * min(1.0, filled * 4)  # a few words above a title (a company's name, a date) belong to it
        return price

    def _header(self, first: int, last: int) -> str:
        """Document title and section path as far as the passage's own beginning does not say them, within the header's room."""
        parts = [self.document.title, *_common_section([piece.section for piece in self.pieces[first:last]])]
        spoken = [self.document.text[piece.start : piece.end] for piece in self.pieces[first : first + 3] if piece.is_title]
        parts = [part for index, part in enumerate(parts) if part and part not in parts[:index] and part not in spoken]
        columns = self.pieces[first].columns
        return self._fit(parts + ([columns] if columns else []))

    def _fit(self, parts: list[str]) -> str:
        """As many parts as there is room for: the first and the last say most, so the middle goes first."""
        while len(parts) > 1 and self._count_header(" > ".join(parts)) > self.header_room:
            parts = [*parts[:-2], parts[-1]] if len(parts) > 2 else parts[:1]
        header = " > ".join(parts)
        if self._count_header(header) <= self.header_room:
            return header
        return header[: self.counter.spans(header)[self.header_room - 1][1]].rstrip()

    def _count_header(self, header: str) -> int:
        if header not in self._header_tokens:
            self._header_tokens[header] = len(self.counter.spans(header))
        return self._header_tokens[header]

    def _draft(self, first: int, last: int) -> Chunk:
        """A run of pieces as a passage that is still to be counted."""
        pieces = self.pieces[first:last]
        start, end = pieces[0].lead, pieces[-1].end
        section = _common_section([piece.section for piece in pieces])
        pages = [piece.page for piece in pieces if piece.page is not None]
        text = self.document.text[start:end]
        return Chunk(start, end, text, self._header(first, last), section, min(pages, default=None), max(pages, default=None), 0)

    def _within_room(self, chunk: Chunk, new_from: int) -> Iterator[Chunk]:
        """The passage, if it holds no more than it may; else without its overlap, then its header, in the last resort in halves.

        Counts of spans are estimates where a word is cut in two, so this is rare, but an encoder would cut silently.
        """
        if chunk.tokens <= self.room + self.counter.special:
            yield chunk
        elif chunk.start < new_from:
            yield from self._within_room(self._recounted(chunk, new_from, chunk.end, chunk.header), new_from)
        elif chunk.header:
            yield from self._within_room(self._recounted(chunk, chunk.start, chunk.end, ""), new_from)
        else:
            for start, end in _halves(chunk.start, chunk.text):
                yield from self._within_room(self._recounted(chunk, start, end, ""), start)

    def _recounted(self, chunk: Chunk, start: int, end: int, header: str) -> Chunk:
        changed = replace(chunk, start=start, end=end, text=self.document.text[start:end], header=header)
        return replace(changed, tokens=self.counter.counts([changed.encoder_text])[0])


def _halves(offset: int, text: str) -> list[tuple[int, int]]:
    """Two spans that cover the text, cut at the white space nearest to its middle where there is any."""
    middle = len(text) // 2
    blank = next((i for distance in range(middle) for i in (middle - distance, middle + distance) if text[i : i + 1].isspace()), None)
    left, right = text[: blank or middle].rstrip(), text[blank or middle :].lstrip()
    spans = [(offset, offset + len(left)), (offset + len(text) - len(right), offset + len(text))]
    return [(start, end) for start, end in spans if end > start]


def _common_section(sections: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """The path that all share, or the first's where they share none."""
    common = 0
    while all(len(section) > common for section in sections) and len({section[common] for section in sections}) == 1:
        common += 1
    return sections[0][:common] if common else sections[0]
