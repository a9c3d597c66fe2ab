"""A lane in parts: for a source too large for one run, each step does the hash buckets it is asked for.

A part says nothing of the lane: its state is recorded, and judged, when every bucket is done. Until then the tables move on, yet
releases go on reading them at the versions that were recorded last, so what is half done is never published.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import pyarrow.dataset as ds

from pipelines.lane.chunks import chunks_stand, chunks_work, converge_chunks, do_chunks
from pipelines.lane.document_rows import parser_of
from pipelines.lane.documents import DocumentsWork, converge_documents, do_documents, documents_work, work_counts
from pipelines.lane.judging import judge
from pipelines.lane.vectors import converge_vectors, do_vectors, vectors_stand, vectors_work
from pipelines.release.outcomes import CHANGED_ROWS_SHOWN, DoneAhead, StepReport
from pipelines.tables import BUCKETS, bucket_of, rows_digest
from pipelines.workspace import Workspace
from quality_checks.contracts import Contract
from search_index.model.release import Stage, Verdict, digest_of

PART_STAGES: tuple[Stage, ...] = ("documents", "chunks", "vectors")
ALL_BUCKETS = frozenset(range(BUCKETS))
PartStep = Callable[[Workspace, Contract, str, frozenset[int]], StepReport]
_WORK = ("parsed", "moved", "restated", "removed", "cut", "embedded")
"""The counts that say what was done; the others say what is there."""
_CONVERGE: Mapping[Stage, Callable[[Workspace, Contract, str], StepReport]] = {
    "documents": converge_documents,
    "chunks": converge_chunks,
    "vectors": converge_vectors,
}


def part_of_documents(workspace: Workspace, contract: Contract, run_id: str, buckets: frozenset[int]) -> StepReport:
    """As ``converge_documents``, for the documents in some buckets. Records no state of the lane."""
    work = documents_work(workspace, contract, buckets)
    changed = do_documents(workspace, contract, run_id, work)
    columns = ["document_id", "status", "raw_sha256", "parsed_with", "access", "metadata"]
    rows = workspace.lake.read("documents", columns=columns, where=_where(contract, buckets))
    quarantined = sum(status == "quarantined" for status in rows["status"].to_pylist())
    counts = {**work_counts(work), "quarantined": quarantined, "documents": rows.num_rows - quarantined}
    digest = rows_digest(rows, "document_id")
    return workspace.report(
        StepReport(contract.name, "documents", digest, not work.buckets, counts, changed[:CHANGED_ROWS_SHOWN]),
    )


def part_of_chunks(workspace: Workspace, contract: Contract, run_id: str, buckets: frozenset[int]) -> StepReport:
    """As ``converge_chunks``, for the documents in some buckets. Records no state of the lane.

    Near-duplicates are those among the documents parsed so far, of all buckets. What others make of them, ``converge_lane`` sets right.
    """
    ahead, changed, cut, restated = workspace.ahead[contract.name].cut, [], 0, 0
    if not _settled(workspace, contract):
        work = chunks_work(workspace, contract, run_id, buckets)
        changed, cut, restated = do_chunks(workspace, contract, work), len(work.to_cut), len(work.restated)
    rows = workspace.lake.read("chunks", columns=["chunk_id", "access", "also_at", "vector_key"], where=_where(contract, buckets))
    counts = {"chunks": rows.num_rows, "cut": cut + ahead, "restated": restated}
    unchanged = not changed and not restated and not ahead
    digest = rows_digest(rows, "chunk_id")
    return workspace.report(StepReport(contract.name, "chunks", digest, unchanged, counts, changed[:CHANGED_ROWS_SHOWN]))


def part_of_vectors(workspace: Workspace, contract: Contract, run_id: str, buckets: frozenset[int]) -> StepReport:
    """As ``converge_vectors``, for the chunks in some buckets. Records no state of the lane."""
    work = vectors_work(workspace, contract, buckets)
    changed = do_vectors(workspace, contract, run_id, work)
    keys = sorted(set(work.keys))
    embedded = len(work.texts) + workspace.ahead[contract.name].embedded
    counts = {"embedded": embedded, "reused": max(0, len(keys) - embedded)}
    return workspace.report(StepReport(contract.name, "vectors", digest_of(keys), not embedded, counts, changed))


PART_STEPS: Mapping[Stage, PartStep] = {"documents": part_of_documents, "chunks": part_of_chunks, "vectors": part_of_vectors}


def waiting_buckets(workspace: Workspace, contract: Contract, run_id: str) -> dict[Stage, list[int]]:
    """The buckets in which files are still to be parsed, documents to be cut or passages to be embedded; by the first such step.

    Empty once the whole lane is done. Told from the tables, so a part that was killed is seen for what it did.
    """
    if workspace.home.catalog.lane(contract.name, "manifest") is None:
        return {"documents": sorted(ALL_BUCKETS)}
    work = documents_work(workspace, contract)
    missing = {*work.wanted, *work.restated, *work.removed} - _overtaken(workspace, contract, work)
    waiting: dict[Stage, frozenset[int]] = {"documents": frozenset(bucket_of(document) for document in missing)}
    rest = ALL_BUCKETS - waiting["documents"]
    if rest and not (rest == ALL_BUCKETS and _settled(workspace, contract)):
        waiting["chunks"] = _to_cut(workspace, contract, run_id, rest)
        to_embed = vectors_work(workspace, contract, rest - waiting["chunks"])
        waiting["vectors"] = frozenset(bucket_of(document) for _, document in to_embed.ids.values())
    return {stage: sorted(buckets) for stage, buckets in waiting.items() if buckets}


def converge_lane(workspace: Workspace, contract: Contract, run_id: str) -> tuple[list[StepReport], list[Verdict]]:
    """Record and judge a lane whose buckets are all done: each step looks at the whole, and finds next to nothing left.

    What can be left are rows that say which other documents are their near-duplicates, and files that changed while they were read.
    """
    name, reports, verdicts = contract.name, [], []
    parts = dict(workspace.reports.get(name, {}))
    workspace.ahead[name] = DoneAhead()  # the parts have counted it
    for stage in PART_STAGES:
        report = _CONVERGE[stage](workspace, contract, run_id)
        reports.append(workspace.report(_with_work(report, parts[stage]) if stage in parts else report))
        verdicts += judge(workspace, contract, stage, run_id)
    return reports, verdicts


def recorded_version(workspace: Workspace, contract: Contract) -> str:
    """The data version of the lane as it was recorded last."""
    lanes = (workspace.home.catalog.lane(contract.name, stage) for stage in PART_STAGES)
    return digest_of([lane.data_version if lane else "" for lane in lanes])


def bucket_list(buckets: Iterable[int]) -> str:
    """Buckets as people read them.

    >>> bucket_list(frozenset({2, 0}))
    '0, 2'
    """
    return ", ".join(str(bucket) for bucket in sorted(buckets))


def _where(contract: Contract, buckets: frozenset[int]) -> ds.Expression:
    return (ds.field("source") == contract.name) & ds.field("bucket").isin(sorted(buckets))


def _settled(workspace: Workspace, contract: Contract) -> bool:
    """Whether the lane was recorded, and nothing was written or asked for since: then no text need be read to know that all is done."""
    documents = workspace.home.catalog.lane(contract.name, "documents")
    if documents is None or documents.state.get("version") != workspace.lake.version("documents"):
        return False
    return chunks_stand(workspace, contract) and vectors_stand(workspace, contract)


def _overtaken(workspace: Workspace, contract: Contract, work: DocumentsWork) -> set[str]:
    """Documents that changed, or went, between being listed and being read. Their rows are of this listing, yet not what it lists.

    Nothing waits for them, or a source that is always written to would never be done: ``converge_lane`` tries them again.
    """
    tried = [d for d in work.wanted if d in work.standing and work.standing[d]["parsed_with"] == _parser_now(contract, work, d)]
    if not tried:
        return set()
    rows = workspace.lake.read_source("documents", contract.name, columns=["document_id", "size", "modified_at"]).to_pylist()
    made_from = {row["document_id"]: (row["size"], row["modified_at"]) for row in rows}
    return {d for d in tried if made_from[d] == (work.listed[d]["size"], work.listed[d]["modified_at"])}


def _parser_now(contract: Contract, work: DocumentsWork, document: str) -> str:
    return parser_of(contract, str(work.listed[document]["path"]))


def _to_cut(workspace: Workspace, contract: Contract, run_id: str, buckets: frozenset[int]) -> frozenset[int]:
    """Those of the buckets that have documents to cut. One that is cut into nothing never has rows, and keeps no bucket waiting."""
    work = chunks_work(workspace, contract, run_id, buckets)
    found: set[int] = set()
    for document in work.to_cut:
        bucket = bucket_of(str(document["document_id"]))
        if bucket not in found and work.cutter.rows(document):
            found.add(bucket)
    return frozenset(found)


def _with_work(report: StepReport, part: StepReport) -> StepReport:
    """What the whole is, with what a part of the same run did for it."""
    counts = report.counts | {key: report.counts.get(key, 0) + part.counts[key] for key in _WORK if key in part.counts}
    if "reused" in counts:
        counts["reused"] = max(0, counts["reused"] - part.counts["embedded"])
    return StepReport(
        source=report.source,
        stage=report.stage,
        data_version=report.data_version,
        unchanged=report.unchanged,
        counts=counts,
        changed=[*part.changed, *report.changed][:CHANGED_ROWS_SHOWN],
        wall_s=report.wall_s + part.wall_s,
        cpu_s=report.cpu_s + part.cpu_s,
    )
