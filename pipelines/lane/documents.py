"""The documents step: parse what is new or changed, drop what is gone, leave the rest alone."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Generator, Iterator
from dataclasses import asdict

from pipelines.lane.ahead import Ahead
from pipelines.lane.moved import moved_from, moved_rows
from pipelines.near_duplicates import signature
from pipelines.outcomes import CHANGED_ROWS_SHOWN, ChangedRow, StepReport
from pipelines.parsing.formats import parser_fingerprint
from pipelines.parsing.pool import ParseOutcome, ParserPool, ParseTask
from pipelines.parsing.records import RECORD_PARSER, parse_record
from pipelines.sources import Source, SourceItem, open_source
from pipelines.tables import bucket_of, pin_of, rows_of
from pipelines.workspace import Workspace
from quality_checks.contracts import Contract, RecordMapping
from search_index.errors import DocumentUnreadable
from search_index.model.document import document_id, sha256
from search_index.model.release import canonical_json, digest_of, now
from search_index.model.state import LaneState

_FLUSH_ROWS = 400
_FLUSH_CHARACTERS = 40_000_000
Row = dict[str, object]


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
    listed = {str(r["document_id"]): r for r in lake.read_source("manifests", name).to_pylist()}
    columns = ["document_id", "uri", "path", "raw_sha256", "parsed_with", "status", "access", "metadata", "reason"]
    standing = {str(r["document_id"]): r for r in lake.read_source("documents", name, columns=columns).to_pylist()}
    wanted = [d for d, row in listed.items() if _needs_parsing(row, standing.get(d), contract)]
    moved = moved_from([listed[d] for d in wanted], standing.values(), lambda path: _parser_of(contract, path))
    to_parse = [d for d in wanted if d not in moved]
    told = _told(contract)
    written = set(wanted)
    restated = [d for d, row in standing.items() if d in listed and d not in written and not _says(row, told)]
    removed = [d for d in standing if d not in listed]
    changed = [ChangedRow(d, "removed", str(standing[d]["uri"])) for d in removed]

    if moved:
        writer = _Writer(workspace, contract, run_id)
        for row in moved_rows(lake, name, moved, listed):
            writer.add(_telling(row, told))
            changed.append(ChangedRow(str(row["document_id"]), "moved", str(row["uri"])))
        writer.flush()
    if removed:
        lake.replace_documents("documents", name, removed, rows_of("documents", []))
    if restated:
        _restate(workspace, contract, restated)
    if to_parse:
        workspace.progress.start(f"{name}: parsing", len(to_parse))
        writer = _Writer(workspace, contract, run_id)
        with Ahead(workspace, contract, run_id, len(to_parse)) as ahead:
            for row in _parsed(contract, [listed[d] for d in to_parse]):
                writer.add(row)
                ahead.offer(row)
                change = "quarantined" if row["status"] == "quarantined" else "parsed"
                changed.append(ChangedRow(str(row["document_id"]), change, str(row["uri"])))
                workspace.progress.advance(1)
            writer.flush()
        workspace.progress.finish()

    version = lake.version("documents")
    if before is not None and not (wanted or removed or restated) and before.state.get("version") == version:
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
    counts = {
        "parsed": len(to_parse),
        "moved": len(moved),
        "restated": len(restated),
        "quarantined": quarantined,
        "documents": rows - quarantined,
        "removed": len(removed),
    }
    unchanged = before is not None and before.data_version == digest
    return workspace.report(StepReport(name, "documents", digest, unchanged, counts, changed[:CHANGED_ROWS_SHOWN]))


def _count(lane: LaneState, key: str) -> int:
    value = lane.state.get(key, 0)
    return value if isinstance(value, int) else 0


def _row_settings(contract: Contract) -> Row:
    return {"told": _told(contract), "records": contract.records.model_dump() if contract.records else None}


def _told(contract: Contract) -> Row:
    """What a contract puts on each of its documents."""
    return {"access": list(contract.access_groups), "metadata": dict(contract.metadata)}


def _says(row: Row, told: Row) -> bool:
    stored = json.loads(str(row["metadata"]))
    return row["access"] == told["access"] and stored.get("contract", {}) == told["metadata"]


def _needs_parsing(listed: Row, standing: Row | None, contract: Contract) -> bool:
    if standing is None or listed["problem"]:
        return standing is None or standing["reason"] != listed["problem"]
    return standing["raw_sha256"] != listed["raw_sha256"] or standing["parsed_with"] != _parser_of(contract, str(listed["path"]))


def _parser_of(contract: Contract, path: str) -> str:
    if contract.records is None:
        return parser_fingerprint(path, contract.parsing)
    return f"{RECORD_PARSER} {digest_of(contract.records.model_dump())[:12]}"


def _restate(workspace: Workspace, contract: Contract, documents: list[str]) -> None:
    """Rewrite rows whose access or metadata alone changed, keeping their text."""
    lake, wanted, told = workspace.lake, set(documents), _told(contract)
    rows = [r for r in lake.read_source("documents", contract.name).to_pylist() if r["document_id"] in wanted]
    lake.replace_documents("documents", contract.name, documents, rows_of("documents", [_telling(row, told) for row in rows]))


def _telling(row: Row, told: Row) -> Row:
    metadata = json.loads(str(row["metadata"])) | {"contract": told["metadata"]}
    return row | {"access": told["access"], "metadata": canonical_json(metadata)}


def _parsed(contract: Contract, listed: list[Row]) -> Iterator[Row]:
    """A documents row for each manifest row, in the order in which parsing ends."""
    source = open_source(contract)
    by_id = {str(row["document_id"]): row for row in listed}
    items = {document_id(contract.name, item.path): item for item in source.list() if document_id(contract.name, item.path) in by_id}
    hashes: dict[str, str] = {}
    for key in by_id.keys() - items.keys():
        # It went away between listing and reading: the next run's manifest no longer has it.
        yield _row(contract, by_id[key], None, "", "it was removed while the run was reading", "")
    tasks = (ParseTask(key, item.path, _loader(source, item, hashes, key)) for key, item in items.items())
    with contextlib.closing(_outcomes(contract, tasks)) as outcomes:
        for outcome in outcomes:
            row = by_id[outcome.key]
            yield _row(contract, row, outcome, hashes.get(outcome.key, ""), outcome.reason, outcome.remedy)


def _outcomes(contract: Contract, tasks: Iterator[ParseTask]) -> Generator[ParseOutcome]:
    """Files go to worker processes; a record is a few fields, parsed here."""
    if contract.records is None:
        with ParserPool(parsing=contract.parsing) as pool:
            yield from pool.parse_all(tasks)
    else:
        for task in tasks:
            yield _record(contract.records, task)


def _record(mapping: RecordMapping, task: ParseTask) -> ParseOutcome:
    try:
        found = json.loads(task.load if isinstance(task.load, bytes) else task.load())
        if not isinstance(found, dict):
            raise DocumentUnreadable(f"Record {task.path} is not a JSON object.", "Write one object a line.")
        named = {"title": found.get(mapping.title) if mapping.title else "", "text": found.get(mapping.text)}
        used = (mapping.id, mapping.title, mapping.text, mapping.modified_at)
        kept = found if mapping.metadata is None else {k: found[k] for k in mapping.metadata if k in found}
        rest = {k: v for k, v in kept.items() if k not in used}
        return ParseOutcome(task.key, parse_record({**rest, **named}, task.path))
    except OSError as e:
        reason = f"Record {task.path} cannot be read: {e.strerror or type(e).__name__}."
        return ParseOutcome(task.key, None, reason, "Check that its file is there and may be read, then run again.")
    except ValueError as e:
        return ParseOutcome(task.key, None, f"Record {task.path} is not JSON: {e}", "Mend the line.")
    except DocumentUnreadable as e:
        return ParseOutcome(task.key, None, e.what, e.remedy)


def _loader(source: Source, item: SourceItem, hashes: dict[str, str], key: str) -> Callable[[], bytes]:
    def load() -> bytes:
        content = source.read(item)
        hashes[key] = sha256(content)  # of the bytes that are parsed, should the file have changed since it was listed
        return content

    return load


def _row(contract: Contract, listed: Row, outcome: ParseOutcome | None, raw_sha256: str, reason: str | None, remedy: str | None) -> Row:
    document = outcome.document if outcome else None
    told = _told(contract)
    path = str(listed["path"])
    metadata = {"document": dict(document.metadata) if document else {}, "contract": told["metadata"]}
    return {
        "source": contract.name,
        "bucket": bucket_of(str(listed["document_id"])),
        "document_id": listed["document_id"],
        "uri": listed["uri"],
        "path": path,
        "title": document.title if document else path.rsplit("/", 1)[-1],
        "status": "ok" if document else "quarantined",
        "reason": "" if document else str(listed["problem"] or reason or "unknown"),
        "remedy": "" if document else (remedy or ""),
        "mime_type": document.mime_type if document else "",
        "raw_sha256": raw_sha256,
        "size": listed["size"],
        "modified_at": listed["modified_at"],
        "parser": document.parser if document else "",
        "parsed_with": _parser_of(contract, path),
        "text": document.text if document else "",
        "elements": json.dumps([asdict(e) for e in document.elements], ensure_ascii=False) if document else "[]",
        "access": told["access"],
        "metadata": canonical_json(metadata),
        "minhash": signature(document.text) if document else None,
    }


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
