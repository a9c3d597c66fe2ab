"""From a documents row to its rows in the chunks table."""

from __future__ import annotations

import json
from functools import cached_property

from pipelines.chunking.chunker import ChunkerSettings, chunk_document
from pipelines.chunking.token_counter import TokenCounter
from pipelines.tables import bucket_of
from pipelines.workspace import Workspace
from quality_checks.contracts import Contract
from search_index.embedding import vector_key
from search_index.model.document import Element, ParsedDocument, chunk_id, sha256
from search_index.model.release import digest_of

Row = dict[str, object]


def chunker_of(contract: Contract, passage_tokens: int) -> ChunkerSettings:
    """The chunker a contract asks for, never longer than the encoder reads."""
    most = min(contract.chunking.max_tokens, passage_tokens)
    overlap = min(contract.chunking.overlap_tokens, most // 2)
    return ChunkerSettings(max_tokens=most, overlap_tokens=overlap, strategy=contract.chunking.strategy)


class Cutter:
    """Cuts the documents of one source for the encoder of a run; the encoder is loaded when the first is cut."""

    def __init__(self, workspace: Workspace, contract: Contract, run_id: str) -> None:
        self.settings = chunker_of(contract, workspace.passage_tokens)
        self._workspace, self._source, self._run_id = workspace, contract.name, run_id
        self._encoder = workspace.model_pin.encoder

    @cached_property
    def _counter(self) -> TokenCounter:
        return TokenCounter(self._workspace.encoder.tokenizer)

    def cut_from(self, document: Row) -> str:
        """A digest of all that decides a document's chunks."""
        return digest_of([[document[k] for k in ("title", "text", "elements")], self.settings.fingerprint, self._encoder])

    def rows(self, document: Row) -> list[Row]:
        """The chunks rows of a documents row, all columns but ``access`` and ``also_at``."""
        out: list[Row] = []
        identity, cut_from = str(document["document_id"]), self.cut_from(document)
        for ordinal, chunk in enumerate(chunk_document(parsed_document(document), self.settings, self._counter)):
            text_sha256 = sha256(chunk.text)
            out.append(
                {
                    "source": self._source,
                    "bucket": bucket_of(identity),
                    "document_id": identity,
                    "chunk_id": chunk_id(identity, self.settings.fingerprint, chunk.start, chunk.end, text_sha256),
                    "ordinal": ordinal,
                    "start": chunk.start,
                    "end": chunk.end,
                    "text": chunk.text,
                    "text_sha256": text_sha256,
                    "header": chunk.header,
                    "section": list(chunk.section),
                    "page_first": chunk.page_first,
                    "page_last": chunk.page_last,
                    "tokens": chunk.tokens,
                    "vector_key": vector_key(self._encoder, chunk.encoder_text),
                    "chunker": self.settings.fingerprint,
                    "cut_from": cut_from,
                    "run_id": self._run_id,
                }
            )
        return out


def parsed_document(row: Row) -> ParsedDocument:
    """A documents row as the parser gave it."""
    return ParsedDocument(
        title=str(row["title"]),
        text=str(row["text"]),
        elements=tuple(Element(**e) for e in json.loads(str(row["elements"]))),
        parser=str(row["parser"]),
        mime_type=str(row["mime_type"]),
    )
