"""A probe of the running service, as the Dagster UI shows it. No query's text is in it."""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg

from search_index.model.service_probe import ServiceProbe

ANSWERS_WELL = "service_answers_well"


def probe_metadata(found: ServiceProbe) -> Mapping[str, dg.MetadataValue]:
    """Its figures; those that there are none of are left out."""
    shown: dict[str, dg.MetadataValue] = {
        "reachable": dg.MetadataValue.bool(found.reachable),
        "asked": dg.MetadataValue.int(found.asked),
        "answered": dg.MetadataValue.int(found.answered),
        "degraded": dg.MetadataValue.int(found.degraded),
        "failed": dg.MetadataValue.json(found.failed),
        "problems": dg.MetadataValue.json({str(name): how for name, how in found.problems.items()}),
    }
    if found.why:
        shown["why"] = dg.MetadataValue.text(found.why)
    if found.revision is not None:
        shown["release"] = dg.MetadataValue.int(found.revision)
    figures = {**found.measures, "ndcg@10_when_evaluated": found.recorded, "p50_ms": found.p50_ms, "p95_ms": found.p95_ms}
    return shown | {name: dg.MetadataValue.float(value) for name, value in figures.items() if value is not None}


def probe_check(found: ServiceProbe, asset: dg.AssetKey) -> dg.AssetCheckResult:
    """Whether the service answers well. One that is not there answers nothing badly: an alert tells of one that stopped."""
    said = found.why or "; ".join(found.problems.values()) or f"{found.answered} of {found.asked} answers were looked at"
    return dg.AssetCheckResult(
        check_name=ANSWERS_WELL,
        asset_key=asset,
        passed=not found.problems,
        severity=dg.AssetCheckSeverity.WARN,
        description=said,
        metadata={"compared": found.compared},
    )
