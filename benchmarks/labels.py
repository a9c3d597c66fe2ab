"""Do judgements outlive another way of cutting?  usage: python -m benchmarks.labels [FOLDER ...]

Every file of the folders is parsed, and passages of the usual size are judged in three ways: by a sentence of theirs, by all of their text
and by their span. Then the documents are cut otherwise. A judgement has survived when it is found in its document and one of the new
passages meets it. Exits with 1 where fewer than 98 in 100 do.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from pipelines.chunking.chunker import ChunkerSettings, chunk_document
from pipelines.chunking.token_counter import TokenCounter
from pipelines.embedding_model.export import export_model, resolve_model
from pipelines.parsing.pool import ParserPool, ParseTask
from quality_checks.golden import GoldenQuery, GoldenSet, Judgement
from quality_checks.resolution import Resolved, resolve
from search_index.embedding.card import TOKENIZER
from search_index.model.document import Chunk, ParsedDocument
from search_index.settings import DEFAULT_MODEL, Settings

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
FOLDERS = (DATA / "nfcorpus-pdf", DATA / "sec-10-q")
USUAL = ChunkerSettings()
OTHERS = (
    ChunkerSettings(max_tokens=128, overlap_tokens=16),
    ChunkerSettings(max_tokens=200, overlap_tokens=0),
    ChunkerSettings(max_tokens=512, overlap_tokens=64),
    ChunkerSettings(max_tokens=256, overlap_tokens=32, strategy="by_page"),
    ChunkerSettings(max_tokens=160, overlap_tokens=40, strategy="fixed"),
)
LEAST_SURVIVING = 0.98
SHOWN = 10
LEAST_WORDS = 6


def parsed(folder: Path) -> dict[str, ParsedDocument]:
    """The documents of a folder by URI; what cannot be read is left out and said."""
    found: dict[str, ParsedDocument] = {}
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    with ParserPool() as pool:
        tasks = (ParseTask(path.relative_to(folder).as_posix(), path.name, path.read_bytes) for path in paths)
        for outcome in pool.parse_all(tasks):
            if outcome.document is None:
                sys.stderr.write(f"{outcome.key}: {outcome.reason}\n")
            else:
                found[f"judged:{outcome.key}"] = outcome.document
    return found


def judgements(uri: str, chunk: Chunk) -> dict[str, Judgement]:
    """A passage judged by a sentence, by all its text and by its span."""
    made = {
        "passage": Judgement(document=uri, quote=chunk.text),
        "span": Judgement(document=uri, span=(chunk.start, chunk.end)),
    }
    sentences = [" ".join(words) for part in chunk.text.split(". ") if len(words := part.split()) >= LEAST_WORDS]
    if sentences:
        made["sentence"] = Judgement(document=uri, quote=max(sentences, key=len))
    return made


def met(resolved: Resolved, chunks: dict[str, list[Chunk]]) -> set[str]:
    """The queries that some passage of the document they are judged in meets."""
    found: set[str] = set()
    for query, units in resolved.units.items():
        for unit in units:
            if any(resolved.relevant_units(query, unit.document, (chunk.start, chunk.end)) for chunk in chunks[unit.document]):
                found.add(query)
    return found


def main() -> int:
    """Print a table in Markdown, and the first judgements that were lost."""
    folders = [Path(name) for name in sys.argv[1:]] or [folder for folder in FOLDERS if folder.is_dir()]
    counter = TokenCounter.from_file(export_model(resolve_model(DEFAULT_MODEL), Settings().models_dir) / TOKENIZER)
    held = True
    print("| collection | cut to | judgements | by a sentence | by all the text | by the span | survive |")
    print("|---|---|--:|--:|--:|--:|--:|")
    for folder in folders:
        documents = parsed(folder)
        texts = {uri: document.text for uri, document in documents.items()}
        queries = [
            GoldenQuery(id=f"{kind} {number} {uri}", query=kind, relevant=(judgement,))
            for uri, document in documents.items()
            for number, chunk in enumerate(chunk_document(document, USUAL, counter))
            for kind, judgement in judgements(uri, chunk).items()
        ]
        resolved = resolve(GoldenSet(name="labels", queries=tuple(queries)), texts)
        asked = Counter(query.query for query in queries)
        for settings in OTHERS:
            surviving = met(resolved, {uri: chunk_document(document, settings, counter) for uri, document in documents.items()})
            kept = Counter(name.partition(" ")[0] for name in surviving)
            share = kept.total() / max(asked.total(), 1)
            held = held and share >= LEAST_SURVIVING
            kinds = " | ".join(f"{kept[kind] / max(asked[kind], 1):.2%}" for kind in ("sentence", "passage", "span"))
            cut = f"{settings.strategy}, {settings.max_tokens} tokens, {settings.overlap_tokens} again"
            print(f"| {folder.name} | {cut} | {asked.total():,} | {kinds} | {share:.2%} |", flush=True)
            lost = sorted({query.id for query in queries} - surviving)
            stale = {entry.query: entry.reason for entry in resolved.stale}
            for name in lost[:SHOWN]:
                sys.stderr.write(f"lost: {name}: {stale.get(name, 'no passage holds enough of it')}\n")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
