"""The documents step: parse what is new or changed, drop what is gone, leave the rest alone."""

from __future__ import annotations

import json
from dataclasses import dataclass

from pipelines.lane.ahead import Ahead
from pipelines.lane.document_rows import parsed_rows, parser_of, telling, told_by
from pipelines.lane.moved import moved_from, moved_rows
from pipelines.release.outcomes import CHANGED_ROWS_SHOWN, ChangedRow, StepReport
from pipelines.tables import bucket_of, pin_of, rows_of
from pipelines.workspace import Workspace
from quality_checks.contracts import Contract
from search_index.model.release import digest_of, now
from search_index.model.state import LaneState

_FLUSH_ROWS = 400
_FLUSH_CHARACTERS = 40_000_000
Row = dict[str, object]


@dataclass(frozen=True)
class DocumentsWork:
    """What the documents table lacks of what the manifest lists, by document id.

    ``wanted`` have no row that holds what they are; those of them in ``moved`` were parsed under the id given there, ``to_parse``
    is the rest. ``restated`` have another access or metadata than the contract says, ``removed`` are listed no more.
    """

    listed: dict[str, Row]
    standing: dict[str, Row]
    wanted: list[str]
    moved: dict[str, str]
    restated: list[str]
    removed: list[str]

    @property
    def to_parse(self) -> list[str]:
        """The documents whose files have to be read."""
        return [d for d in self.wanted if d not in self.moved]

    @property
    def buckets(self) -> frozenset[int]:
        """The buckets in which there is something to do."""
        return frozenset(bucket_of(d) for d in (*self.wanted, *self.restated, *self.removed))


def converge_documents(workspace: Workspace, contract: Contract, run_id: str) -> StepReport:
    """Bring the documents table to what the manifest lists.

    Parsed is only what has other bytes, another parser or another record mapping than its row; a file that moved to another
    folder takes what it was parsed into along, and a change of access or metadata alone rewrites the row with the text it has.
    What cannot be parsed is a row with status ``quarantined`` and its reason, and is tried again when it, or the parser, changes.
    Rows are written as they come, so a killed run goes on where it stopped.
    """
    lake, catalog, name = workspace.lake, workspace.home.catalog, contract.name
    manifest_lane = catalog.lane(name, "manifest")
    inputs = digest_of([manifest_lane.data_version if manifest_lane else "", _row_settings(contract)])
    before = catalog.lane(name, "documents")
    work = documents_work(workspace, contract)
    changed = do_documents(workspace, contract, run_id, work)

    version = lake.version("documents")
    if before is not None and not work.buckets and before.state.get("version") == version:
        digest, rows, quarantined = before.data_version, _count(before, "rows"), _count(before, "quarantined")
    else:
        table = lake.read_source("documents", name, version=version)
        digest, rows = pin_of(table, "document_id", version).digest, table.num_rows
        quarantined = sum(s == "quarantined" for s in table["status"].to_pylist())
    catalog.record_lane(
        LaneState(
            source=name,
            stage="documents",
            inputs=inputs,
            data_version=digest,
            state={"version": version, "rows": rows, "quarantined": quarantined},
            run_id=run_id,
            at=now(),
        )
    )
    counts = {**work_counts(work), "quarantined": quarantined, "documents": rows - quarantined}
    unchanged = before is not None and before.data_version == digest
    return workspace.report(StepReport(name, "documents", digest, unchanged, counts, changed[:CHANGED_ROWS_SHOWN]))


def documents_work(workspace: Workspace, contract: Contract, buckets: frozenset[int] | None = None) -> DocumentsWork:
    """What there is to do, in these buckets or in all.

    A file may have moved here from any bucket: whose row is still there is looked up among all.
    """
    lake, name = workspace.lake, contract.name
    listed = {str(r["document_id"]): r for r in lake.read_source("manifests", name).to_pylist()}
    columns = ["document_id", "uri", "path", "raw_sha256", "parsed_with", "status", "access", "metadata", "reason"]
    everything = {str(r["document_id"]): r for r in lake.read_source("documents", name, columns=columns).to_pylist()}
    standing = everything
    if buckets is not None:
        listed, standing = _within(buckets, listed), _within(buckets, everything)
    wanted = [d for d, row in listed.items() if _needs_parsing(row, standing.get(d), contract)]
    moved = moved_from([listed[d] for d in wanted], everything.values(), lambda path: parser_of(contract, path))
    told, written = told_by(contract), set(wanted)
    return DocumentsWork(
        listed=listed,
        standing=standing,
        wanted=wanted,
        moved=moved,
        restated=[d for d, row in standing.items() if d in listed and d not in written and not _says(row, told)],
        removed=[d for d in standing if d not in listed],
    )


def do_documents(workspace: Workspace, contract: Contract, run_id: str, work: DocumentsWork) -> list[ChangedRow]:
    """Do it, writing rows as they come. Returns every row that changed."""
    lake, name, told = workspace.lake, contract.name, told_by(contract)
    changed = [ChangedRow(d, "removed", str(work.standing[d]["uri"])) for d in work.removed]
    if work.moved:
        writer = _Writer(workspace, contract, run_id)
        for row in moved_rows(lake, name, work.moved, work.listed):
            writer.add(telling(row, told))
            changed.append(ChangedRow(str(row["document_id"]), "moved", str(row["uri"])))
        writer.flush()
    if work.removed:
        lake.replace_documents("documents", name, work.removed, rows_of("documents", []))
    if work.restated:
        _restate(workspace, contract, work.restated)
    if to_parse := work.to_parse:
        workspace.progress.start(f"{name}: parsing", len(to_parse))
        writer = _Writer(workspace, contract, run_id)
        with Ahead(workspace, contract, run_id, len(to_parse)) as ahead:
            for row in parsed_rows(contract, [work.listed[d] for d in to_parse]):
                writer.add(row)
                ahead.offer(row)
                change = "quarantined" if row["status"] == "quarantined" else "parsed"
                changed.append(ChangedRow(str(row["document_id"]), change, str(row["uri"])))
                workspace.progress.advance(1)
            writer.flush()
        workspace.progress.finish()
    return changed


def work_counts(work: DocumentsWork) -> dict[str, int]:
    """How much was done."""
    return {"parsed": len(work.to_parse), "moved": len(work.moved), "restated": len(work.restated), "removed": len(work.removed)}


def _within(buckets: frozenset[int], rows: dict[str, Row]) -> dict[str, Row]:
    return {document: row for document, row in rows.items() if bucket_of(document) in buckets}


def _count(lane: LaneState, key: str) -> int:
    value = lane.state.get(key, 0)
    return value if isinstance(value, int) else 0


def _row_settings(contract: Contract) -> Row:
    return {"told": told_by(contract), "records": contract.records.model_dump() if contract.records else None}


def _says(row: Row, told: Row) -> bool:
    stored = json.loads(str(row["metadata"]))
    return row["access"] == told["access"] and stored.get("contract", {}) == told["metadata"]


def _needs_parsing(listed: Row, standing: Row | None, contract: Contract) -> bool:
    if standing is None or listed["problem"]:
        return standing is None or standing["reason"] != listed["problem"]
    return standing["raw_sha256"] != listed["raw_sha256"] or standing["parsed_with"] != parser_of(contract, str(listed["path"]))


def _restate(workspace: Workspace, contract: Contract, documents: list[str]) -> None:
    """Rewrite rows whose access or metadata alone changed, keeping their text."""
    lake, wanted, told = workspace.lake, set(documents), told_by(contract)
    rows = [r for r in lake.read_source("documents", contract.name).to_pylist() if r["document_id"] in wanted]
    lake.replace_documents("documents", contract.name, documents, rows_of("documents", [telling(row, told) for row in rows]))


class _Writer:
    """Collects rows and writes them in commits of a bounded size."""

    def __init__(self, workspace: Workspace, contract: Contract, run_id: str) -> None:
        self._workspace, self._contract, self._run_id = workspace, contract, run_id
        self._rows: list[Row] = []
        self._characters = 0

    def add(self, row: Row) -> None:
        self._rows.append(row | {"run_id": self._run_id})
        self._characters += len(str(row["text"])) + len(str(row["elements"]))
        if len(self._rows) >= _FLUSH_ROWS or self._characters >= _FLUSH_CHARACTERS:
            self.flush()

    def flush(self) -> None:
        if self._rows:
            ids = [str(row["document_id"]) for row in self._rows]
            self._workspace.lake.replace_documents("documents", self._contract.name, ids, rows_of("documents", self._rows))
        self._rows, self._characters = [], 0
