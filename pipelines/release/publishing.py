"""Publishing: reads the verdicts, lets the gates decide, and moves the pointer or discards the candidate."""

from __future__ import annotations

import getpass

from pipelines.release.outcomes import Decision, Nothing, StagedCandidate
from pipelines.release.point_log import log_points
from pipelines.workspace import Workspace
from quality_checks.gates import Expected, decide, expected_of_candidate, expected_of_source
from search_index.errors import PlumblineError, Refused
from search_index.model.release import Held, Manifest, Verdict


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
    override = catalog.override(workspace.home.signing_key())
    expected = _expected(workspace, staged)
    ruling = decide(manifest, staged.parent, expected, _found(workspace, expected), override)
    reasons = list(ruling.reasons)
    freeze = None if reasons else catalog.frozen()
    catalog.record_decision(manifest.revision, ruling.decided_by)
    if freeze is not None:
        reasons = [f"{freeze.says}; `plumbline releases resume` lifts it"]
    elif not reasons:
        reasons = _publish(workspace, staged, ruling.overridden)
    if reasons:
        staged.candidate.discard()
        catalog.reject(manifest.revision, reasons)
    workspace.candidate = None
    live = catalog.pointer().live
    through = "published" if live == manifest.revision else "beside"
    return Decision(
        status="frozen" if freeze is not None else "refused" if reasons else through,
        revision=manifest.revision,
        live=live,
        held={h.source: h.reasons for h in manifest.held},
        reasons=reasons,
        gates={f"{v.subject}/{v.check}": v.outcome for v in ruling.decided_by},
        counts=manifest.counts.model_dump(mode="json"),
        overridden=ruling.overridden,
        override=override,
    )


def _publish(workspace: Workspace, staged: StagedCandidate, overridden: list[str]) -> list[str]:
    """Make the candidate live; why it could not be, where it could not.

    Its manifest is signed only here: what was staged and never let through is not signed, and whatever somebody makes of it in the
    catalog, no service loads it.
    """
    manifest, catalog = staged.manifest, workspace.home.catalog
    if lost := pinned_since(workspace, manifest):
        return [f"release {lost[0]} was pinned while this one was staged, which does not hold it; run the ingest again"]
    try:
        log_points(workspace.lake, manifest.index, manifest.revision, staged.candidate.ledger())
        staged.candidate.publish()
        catalog.record_manifest(manifest, manifest.sign(workspace.home.signing_key()))
        catalog.record_overridden(manifest.revision, overridden)
        publish = catalog.publish_beside if workspace.settings.publish == "beside" else catalog.publish
        publish(manifest.revision, manifest.parent, getpass.getuser())
    except PlumblineError as e:
        return [str(e)]
    return []


def pinned_since(workspace: Workspace, manifest: Manifest) -> list[int]:
    """Releases of this index that were pinned since the candidate was begun, and that it does not answer for."""
    catalog, held = workspace.home.catalog, manifest.retained
    began = catalog.release(manifest.revision).created_at
    since = [p.revision for p in catalog.pins() if p.at >= began]
    of_index = [r for r in since if (m := catalog.release(r).manifest) and m.index == manifest.index]
    return [r for r in of_index if held is not None and r not in held]


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
        override=workspace.home.catalog.override(workspace.home.signing_key()),
    )
