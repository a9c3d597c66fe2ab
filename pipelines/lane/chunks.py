"""The chunks step: cut what is new or changed, drop what is gone, leave the rest alone."""

from __future__ import annotations

import json

from pipelines.chunking import ChunkerSettings, chunk_document
from pipelines.outcomes import CHANGED_ROWS_SHOWN, ChangedRow, StepReport
from pipelines.tables import bucket_of, pin_of, rows_of
from pipelines.token_counter import TokenCounter
from pipelines.workspace import Workspace
from quality_checks.contracts import Contract
from search_index.embedding import vector_key
from search_index.model.document import Element, ParsedDocument, chunk_id, sha256
from search_index.model.release import digest_of, now
from search_index.model.state import LaneState

_FLUSH_DOCUMENTS = 400
Row = dict[str, object]


def chunker_of(contract: Contract, passage_tokens: int) -> ChunkerSettings:
    """The chunker a contract asks for, never longer than the encoder reads."""
    return ChunkerSettings(
        max_tokens=min(contract.chunking.max_tokens, passage_tokens),
        overlap_tokens=contract.chunking.overlap_tokens,
        strategy=contract.chunking.strategy,
    )


def converge_chunks(workspace: Workspace, contract: Contract, run_id: str) -> StepReport:
    """Bring the chunks table to what the documents table holds.

    A document is cut again when its text, elements, title, access, or the chunker or encoder changed; each row says in
    ``cut_from`` what it was cut from.
    """
    lake, catalog, name, encoder = workspace.lake, workspace.home.catalog, contract.name, workspace.model_pin.encoder
    settings = chunker_of(contract, workspace.passage_tokens)
    documents_lane, before = catalog.lane(name, "documents"), catalog.lane(name, "chunks")
    documents_version = documents_lane.data_version if documents_lane else ""
    inputs = digest_of([documents_version, settings.fingerprint, encoder])
    version = lake.version("chunks")
    if before is not None and before.inputs == inputs and before.state.get("version") == version:
        rows = before.state.get("rows")
        counts = {"chunks": rows if isinstance(rows, int) else 0, "cut": 0}
        return workspace.report(StepReport(name, "chunks", before.data_version, True, counts))

    columns = ["document_id", "uri", "title", "text", "elements", "access", "parser", "mime_type", "status"]
    documents = [d for d in lake.read_source("documents", name, columns=columns).to_pylist() if d["status"] == "ok"]
    standing_rows = lake.read_source("chunks", name, columns=["document_id", "cut_from"]).to_pylist()
    standing = {str(r["document_id"]): str(r["cut_from"]) for r in standing_rows}
    wanted = {str(d["document_id"]): _cut_from(d, settings, encoder) for d in documents}
    removed = sorted(standing.keys() - wanted.keys())
    to_cut = [d for d in documents if standing.get(str(d["document_id"])) != wanted[str(d["document_id"])]]
    if removed:
        lake.replace_documents("chunks", name, removed, rows_of("chunks", []))
    changed = [ChangedRow(d, "removed", d) for d in removed]
    if to_cut:
        changed += _cut(workspace, contract, settings, encoder, run_id, to_cut, wanted)

    version = lake.version("chunks")
    table = lake.read_source("chunks", name, version=version)
    digest = pin_of(table, "chunk_id", version).digest
    catalog.record_lane(
        LaneState(
            source=name,
            stage="chunks",
            inputs=inputs,
            data_version=digest,
            state={"version": version, "rows": table.num_rows, "chunker": settings.fingerprint},
            run_id=run_id,
            at=now(),
        )
    )
    unchanged = before is not None and before.data_version == digest
    counts = {"chunks": table.num_rows, "cut": len(to_cut)}
    return workspace.report(StepReport(name, "chunks", digest, unchanged, counts, changed[:CHANGED_ROWS_SHOWN]))


def _cut(
    workspace: Workspace,
    contract: Contract,
    settings: ChunkerSettings,
    encoder: str,
    run_id: str,
    to_cut: list[Row],
    cut_from: dict[str, str],
) -> list[ChangedRow]:
    """Cut documents and write their chunks, some hundred documents a commit."""
    counter = TokenCounter(workspace.encoder.tokenizer)
    changed = []
    workspace.progress.start(f"{contract.name}: chunking", len(to_cut))
    for at in range(0, len(to_cut), _FLUSH_DOCUMENTS):
        batch, rows = to_cut[at : at + _FLUSH_DOCUMENTS], []
        for document in batch:
            identity = str(document["document_id"])
            cut = _rows(document, contract, settings, counter, encoder, run_id, cut_from[identity])
            rows.extend(cut)
            changed.append(ChangedRow(identity, f"cut into {len(cut)}", str(document["uri"])))
            workspace.progress.advance(1)
        workspace.lake.replace_documents("chunks", contract.name, [str(d["document_id"]) for d in batch], rows_of("chunks", rows))
    workspace.progress.finish()
    return changed


def _cut_from(document: Row, settings: ChunkerSettings, encoder: str) -> str:
    told = [document[k] for k in ("title", "text", "elements", "access")]
    return digest_of([told, settings.fingerprint, encoder])


def parsed_document(row: Row) -> ParsedDocument:
    """A documents row as the parser gave it."""
    return ParsedDocument(
        title=str(row["title"]),
        text=str(row["text"]),
        elements=tuple(Element(**e) for e in json.loads(str(row["elements"]))),
        parser=str(row["parser"]),
        mime_type=str(row["mime_type"]),
    )


def _rows(
    document: Row, contract: Contract, settings: ChunkerSettings, counter: TokenCounter, encoder: str, run_id: str, cut_from: str
) -> list[Row]:
    out: list[Row] = []
    identity = str(document["document_id"])
    for ordinal, chunk in enumerate(chunk_document(parsed_document(document), settings, counter)):
        text_sha256 = sha256(chunk.text)
        out.append(
            {
                "source": contract.name,
                "bucket": bucket_of(identity),
                "document_id": identity,
                "chunk_id": chunk_id(identity, settings.fingerprint, chunk.start, chunk.end, text_sha256),
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
                "access": document["access"],
                "vector_key": vector_key(encoder, chunk.encoder_text),
                "chunker": settings.fingerprint,
                "cut_from": cut_from,
                "run_id": run_id,
            }
        )
    return out
