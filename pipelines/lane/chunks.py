"""The chunks step: cut what is new or changed, drop what is gone, leave the rest alone."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow.dataset as ds

from pipelines.lane.cutting import Cutter, chunker_of
from pipelines.near_duplicates import Duplicates, duplicates_of
from pipelines.release.outcomes import CHANGED_ROWS_SHOWN, ChangedRow, StepReport
from pipelines.tables import pin_of, rows_of
from pipelines.workspace import Workspace
from quality_checks.contracts import Contract
from search_index.model.release import digest_of, now
from search_index.model.state import LaneState

_FLUSH_DOCUMENTS = 400
_DUPLICATE_COUNTS = ("near_duplicates", "not_indexed")
_COMPARED = ["document_id", "uri", "access", "status", "minhash"]
Row = dict[str, object]


@dataclass(frozen=True)
class ChunksWork:
    """What the chunks table lacks of what the documents table holds.

    ``to_cut`` are documents rows. ``restated`` says, by document id, what the rows of one should say besides what it was cut
    into. ``removed`` are ids of documents whose rows should go.
    """

    cutter: Cutter
    duplicates: Duplicates
    to_cut: list[Row]
    restated: dict[str, Row]
    removed: list[str]


def converge_chunks(workspace: Workspace, contract: Contract, run_id: str) -> StepReport:
    """Bring the chunks table to what the documents table holds.

    A document is cut again when its text, elements, title, or the chunker or encoder changed; each row says in ``cut_from`` what
    it was cut from. When only its access or its near-duplicates changed, its rows are written again with the text they have.
    A document that a near-duplicate stands for is not cut (``near_duplicates.index_once``).
    """
    lake, catalog, name = workspace.lake, workspace.home.catalog, contract.name
    inputs, before = _inputs(workspace, contract), catalog.lane(name, "chunks")
    if before is not None and chunks_stand(workspace, contract):
        counts = {count: _count(before, state) for count, state in (("chunks", "rows"), *((k, k) for k in _DUPLICATE_COUNTS))}
        return workspace.report(StepReport(name, "chunks", before.data_version, True, counts | {"cut": 0, "restated": 0}))

    work = chunks_work(workspace, contract, run_id)
    changed = do_chunks(workspace, contract, work)

    version = lake.version("chunks")
    table = lake.read_source("chunks", name, version=version)
    digest = pin_of(table, "chunk_id", version).digest
    of_duplicates = dict(zip(_DUPLICATE_COUNTS, (work.duplicates.found, len(work.duplicates.left_out)), strict=True))
    catalog.record_lane(
        LaneState(
            source=name,
            stage="chunks",
            inputs=inputs,
            data_version=digest,
            state={"version": version, "rows": table.num_rows, "chunker": work.cutter.settings.fingerprint, **of_duplicates},
            run_id=run_id,
            at=now(),
        )
    )
    unchanged = before is not None and before.data_version == digest
    counts = {
        "chunks": table.num_rows,
        "cut": len(work.to_cut) + workspace.ahead[name].cut,
        "restated": len(work.restated),
        **of_duplicates,
    }
    return workspace.report(StepReport(name, "chunks", digest, unchanged, counts, changed[:CHANGED_ROWS_SHOWN]))


def chunks_stand(workspace: Workspace, contract: Contract) -> bool:
    """Whether the step was recorded on just what it would be made from now, and the table stands as it did then."""
    before = workspace.home.catalog.lane(contract.name, "chunks")
    if before is None or before.inputs != _inputs(workspace, contract):
        return False
    return before.state.get("version") == workspace.lake.version("chunks")


def chunks_work(workspace: Workspace, contract: Contract, run_id: str, buckets: frozenset[int] | None = None) -> ChunksWork:
    """What there is to do, in these buckets or in all. Near-duplicates are always looked for among all documents."""
    lake, name, cutter = workspace.lake, contract.name, Cutter(workspace, contract, run_id)
    columns = ["document_id", "uri", "title", "text", "elements", "access", "parser", "mime_type", "status", "minhash"]
    where = ds.field("source") == name if buckets is None else (ds.field("source") == name) & ds.field("bucket").isin(sorted(buckets))
    table = lake.read("documents", columns=columns, where=where)
    compared = table if buckets is None else lake.read_source("documents", name, columns=_COMPARED)
    duplicates = duplicates_of(compared, contract.near_duplicates)
    documents = [d for d in table.to_pylist() if d["status"] == "ok" and d["document_id"] not in duplicates.left_out]
    standing_rows = lake.read("chunks", columns=["document_id", "cut_from", "access", "also_at"], where=where).to_pylist()
    standing = {str(r["document_id"]): r for r in standing_rows}
    wanted = {str(d["document_id"]): cutter.cut_from(d) for d in documents}
    to_cut = [d for d in documents if not (row := standing.get(str(d["document_id"]))) or row["cut_from"] != wanted[str(d["document_id"])]]
    cut_anew = {d["document_id"] for d in to_cut}
    told = {str(d["document_id"]): _told(d, duplicates) for d in documents if d["document_id"] not in cut_anew}
    return ChunksWork(
        cutter=cutter,
        duplicates=duplicates,
        to_cut=to_cut,
        restated={
            document: says for document, says in told.items() if any(standing[document][key] != value for key, value in says.items())
        },
        removed=sorted(standing.keys() - wanted.keys()),
    )


def do_chunks(workspace: Workspace, contract: Contract, work: ChunksWork) -> list[ChangedRow]:
    """Do it, some hundred documents a commit. Returns the documents that changed."""
    if work.removed:
        workspace.lake.replace_documents("chunks", contract.name, work.removed, rows_of("chunks", []))
    changed = [ChangedRow(d, "removed", d) for d in work.removed]
    if work.restated:
        _restate(workspace, contract, work.restated)
    if work.to_cut:
        changed += _cut(workspace, contract, work.cutter, work.to_cut, work.duplicates)
    return changed


def _inputs(workspace: Workspace, contract: Contract) -> str:
    """A digest of all that the step is made from."""
    documents = workspace.home.catalog.lane(contract.name, "documents")
    fingerprint = chunker_of(contract, workspace.passage_tokens).fingerprint
    made_from = [documents.data_version if documents else "", fingerprint, workspace.model_pin.encoder]
    return digest_of([*made_from, contract.near_duplicates.model_dump()])


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
