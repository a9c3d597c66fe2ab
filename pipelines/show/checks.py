"""A verdict as Dagster shows it."""

from __future__ import annotations

import dagster as dg

from search_index.model.release import Verdict


def check_result(verdict: Verdict, asset: dg.AssetKey) -> dg.AssetCheckResult:
    """A verdict as a Dagster asset check result. It shows what was found; it decides nothing."""
    evidence = {k: (dg.MetadataValue.json(v) if isinstance(v, list | dict) else v) for k, v in verdict.evidence.items() if v is not None}
    return dg.AssetCheckResult(
        passed=verdict.outcome == "passed",
        check_name=verdict.check,
        asset_key=asset,
        severity=dg.AssetCheckSeverity.ERROR if verdict.severity == "error" else dg.AssetCheckSeverity.WARN,
        description=verdict.summary,
        metadata={**evidence, "inputs": dg.MetadataValue.json(verdict.inputs), "verdict_at": verdict.at.isoformat()},
    )
