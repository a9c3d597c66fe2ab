"""The manifest step: what the source holds now, by path and sha256."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from pydantic import JsonValue as Json

from pipelines.lane.narrowing import narrow
from pipelines.release.outcomes import CHANGED_ROWS_SHOWN, ChangedRow, StepReport
from pipelines.sources import Source, SourceItem, open_source
from pipelines.tables import rows_digest, rows_of
from pipelines.workspace import Workspace
from quality_checks.contracts import Contract
from search_index.errors import DocumentUnreadable, SourceUnavailable
from search_index.model.document import document_id, document_uri, sha256
from search_index.model.release import now
from search_index.model.state import LaneState

Row = dict[str, object]


def converge_manifest(workspace: Workspace, contract: Contract, run_id: str) -> StepReport:
    """List the source, hash what may have changed, and write the manifest when it did.

    A file whose signature (size, times, entity tag) stands as it was is not read. One that was touched but holds the same
    bytes keeps its ``modified_at``: nothing after this step notices.

    What the contract no longer lets be read is withheld first, whatever becomes of the source afterwards.

    A source that cannot be listed leaves the manifest as it was; the reason stands in the lane's state, and a check
    fails on it, so that the source is held instead of emptied. What lies below a folder that cannot be looked into stays as it was.
    """
    lake, catalog, name = workspace.lake, workspace.home.catalog, contract.name
    before, began = catalog.lane(name, "manifest"), now()
    if before is None or before.state.get("access") != _access(contract):
        narrow(workspace, contract, run_id)
    known = {str(row["path"]): row for row in lake.read_source("manifests", name).to_pylist()}
    try:
        rows = _rows(workspace, contract, known)
    except SourceUnavailable as e:
        return _unavailable(workspace, contract, run_id, e, len(known), began)
    changed = _changes(rows, known)
    if any(row != known.get(str(row["path"])) for row in rows) or len(rows) != len(known):
        lake.replace_source("manifests", name, rows_of("manifests", rows))
    digest = rows_digest(rows_of("manifests", rows), "document_id")
    counts = {
        "seen": len(rows),
        "added": sum(c.change == "added" for c in changed),
        "changed": sum(c.change == "changed" for c in changed),
        "removed": sum(c.change == "removed" for c in changed),
    }
    counts["unchanged"] = counts["seen"] - counts["added"] - counts["changed"]
    catalog.record_lane(
        LaneState(
            source=name,
            stage="manifest",
            inputs=contract.digest,
            data_version=digest,
            state={"files": len(rows), **_standing(workspace, contract, began)},
            run_id=run_id,
            at=now(),
        )
    )
    unchanged = before is not None and before.data_version == digest
    return workspace.report(StepReport(name, "manifest", digest, unchanged, counts, changed[:CHANGED_ROWS_SHOWN]))


def _rows(workspace: Workspace, contract: Contract, known: dict[str, Row]) -> list[Row]:
    source = open_source(contract, {path: str(row["signature"]) for path, row in known.items() if not row["problem"]})
    items: Iterable[SourceItem] = source.list()
    if contract.website is None:
        items = list(items)  # quick, and tells how many there are; a website's pages are fetched while they are listed
    workspace.progress.start(f"{contract.name}: listing", len(items) if isinstance(items, list) else len(known))
    rows: dict[str, Row] = {}
    for item in items:
        rows[item.path] = _row(contract.name, source, item, known.get(item.path))
        if item.hides:
            rows |= {path: row for path, row in known.items() if path.startswith(item.path) and path not in rows}
        workspace.progress.advance(1)
    workspace.progress.finish()
    return list(rows.values())


def _row(source_name: str, source: Source, item: SourceItem, known: Row | None) -> Row:
    row: Row = {
        "source": source_name,
        "document_id": document_id(source_name, item.path),
        "path": item.path,
        "uri": document_uri(source_name, item.path),
        "size": item.size,
        "modified_at": item.modified_at.replace(microsecond=0),
        "signature": item.signature,
        "raw_sha256": "",
        "problem": item.problem,
    }
    if item.problem:
        return row
    if known is not None and known["signature"] == item.signature != "" and not known["problem"]:
        return known
    try:
        content = source.read(item)
        row |= {"raw_sha256": sha256(content), "size": len(content)}
    except OSError as e:
        # Not a failed run: the file ends in quarantine with this reason and is read again next time.
        row["problem"] = f"{item.path} cannot be read: {e.strerror or type(e).__name__}"
    except DocumentUnreadable as e:
        row["problem"] = e.what
    if known is not None and known["raw_sha256"] == row["raw_sha256"]:
        row["modified_at"] = known["modified_at"]
    return row


def _changes(rows: list[Row], known: dict[str, Row]) -> list[ChangedRow]:
    found = []
    for row in rows:
        before = known.get(str(row["path"]))
        if before is None or before["raw_sha256"] != row["raw_sha256"]:
            found.append(ChangedRow(str(row["document_id"]), "added" if before is None else "changed", str(row["uri"])))
    left = known.keys() - {str(row["path"]) for row in rows}
    return found + [ChangedRow(str(known[path]["document_id"]), "removed", str(known[path]["uri"])) for path in sorted(left)]


def _unavailable(
    workspace: Workspace, contract: Contract, run_id: str, error: SourceUnavailable, files: int, began: datetime
) -> StepReport:
    digest = sha256(f"unavailable\n{contract.name}\n{error}")
    workspace.home.catalog.record_lane(
        LaneState(
            source=contract.name,
            stage="manifest",
            inputs=contract.digest,
            data_version=digest,
            state={
                "files": files,
                "problem": str(error),
                **_standing(workspace, contract, began),
            },
            run_id=run_id,
            at=now(),
        )
    )
    counts = {"seen": 0, "added": 0, "changed": 0, "removed": 0, "unchanged": files}
    return workspace.report(StepReport(contract.name, "manifest", digest, True, counts))


def _standing(workspace: Workspace, contract: Contract, began: datetime) -> dict[str, Json]:
    """What the step leaves behind whether the source could be listed or not.

    ``access`` is what documents were last narrowed to. What stood in the source before ``began``, the step has seen.
    """
    return {
        "version": workspace.lake.version("manifests"),
        "contract_version": contract.version,
        "access": _access(contract),
        "began": began.isoformat(),
    }


def _access(contract: Contract) -> list[Json]:
    return [contract.tenant, *sorted(contract.access_groups)]
