"""A source's documents beside those of the published release, read as far as they changed."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from pipelines.tables import Lake
from pipelines.workspace import Workspace
from quality_checks.contracts import Contract
from quality_checks.document_changes import Document, DocumentChange, findings, is_small
from quality_checks.finding import Finding
from quality_checks.gates import DOCUMENT_CHECKS
from search_index.model.release import SourcePin

_STATES = ["document_id", "raw_sha256", "status", "run_id"]
State = tuple[str, str, str]


def compared_documents(workspace: Workspace, contract: Contract, published: SourcePin | None) -> dict[str, Finding]:
    """What each of ``DOCUMENT_CHECKS`` finds; nothing to find in a source that was never published.

    Which documents changed is told without their text: by their bytes, whether they could be read, and the run that wrote the row.
    """
    lake, name = workspace.lake, contract.name
    if published is None:
        return {check.name: Finding(None, {"published": 0}) for check in DOCUMENT_CHECKS}
    at = published.documents.version
    before, now = (_states(lake.read_source("documents", name, columns=_STATES, version=v)) for v in (at, lake.version("documents")))
    changed = frozenset(d for d in before.keys() | now.keys() if before.get(d) != now.get(d))
    wanted = changed if is_small(len(changed), len(before)) else None
    return findings(
        DocumentChange(
            published=_texts(lake, name, at, wanted),
            now=_texts(lake, name, lake.version("documents"), wanted),
            changed=changed,
            documents_published=len(before),
            documents_now=len(now),
            declared=contract.languages,
        )
    )


def _states(rows: pa.Table) -> dict[str, State]:
    columns = (rows[name].to_pylist() for name in _STATES)
    return {document: (digest, status, run) for document, digest, status, run in zip(*columns, strict=True)}


def _texts(lake: Lake, source: str, version: int, wanted: frozenset[str] | None) -> Mapping[str, Document]:
    """The documents of a source, or those wanted; what is in quarantine has no text."""
    if wanted is not None and not wanted:
        return {}
    where = ds.field("source") == source
    where = where if wanted is None else where & ds.field("document_id").isin(sorted(wanted))
    rows = lake.read("documents", columns=["document_id", "raw_sha256", "status", "text"], where=where, version=version)
    text = pc.if_else(pc.equal(rows["status"], "ok"), pc.fill_null(rows["text"], ""), "")
    columns = zip(rows["document_id"].to_pylist(), rows["raw_sha256"].to_pylist(), text.to_pylist(), strict=True)
    return {document: Document(digest or "", words) for document, digest, words in columns}
