"""Judging a lane's step: runs each check that has no verdict yet on exactly these rows, and keeps what it finds."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.lane.comparing import compared_documents
from pipelines.lane.contract_history import recorded_version, weakened_since
from pipelines.lane.judged_rows import judged_rows
from pipelines.lane.probing import probed_vectors
from pipelines.workspace import Workspace
from quality_checks.changes import how_to_accept, loosened_contract, mass_removal, unlike_published
from quality_checks.contracts import Contract
from quality_checks.expectations import CheckSpec, checks_for, run_checks
from quality_checks.finding import EXAMPLES, Finding, share_of
from quality_checks.gates import MANIFEST_CHECKS, PLAIN_CHECKS, STAGES, PlainCheck, stage_checks, verdict_inputs
from quality_checks.rules import Stage as TableStage
from search_index.home import trusted_manifest
from search_index.model.release import SourcePin, Stage, Verdict, digest_of, now
from search_index.model.state import Change


def judge(workspace: Workspace, contract: Contract, stage: Stage, run_id: str) -> list[Verdict]:
    """A verdict of each of the stage's checks on what its step just wrote, in the order of the checks.

    Checks on tables are not run again on rows they have judged, but for those that a person may have accepted the outcome of since.
    Those on the manifest cost nothing, so they always run; a new verdict is kept only when it says something else.
    """
    return _judge_manifest(workspace, contract, run_id) if stage == "manifest" else _judge_rows(workspace, contract, stage, run_id)


def _rows(workspace: Workspace, contract: Contract) -> dict[Stage, str]:
    lanes = {stage: workspace.home.catalog.lane(contract.name, stage) for stage in STAGES}
    return {stage: lane.data_version if lane else "" for stage, lane in lanes.items()}


def _judge_rows(workspace: Workspace, contract: Contract, stage: TableStage, run_id: str) -> list[Verdict]:
    catalog, rows, checks = workspace.home.catalog, _rows(workspace, contract), stage_checks(contract, stage)
    bound = {c.name: verdict_inputs(stage, rows, contract.digest, c.code) for c in checks}
    known = {v.check: v for v in catalog.verdicts_on(contract.name, {digest_of(inputs) for inputs in bound.values()})}
    missing = [spec for spec in checks_for(contract, stage) if spec.name not in known]
    # What a person may have accepted since is looked at again.
    open_ = [c for c in PLAIN_CHECKS.get(stage, ()) if c.name not in known or (known[c.name].outcome, c.severity) == ("failed", "error")]
    fresh = _run(workspace, contract, stage, missing, bound, run_id) if missing else []
    fresh += _run_plain(workspace, contract, stage, open_, rows, run_id) if open_ else []
    if fresh:
        catalog.add_verdicts(fresh)
        known = {v.check: v for v in catalog.verdicts_on(contract.name, {digest_of(inputs) for inputs in bound.values()})}
    return [known[c.name] for c in checks]


def _run(
    workspace: Workspace, contract: Contract, stage: Stage, specs: list[CheckSpec], bound: dict[str, dict[str, str]], run_id: str
) -> list[Verdict]:
    table, expected = judged_rows(workspace, contract, stage, _published(workspace, contract.name))
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


def _run_plain(
    workspace: Workspace, contract: Contract, stage: Stage, checks: Sequence[PlainCheck], rows: dict[Stage, str], run_id: str
) -> list[Verdict]:
    published = _published(workspace, contract.name)
    if stage == "vectors":
        found = probed_vectors(workspace, contract, published, rows["vectors"])
    else:
        found = compared_documents(workspace, contract, published)
        for check in checks:
            problem = found[check.name].problem
            if problem and check.severity == "error":
                found[check.name] = _waiting(
                    workspace, unlike_published(contract.name, check.name, problem, rows["documents"]), found[check.name]
                )
    return [_plain_verdict(stage, check, contract, rows, found[check.name], run_id) for check in checks]


def _judge_manifest(workspace: Workspace, contract: Contract, run_id: str) -> list[Verdict]:
    catalog, rows = workspace.home.catalog, _rows(workspace, contract)
    published = _published(workspace, contract.name)
    version_raised = recorded_version(workspace, contract)
    weaker = weakened_since(workspace, contract, published)
    found = {
        "source_reachable": _reachable(workspace, contract),
        "removal_accepted": _removal(workspace, contract, published),
        "contract_accepted": _accepted(
            workspace, loosened_contract(contract.name, published, list(contract.access_groups), _holding_checks(contract), weaker)
        ),
        "contract_version_raised": version_raised,
        "source_fresh": _fresh(workspace, contract),
    }
    verdicts = [_plain_verdict("manifest", c, contract, rows, found[c.name], run_id) for c in MANIFEST_CHECKS]
    known = {v.check: v for v in catalog.verdicts_on(contract.name, {v.inputs_digest for v in verdicts})}
    fresh = [v for v in verdicts if v.check not in known or (v.outcome, v.summary) != (known[v.check].outcome, known[v.check].summary)]
    catalog.add_verdicts(fresh)
    return verdicts


def _plain_verdict(stage: Stage, check: PlainCheck, contract: Contract, rows: dict[Stage, str], found: Finding, run_id: str) -> Verdict:
    return Verdict(
        check=check.name,
        subject=contract.name,
        inputs=verdict_inputs(stage, rows, contract.digest, check.code),
        outcome="failed" if found.problem else "passed",
        severity=check.severity,
        summary=found.problem or check.description,
        evidence=found.evidence,
        run_id=run_id,
    )


def _holding_checks(contract: Contract) -> list[str]:
    return sorted(c.name for stage in STAGES for c in stage_checks(contract, stage) if c.severity == "error")


def _published(workspace: Workspace, source: str) -> SourcePin | None:
    catalog = workspace.home.catalog
    head = catalog.pointer().head
    return None if head is None else trusted_manifest(workspace.home, catalog.release(head)).sources.get(source)


def _reachable(workspace: Workspace, contract: Contract) -> Finding:
    lane = workspace.home.catalog.lane(contract.name, "manifest")
    state = lane.state if lane else {}
    problem = state.get("problem")
    return Finding(str(problem) if problem else None, {"files": state.get("files", 0)})


def _fresh(workspace: Workspace, contract: Contract) -> Finding:
    """What a contract promises of how often its source changes, by the newest of its files."""
    if contract.frequency is None:
        return Finding(None, {})
    changed = workspace.lake.read_source("manifests", contract.name, columns=["modified_at"])["modified_at"].to_pylist()
    newest = max((at for at in changed if at is not None), default=None)
    stale = newest is not None and now() - newest > contract.frequency
    problem = "nothing in the source changed for longer than its contract promises" if stale else None
    return Finding(problem, {"newest": newest.isoformat() if newest else None, "promised_s": contract.frequency.total_seconds()})


def _removal(workspace: Workspace, contract: Contract, published: SourcePin | None) -> Finding:
    if published is None:
        return Finding(None, {})
    lake, name = workspace.lake, contract.name
    rows = lake.read_source("documents", name, columns=["document_id"], version=published.documents.version)
    before = set(rows["document_id"].to_pylist())
    present = set(lake.read_source("manifests", name, columns=["document_id"])["document_id"].to_pylist())
    gone = sorted(before - present)
    found = Finding(
        None, {"rows": len(before), "failed": len(gone), "percent": share_of(len(gone), len(before)), "ids": [*gone[:EXAMPLES]]}
    )
    change = mass_removal(name, before, present, contract.removal_threshold)
    return found if change is None else _waiting(workspace, change, found)


def _accepted(workspace: Workspace, change: Change | None) -> Finding:
    return Finding(None, {}) if change is None else _waiting(workspace, change, Finding(None, {}))


def _waiting(workspace: Workspace, change: Change, found: Finding) -> Finding:
    """A change waits, and is what the check finds, until a person accepts it."""
    change = workspace.home.catalog.propose_change(change)
    if change.accepted_at is not None:
        return Finding(None, {**found.evidence, "accepted": change.change, "by": change.actor, "reason": change.reason})
    return Finding(how_to_accept(change), {**found.evidence, "change": change.change})
