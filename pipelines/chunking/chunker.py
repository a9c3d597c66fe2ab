"""Cuts a parsed document into passages that the embedding model can hold whole; every passage is a span of its text.

Three strategies. ``by_title`` puts the cuts where they hurt least (``pipelines.chunking.runs``): at titles, between list items and
rows, with well filled passages. ``by_page`` does so within each page, and a page that fits is one passage. ``fixed`` fills passage
after passage with sentences, whatever elements they are of, and each repeats the end of the one before.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import accumulate
from typing import Literal

from pipelines.chunking.pieces import CHARACTERS_PER_TOKEN, Piece, pieces_of, sentences_of
from pipelines.chunking.runs import Measured, Run, cheapest_runs, filled_runs
from pipelines.chunking.token_counter import TokenCounter
from search_index.model.document import Chunk, ParsedDocument
from search_index.model.release import digest_of

CODE_VERSION = 2
"""Raised whenever a change of the chunker changes its chunks."""

_HEADER_SHARE = 4


Strategy = Literal["by_title", "by_page", "fixed"]


@dataclass(frozen=True, slots=True)
class ChunkerSettings:
    """How passages are cut. ``max_tokens`` is what the encoder sees at most, header and special tokens included.

    ``overlap_tokens`` is how much the next passage says again, at most: of an element that had to be split, with ``fixed`` of any.

    Raises:
        ValueError: fewer than 16 tokens, or an overlap of more than half.
    """

    max_tokens: int = 256
    overlap_tokens: int = 32
    strategy: Strategy = "by_title"

    def __post_init__(self) -> None:
        if self.max_tokens < 16 or not 0 <= self.overlap_tokens <= self.max_tokens // 2:
            raise ValueError("max_tokens must be at least 16, overlap_tokens at most half of it")

    @property
    def fingerprint(self) -> str:
        """Settings and code version: chunks of the same text differ only if this does."""
        return f"{self.strategy}-{self.max_tokens}-{self.overlap_tokens}-{digest_of({**asdict(self), 'code': CODE_VERSION})[:8]}"


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
        self.strategy = settings.strategy
        self.room = settings.max_tokens - counter.special
        self.header_room = settings.max_tokens // _HEADER_SHARE
        self.characters = settings.max_tokens * CHARACTERS_PER_TOKEN
        self._starts = [start for start, _ in spans]
        self._ends = list(accumulate((end for _, end in spans), max))
        self._header_tokens: dict[str, int] = {}
        split_above = self.room - self.header_room
        parts_of = sentences_of if settings.strategy == "fixed" else pieces_of
        self.pieces: list[Piece] = list(parts_of(document, split_above, settings.overlap_tokens, self.characters // 2, self.tokens))
        self._piece_starts = [piece.start for piece in self.pieces]

    def tokens(self, start: int, end: int) -> int:
        """Tokens that touch ``text[start:end]``: what the span would count alone, give or take a word cut in two."""
        return max(0, bisect_left(self._starts, end) - bisect_right(self._ends, start))

    def chunks(self) -> list[Chunk]:
        """The passages, each counted exactly."""
        runs = list(self._runs())
        drafts = [self._draft(first, last) for first, last in runs]
        counts = self.counter.counts([draft.encoder_text for draft in drafts])
        counted = [replace(draft, tokens=count) for draft, count in zip(drafts, counts, strict=True)]
        done: list[Chunk] = []
        for (first, _), draft in zip(runs, counted, strict=True):
            new_from = self.pieces[first].start
            # Where the one before had to be halved, what is left of its end may be shorter than the overlap.
            behind = done and draft.start <= done[-1].start
            passage = self._recounted(draft, new_from, draft.end, draft.header) if behind else draft
            done.extend(self._within_room(passage, new_from))
        return done

    def _runs(self) -> Iterator[Run]:
        """Runs of pieces, a passage each. What fits whole, a document or with ``by_page`` a page, is one."""
        measured: Measured | None = None
        for first, last in self._pages() if self.strategy == "by_page" else [(0, len(self.pieces))]:
            if self._fits_whole(first, last):
                yield first, last
                continue
            measured = measured or self._measured()
            yield from (filled_runs if self.strategy == "fixed" else cheapest_runs)(measured, first, last)

    def _pages(self) -> Iterator[Run]:
        """The pieces of each page; those of no page belong to the page before them."""
        first, page = 0, self.pieces[0].page
        for index, piece in enumerate(self.pieces):
            if piece.page is not None and page is not None and piece.page != page:
                yield first, index
                first = index
            page = page if piece.page is None else piece.page
        yield first, len(self.pieces)

    def _fits_whole(self, first: int, last: int) -> bool:
        start, end = self.pieces[first].start, self.pieces[last - 1].end
        if end - start > self.characters:
            return False
        header, text = self._header(first, last), self.document.text[start:end]
        return self.counter.counts([f"{header}\n{text}" if header else text])[0] <= self.room + self.counter.special

    def _measured(self) -> Measured:
        return Measured(
            self.pieces,
            [bisect_right(self._ends, piece.lead) for piece in self.pieces],
            [bisect_left(self._starts, piece.end) for piece in self.pieces],
            [self.room - self._count_header(self._header(index, index + 1)) for index in range(len(self.pieces))],
            self.characters,
        )

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
        start, end = self.pieces[first].lead, self.pieces[last - 1].end
        section = _common_section([piece.section for piece in self.pieces[first:last]])
        return Chunk(start, end, self.document.text[start:end], self._header(first, last), section, *self._page_range(start, end), 0)

    def _page_range(self, start: int, end: int) -> tuple[int | None, int | None]:
        pages = [piece.page for piece in self._under(start, end) if piece.page is not None]
        return min(pages, default=None), max(pages, default=None)

    def _under(self, start: int, end: int) -> list[Piece]:
        """The pieces that a span touches."""
        return self.pieces[bisect_right(self._piece_starts, start) - 1 : bisect_left(self._piece_starts, end)]

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
                half = replace(chunk, section=_common_section([piece.section for piece in self._under(start, end)]))
                yield from self._within_room(self._recounted(half, start, end, ""), start)

    def _recounted(self, chunk: Chunk, start: int, end: int, header: str) -> Chunk:
        first_page, last_page = self._page_range(start, end)
        text = self.document.text[start:end]
        changed = replace(chunk, start=start, end=end, text=text, header=header, page_first=first_page, page_last=last_page)
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
