"""Judging a lane's step: runs each check that has no verdict yet on exactly these rows, and keeps what it finds."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import JsonValue as Json

from pipelines.lane.counting_again import fits_encoder
from pipelines.near_duplicates import duplicates_of
from pipelines.tables import SCHEMAS
from pipelines.workspace import Workspace
from quality_checks.changes import how_to_accept, loosened_contract, mass_removal
from quality_checks.contracts import Contract
from quality_checks.expectations import CheckSpec, checks_for, run_checks
from quality_checks.gates import MANIFEST_CHECKS, STAGES, PlainCheck, stage_checks, verdict_inputs
from search_index.home import trusted_manifest
from search_index.model.release import SourcePin, Stage, Verdict, digest_of
from search_index.model.state import Change


def judge(workspace: Workspace, contract: Contract, stage: Stage, run_id: str) -> list[Verdict]:
    """A verdict of each of the stage's checks on what its step just wrote, in the order of the checks.

    Checks on tables are not run again on rows they have judged. Those on the manifest cost nothing and depend on what a
    person has accepted since, so they always run; a new verdict is kept only when it says something else.
    """
    return _judge_manifest(workspace, contract, run_id) if stage == "manifest" else _judge_rows(workspace, contract, stage, run_id)


def _rows(workspace: Workspace, contract: Contract) -> dict[Stage, str]:
    lanes = {stage: workspace.home.catalog.lane(contract.name, stage) for stage in STAGES}
    return {stage: lane.data_version if lane else "" for stage, lane in lanes.items()}


def _judge_rows(workspace: Workspace, contract: Contract, stage: Stage, run_id: str) -> list[Verdict]:
    catalog, rows = workspace.home.catalog, _rows(workspace, contract)
    bound = {c.name: verdict_inputs(stage, rows, contract.digest, c.code) for c in stage_checks(contract, stage)}
    known = {v.check: v for v in catalog.verdicts_on(contract.name, {digest_of(inputs) for inputs in bound.values()})}
    missing = [spec for spec in checks_for(contract, stage) if spec.name not in known]  # type: ignore[arg-type]
    if missing:
        catalog.add_verdicts(_run(workspace, contract, stage, missing, bound, run_id))
        known = {v.check: v for v in catalog.verdicts_on(contract.name, {digest_of(inputs) for inputs in bound.values()})}
    return [known[c.name] for c in stage_checks(contract, stage)]


def _run(
    workspace: Workspace, contract: Contract, stage: Stage, specs: list[CheckSpec], bound: dict[str, dict[str, str]], run_id: str
) -> list[Verdict]:
    table, expected = _inputs(workspace, contract, stage)
    return [
        Verdict(
            check=result.name,
            subject=contract.name,
            inputs=bound[result.name],
            outcome="passed" if result.passed else "failed",
            severity=result.severity,
            summary=result.summary,
            evidence=result.evidence,
            run_id=run_id,
        )
        for result in run_checks(specs, table, expected)
    ]


def _inputs(workspace: Workspace, contract: Contract, stage: Stage) -> tuple[pa.Table, list[str]]:
    """The rows to check and what the stage before expects of them."""
    lake, name = workspace.lake, contract.name
    if stage == "documents":
        return lake.read_source("documents", name), []
    chunks = lake.read_source("chunks", name)
    if stage == "chunks":
        columns = ["document_id", "uri", "status", "access", "minhash", "text"]
        documents = lake.read_source("documents", name, columns=columns)
        documents = documents.filter(pc.equal(documents["status"], "ok"))
        duplicates = duplicates_of(documents, contract.near_duplicates)
        texts = dict(zip(documents["document_id"].to_pylist(), documents["text"].to_pylist(), strict=True))
        ok = [
            texts.get(document, "")[start:end] == text
            for document, start, end, text in zip(*(chunks[c].to_pylist() for c in ("document_id", "start", "end", "text")), strict=True)
        ]
        also_at = zip(chunks["document_id"].to_pylist(), chunks["also_at"].to_pylist(), strict=True)
        worked_out = {
            "document_text_slice_ok": ok,
            "places_ok": [tuple(places or ()) == duplicates.also_at.get(document, ()) for document, places in also_at],
            "encoder_fits": fits_encoder(workspace, name, chunks, _published(workspace, name)),
        }
        for column, values in worked_out.items():
            chunks = chunks.append_column(column, pa.array(values, pa.bool_()))
        return chunks, [document for document in texts if document not in duplicates.left_out]
    keys = sorted(set(chunks["vector_key"].to_pylist()))
    vectors = lake.vectors(keys)
    values = [memoryview(vectors[k]).cast("f").tolist() for k in keys if k in vectors]
    present = [k for k in keys if k in vectors]
    return pa.table({"vector_key": present, "vector": pa.array(values, SCHEMAS["vectors"].field("vector").type)}), keys


def _judge_manifest(workspace: Workspace, contract: Contract, run_id: str) -> list[Verdict]:
    catalog, rows = workspace.home.catalog, _rows(workspace, contract)
    published = _published(workspace, contract.name)
    found = {
        "source_reachable": _reachable(workspace, contract),
        "removal_accepted": _accepted(workspace, _removal(workspace, contract, published)),
        "contract_accepted": _accepted(
            workspace, loosened_contract(contract.name, published, list(contract.access_groups), _holding_checks(contract))
        ),
    }
    verdicts = [_plain_verdict(c, contract, rows, found[c.name], run_id) for c in MANIFEST_CHECKS]
    known = {v.check: v for v in catalog.verdicts_on(contract.name, {v.inputs_digest for v in verdicts})}
    fresh = [v for v in verdicts if v.check not in known or (v.outcome, v.summary) != (known[v.check].outcome, known[v.check].summary)]
    catalog.add_verdicts(fresh)
    return verdicts


def _plain_verdict(
    check: PlainCheck, contract: Contract, rows: dict[Stage, str], found: tuple[str | None, dict[str, Json]], run_id: str
) -> Verdict:
    problem, evidence = found
    return Verdict(
        check=check.name,
        subject=contract.name,
        inputs=verdict_inputs("manifest", rows, contract.digest, check.code),
        outcome="failed" if problem else "passed",
        severity=check.severity,
        summary=problem or check.description,
        evidence=evidence,
        run_id=run_id,
    )


def _holding_checks(contract: Contract) -> list[str]:
    return sorted(c.name for stage in STAGES for c in stage_checks(contract, stage) if c.severity == "error")


def _published(workspace: Workspace, source: str) -> SourcePin | None:
    catalog = workspace.home.catalog
    head = catalog.pointer().head
    return None if head is None else trusted_manifest(workspace.home, catalog.release(head)).sources.get(source)


def _reachable(workspace: Workspace, contract: Contract) -> tuple[str | None, dict[str, Json]]:
    lane = workspace.home.catalog.lane(contract.name, "manifest")
    state = lane.state if lane else {}
    problem = state.get("problem")
    return (str(problem) if problem else None), {"files": state.get("files", 0)}


def _removal(workspace: Workspace, contract: Contract, published: SourcePin | None) -> Change | None:
    if published is None:
        return None
    lake = workspace.lake
    before = lake.read_source("documents", contract.name, columns=["document_id"], version=published.documents.version)
    present = lake.read_source("manifests", contract.name, columns=["document_id"])
    return mass_removal(
        contract.name, set(before["document_id"].to_pylist()), set(present["document_id"].to_pylist()), contract.removal_threshold
    )


def _accepted(workspace: Workspace, change: Change | None) -> tuple[str | None, dict[str, Json]]:
    if change is None:
        return None, {}
    change = workspace.home.catalog.propose_change(change)
    if change.accepted_at is not None:
        return None, {"accepted": change.change, "by": change.actor, "reason": change.reason}
    return how_to_accept(change), {"change": change.change}
