"""The chunks step: cut what is new or changed, drop what is gone, leave the rest alone."""

from __future__ import annotations

import pyarrow.dataset as ds

from pipelines.lane.cutting import Cutter
from pipelines.near_duplicates import Duplicates, duplicates_of
from pipelines.outcomes import CHANGED_ROWS_SHOWN, ChangedRow, StepReport
from pipelines.tables import pin_of, rows_of
from pipelines.workspace import Workspace
from quality_checks.contracts import Contract
from search_index.model.release import digest_of, now
from search_index.model.state import LaneState

_FLUSH_DOCUMENTS = 400
_DUPLICATE_COUNTS = ("near_duplicates", "not_indexed")
Row = dict[str, object]


def converge_chunks(workspace: Workspace, contract: Contract, run_id: str) -> StepReport:
    """Bring the chunks table to what the documents table holds.

    A document is cut again when its text, elements, title, or the chunker or encoder changed; each row says in ``cut_from`` what
    it was cut from. When only its access or its near-duplicates changed, its rows are written again with the text they have.
    A document that a near-duplicate stands for is not cut (``near_duplicates.index_once``).
    """
    lake, catalog, name, encoder = workspace.lake, workspace.home.catalog, contract.name, workspace.model_pin.encoder
    cutter = Cutter(workspace, contract, run_id)
    settings = cutter.settings
    documents_lane, before = catalog.lane(name, "documents"), catalog.lane(name, "chunks")
    documents_version = documents_lane.data_version if documents_lane else ""
    inputs = digest_of([documents_version, settings.fingerprint, encoder, contract.near_duplicates.model_dump()])
    version = lake.version("chunks")
    if before is not None and before.inputs == inputs and before.state.get("version") == version:
        counts = {count: _count(before, state) for count, state in (("chunks", "rows"), *((k, k) for k in _DUPLICATE_COUNTS))}
        return workspace.report(StepReport(name, "chunks", before.data_version, True, counts | {"cut": 0, "restated": 0}))

    columns = ["document_id", "uri", "title", "text", "elements", "access", "parser", "mime_type", "status", "minhash"]
    table = lake.read_source("documents", name, columns=columns)
    duplicates = duplicates_of(table, contract.near_duplicates)
    documents = [d for d in table.to_pylist() if d["status"] == "ok" and d["document_id"] not in duplicates.left_out]
    standing_rows = lake.read_source("chunks", name, columns=["document_id", "cut_from", "access", "also_at"]).to_pylist()
    standing = {str(r["document_id"]): r for r in standing_rows}
    wanted = {str(d["document_id"]): cutter.cut_from(d) for d in documents}
    removed = sorted(standing.keys() - wanted.keys())
    to_cut = [d for d in documents if not (row := standing.get(str(d["document_id"]))) or row["cut_from"] != wanted[str(d["document_id"])]]
    cut_anew = {d["document_id"] for d in to_cut}
    told = {str(d["document_id"]): _told(d, duplicates) for d in documents if d["document_id"] not in cut_anew}
    restated = {document: says for document, says in told.items() if any(standing[document][name] != value for name, value in says.items())}
    if removed:
        lake.replace_documents("chunks", name, removed, rows_of("chunks", []))
    changed = [ChangedRow(d, "removed", d) for d in removed]
    if restated:
        _restate(workspace, contract, restated)
    if to_cut:
        changed += _cut(workspace, contract, cutter, to_cut, duplicates)

    version = lake.version("chunks")
    table = lake.read_source("chunks", name, version=version)
    digest = pin_of(table, "chunk_id", version).digest
    of_duplicates = dict(zip(_DUPLICATE_COUNTS, (duplicates.found, len(duplicates.left_out)), strict=True))
    catalog.record_lane(
        LaneState(
            source=name,
            stage="chunks",
            inputs=inputs,
            data_version=digest,
            state={"version": version, "rows": table.num_rows, "chunker": settings.fingerprint, **of_duplicates},
            run_id=run_id,
            at=now(),
        )
    )
    unchanged = before is not None and before.data_version == digest
    counts = {"chunks": table.num_rows, "cut": len(to_cut) + workspace.ahead[name].cut, "restated": len(restated), **of_duplicates}
    return workspace.report(StepReport(name, "chunks", digest, unchanged, counts, changed[:CHANGED_ROWS_SHOWN]))


def _count(lane: LaneState, key: str) -> int:
    value = lane.state.get(key)
    return value if isinstance(value, int) else 0


def _told(document: Row, duplicates: Duplicates) -> Row:
    """What a document's rows say besides what it was cut into."""
    return {"access": document["access"], "also_at": list(duplicates.also_at.get(str(document["document_id"]), ()))}


def _restate(workspace: Workspace, contract: Contract, documents: dict[str, Row]) -> None:
    """Write rows again whose access or near-duplicates alone changed."""
    wanted = (ds.field("source") == contract.name) & ds.field("document_id").isin(sorted(documents))
    rows = [row | documents[row["document_id"]] for row in workspace.lake.read("chunks", where=wanted).to_pylist()]
    workspace.lake.replace_documents("chunks", contract.name, sorted(documents), rows_of("chunks", rows))


def _cut(workspace: Workspace, contract: Contract, cutter: Cutter, to_cut: list[Row], duplicates: Duplicates) -> list[ChangedRow]:
    """Cut documents and write their chunks, some hundred documents a commit."""
    changed = []
    workspace.progress.start(f"{contract.name}: chunking", len(to_cut))
    for at in range(0, len(to_cut), _FLUSH_DOCUMENTS):
        batch = to_cut[at : at + _FLUSH_DOCUMENTS]
        rows: list[Row] = []
        for document in batch:
            cut = cutter.rows(document)
            rows.extend(row | _told(document, duplicates) for row in cut)
            changed.append(ChangedRow(str(document["document_id"]), f"cut into {len(cut)}", str(document["uri"])))
            workspace.progress.advance(1)
        workspace.lake.replace_documents("chunks", contract.name, [str(d["document_id"]) for d in batch], rows_of("chunks", rows))
    workspace.progress.finish()
    return changed
