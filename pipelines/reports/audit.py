"""The audit: what a home holds, who let what through, and whether it is still what was signed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pyarrow.compute as pc

from pipelines.automation.freshness import freshness_of
from pipelines.evaluation.candidate import expected_chunks
from pipelines.evaluation.judged_sets import judge_golden
from pipelines.release.points import desired_points
from pipelines.reports.audit_facts import Audit, AuditedChange, AuditedRelease, AuditedSource, AuditedVerification
from pipelines.reports.baseline import points_of
from pipelines.tables import folder_bytes
from pipelines.workspace import Workspace
from quality_checks.index_checks import reconciled
from search_index.engine.interface import Visibility
from search_index.errors import PlumblineError
from search_index.home import Home, newest_with_index, open_release, trusted_manifest
from search_index.model.release import Manifest, ReleaseRecord
from search_index.retention import retained_revisions

RELEASES_LISTED = 50


def audited(workspace: Workspace, at: datetime) -> Audit:
    """Look at everything once. Reads only; what cannot be read is a finding, and the rest is reported all the same."""
    home, catalog = workspace.home, workspace.home.catalog
    pointer, key, frozen = catalog.pointer(), home.signing_key(), catalog.frozen()
    retained = set(retained_revisions(catalog, home.settings.retain_releases))
    live = catalog.release(pointer.live) if pointer.live is not None else None
    changes = [AuditedChange.model_validate(change.model_dump(exclude={"description"})) for change in catalog.changes()]
    stale: list[str] = []
    return Audit(
        at=at,
        live=pointer.live,
        head=pointer.head,
        paused=pointer.paused,
        frozen=frozen.says if frozen else None,
        releases=[_release(home, record, retained) for record in catalog.releases(RELEASES_LISTED)],
        sources=_sources(workspace, live.manifest if live else None),
        override=catalog.override(key, at),
        altered_overrides=catalog.altered_overrides(key),
        accepted=[change for change in changes if change.accepted_at is not None],
        waiting=[change for change in changes if change.accepted_at is None],
        verification=_verification(workspace, live, stale) if live else [],
        stale_judgements=stale,
        pins=catalog.pins(),
        disk=_disk(workspace),
    )


def _release(home: Home, record: ReleaseRecord, retained: set[int]) -> AuditedRelease:
    verdicts = home.catalog.verdicts(record.revision)
    return AuditedRelease(
        revision=record.revision,
        status=record.status,
        created_at=record.created_at,
        published_at=record.published_at,
        signed=None if record.published_at is None else _is_signed(home, record),
        passed=sum(verdict.outcome == "passed" for verdict in verdicts),
        failed=[f"{verdict.subject}: {verdict.check}" for verdict in verdicts if verdict.outcome == "failed"],
        overridden=record.overridden,
        reasons=record.reasons,
        retained=record.revision in retained,
    )


def _is_signed(home: Home, record: ReleaseRecord) -> bool:
    try:
        trusted_manifest(home, record)
    except PlumblineError:
        return False
    return True


def _sources(workspace: Workspace, live: Manifest | None) -> list[AuditedSource]:
    catalog = workspace.home.catalog
    quarantined = catalog.quarantined()
    pins = live.sources if live else {}
    held = {each.source: each.reasons for each in live.held} if live else {}
    fresh = {each.source: each for each in freshness_of(catalog, workspace.contracts)}
    broken = workspace.broken_contracts
    found = []
    for name in sorted({*workspace.contracts, *broken, *pins}):
        pin, freshness = pins.get(name), fresh.get(name)
        gone = "" if name in workspace.contracts else "its contract is gone"
        found.append(
            AuditedSource(
                name=name,
                documents=pin.documents.rows if pin else 0,
                passages=pin.chunks.rows if pin else 0,
                quarantined=quarantined.get(name, 0),
                changed_at=freshness.changed_at if freshness else None,
                lag_s=freshness.lag_s if freshness else None,
                sla_s=freshness.sla_s if freshness else None,
                stale=bool(freshness and freshness.stale),
                held=held.get(name, []),
                problem=broken[name].what if name in broken else gone,
            )
        )
    return found


def _verification(workspace: Workspace, live: ReleaseRecord, stale: list[str]) -> list[AuditedVerification]:
    """Every part of the live release; ``stale`` takes the judgements that are found nowhere in it."""
    home = workspace.home

    def opens() -> str:
        open_release(home, live).close()
        return "signature, index directory and query adapter are what was signed"

    def points() -> str | list[str]:
        manifest = trusted_manifest(home, live)
        wrong = home.engine.verify(manifest.index, newest_with_index(home, manifest.index).revision)
        return wrong or "every stored point is what its ledger says"

    def tables() -> str:
        manifest = trusted_manifest(home, live)
        for source, pin in manifest.sources.items():
            desired_points(workspace.lake, source, pin, manifest.model)
        return f"those of {len(manifest.sources)} sources hold what was signed"

    def reconciliation() -> str | list[str]:
        manifest = trusted_manifest(home, live)
        expected = expected_chunks(workspace, manifest).chunks
        with points_of(home, manifest) as (reader, current):
            everyone = frozenset(group for groups in current["access"].to_pylist() for group in groups)
            seen = sum(reader.count(Visibility(manifest.revision, tenant, everyone)) for tenant in pc.unique(current["tenant"]).to_pylist())
            found = reconciled(current, expected, seen)
        return [found.problem] if found.problem else f"the index holds exactly the {len(expected)} passages of the tables"

    def judgements() -> str:
        manifest = trusted_manifest(home, live)
        for one in judge_golden(workspace.lake, [*workspace.golden_sets, *workspace.training_sets], manifest):
            stale.extend(f"{one.golden.name}/{each.query}: {each.document}: {each.reason}" for each in one.resolved.stale)
        return f"{len(stale)} judgements are stale"

    looks: dict[str, Callable[[], str | list[str]]] = {
        "release": opens,
        "points": points,
        "tables": tables,
        "reconciliation": reconciliation,
        "golden sets": judgements,
    }
    return [_looked(part, look) for part, look in looks.items()]


def _looked(part: str, look: Callable[[], str | list[str]]) -> AuditedVerification:
    """What a look found; an error that is meant for people is a finding."""
    try:
        said = look()
    except PlumblineError as error:
        return AuditedVerification(part=part, whole=False, says=error.what)
    return AuditedVerification(part=part, whole=isinstance(said, str), says=said if isinstance(said, str) else " ".join(said))


def _disk(workspace: Workspace) -> dict[str, int]:
    settings = workspace.settings
    folders = {"index": settings.root / "index", "models": settings.models_dir, "dagster": settings.dagster_home}
    if "://" not in settings.lake:
        folders["lake"] = Path(settings.lake)
    sizes = {name: folder_bytes(folder) for name, folder in sorted(folders.items())}
    return {**sizes, "free": shutil.disk_usage(settings.root).free}
