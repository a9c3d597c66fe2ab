"""What an operator sees of a step in the Dagster UI: counts, rates, and what changed by id, with links to read it. Never text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import dagster as dg

from pipelines.outcomes import ChangedRow, StepReport
from search_index.model.release import Verdict
from search_index.settings import Settings

RawMetadata = Mapping[str, dg.MetadataValue | float | int | str | bool]


def service_url(settings: Settings) -> str:
    """Where links to passages lead."""
    return f"http://{settings.host}:{settings.port}"


def changed_table(changed: Sequence[ChangedRow], settings: Settings) -> dg.MetadataValue:
    """A table of what changed, each row with the address that shows it."""
    link = service_url(settings)
    records = [dg.TableRecord({"id": c.id, "change": c.change, "uri": c.uri, "read": f"{link}/v1/lineage/{c.id}"}) for c in changed]
    schema = dg.TableSchema(columns=[dg.TableColumn(name, "string") for name in ("id", "change", "uri", "read")])
    return dg.MetadataValue.table(records, schema)


def step_metadata(report: StepReport, settings: Settings) -> dict[str, dg.MetadataValue | float | int | str | bool]:
    """A step's metadata."""
    metadata: dict[str, dg.MetadataValue | float | int | str | bool] = {
        **report.counts,
        "unchanged": report.unchanged,
        "wall_s": round(report.wall_s, 3),
        "cpu_s": round(report.cpu_s, 3),
    }
    rows = max(report.counts.get(k, 0) for k in ("seen", "parsed", "cut", "embedded")) if report.counts else 0
    if rows and not report.unchanged and report.wall_s > 0:
        metadata["rows_per_s"] = round(rows / report.wall_s, 1)
    if report.changed:
        metadata["what_changed"] = changed_table(report.changed, settings)
    return metadata


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
