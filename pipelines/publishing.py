"""Publishing: reads the verdicts, lets the gates decide, and moves the pointer or discards the candidate."""

from __future__ import annotations

import getpass

from pipelines.outcomes import Decision, Nothing, StagedCandidate
from pipelines.workspace import Workspace
from quality_checks.gates import Expected, decide, expected_of_candidate, expected_of_source
from search_index.errors import PlumblineError, Refused
from search_index.model.release import Held, Verdict


def conclude(workspace: Workspace) -> Decision:
    """End a run: publish the staged candidate or discard it, whatever its verdicts say.

    Errors:
        Refused: no candidate was staged in this run, so there is nothing whose verdicts could be read.
    """
    if workspace.nothing is not None:
        return _nothing(workspace, workspace.nothing)
    staged = workspace.candidate
    if staged is None:
        raise Refused(
            "No candidate was staged in this run, so there is nothing to publish.",
            "Materialise candidate, evaluation and release together, or run `plumbline ingest`.",
        )
    manifest, catalog = staged.manifest, workspace.home.catalog
    expected = _expected(workspace, staged)
    verdicts = _found(workspace, expected)
    ruling = decide(manifest, staged.parent, expected, verdicts)
    reasons = list(ruling.reasons)
    catalog.record_decision(manifest.revision, ruling.decided_by)
    if ruling.outcome == "publish":
        try:
            staged.candidate.publish()
            catalog.publish(manifest.revision, manifest.parent, getpass.getuser())
        except PlumblineError as e:
            reasons.append(str(e))
    if reasons:
        staged.candidate.discard()
        catalog.reject(manifest.revision, reasons)
    workspace.candidate = None
    return Decision(
        status="refused" if reasons else "published",
        revision=manifest.revision,
        live=catalog.pointer().live,
        held={h.source: h.reasons for h in manifest.held},
        reasons=reasons,
        gates={f"{v.subject}/{v.check}": v.outcome for v in ruling.decided_by},
        counts=manifest.counts.model_dump(mode="json"),
    )


def _expected(workspace: Workspace, staged: StagedCandidate) -> list[Expected]:
    held = {h.source for h in staged.manifest.held}
    standing = {s for s, pin in staged.manifest.sources.items() if staged.parent is not None and staged.parent.sources.get(s) == pin}
    expected = expected_of_candidate(staged.manifest)
    for source, pin in staged.manifest.sources.items():
        if source in held or (source in standing and source not in workspace.contracts):
            continue
        expected += expected_of_source(workspace.contracts[source], pin)
    return expected


def _found(workspace: Workspace, expected: list[Expected]) -> list[Verdict]:
    by_subject: dict[str, set[str]] = {}
    for e in expected:
        by_subject.setdefault(e.subject, set()).add(e.inputs_digest)
    return [v for subject, digests in by_subject.items() for v in workspace.home.catalog.verdicts_on(subject, digests)]


def _nothing(workspace: Workspace, nothing: Nothing) -> Decision:
    held: list[Held] = nothing.held
    live = workspace.home.catalog.pointer().live
    return Decision(
        status="held" if held else "unchanged",
        revision=None,
        live=live,
        held={h.source: h.reasons for h in held},
        reasons=[],
        gates={},
        counts={},
    )
