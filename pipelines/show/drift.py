"""Drift as an operator sees it: how far each measure moved against what matters and what would have been found, and what it was and is."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from pipelines.reports.drift import FAMILIES, Family, SourceDrift
from pipelines.reports.query_drift import QUERY_FAMILIES, QueryDrift, QueryFamily
from pipelines.reports.writing import rows
from pipelines.show.plots import Bar, compared_plot, shares_plot, thresholds_plot
from quality_checks.drift import Shift
from quality_checks.finding import Finding

_COLUMNS = ("measure", "before", "now", "effect", "drift from", "p", "would find")
_UNTESTED: tuple[Family, ...] = ("access", "freshness", "model")


def drift_metadata(found: SourceDrift) -> dict[str, dg.MetadataValue]:
    """Plots and a table of one source; counts and figures only."""
    shown: dict[str, dg.MetadataValue] = {"comparison": dg.MetadataValue.md(drift_table(found))}
    if found.now is None or found.before is None:
        return shown
    bars = [_bar(shift) for shift in found.shifts]
    shown["effects"] = thresholds_plot(bars, f"{found.source}: how far it moved")
    if len(found.now.tokens) and len(found.before.tokens):
        names = (f"release {found.baseline}", f"release {found.live}")
        shown["lengths"] = compared_plot(
            (found.before.tokens, found.now.tokens), names, f"{found.source}: lengths of passages", "tokens a passage"
        )
    if found.now.languages:
        shown["languages"] = shares_plot(found.now.languages, f"{found.source}: languages of the live release", "documents")
    return shown


def drift_table(found: SourceDrift) -> str:
    """The comparison as Markdown: one line a measure, and one a family that is not tested but looked up."""
    said = f"Not compared: {found.missing}." if found.missing else f"Release {found.live} against release {found.baseline}."
    tested = [rows(_COLUMNS, [_line(shift) for shift in found.shifts])] if found.shifts else []
    others = [(family, found.findings[family].problem or "steady") for family in _UNTESTED if family in found.findings]
    return "\n\n".join([said, *tested, *([rows(("family", "found"), others)] if others else [])])


def _line(shift: Shift) -> tuple[object, ...]:
    effect = f"**{shift.effect:.3g}**" if shift.drifted else f"{shift.effect:.3g}"
    found = "nothing" if shift.detectable is None else f"{shift.detectable:.3g}"
    return shift.measure, shift.before, shift.now, effect, f"{shift.threshold:.3g}", f"{shift.p_value:.2g}", found


def _bar(shift: Shift) -> Bar:
    """In multiples of what counts as drift."""
    found_from = None if shift.detectable is None else shift.detectable / shift.threshold
    return Bar(shift.measure, shift.effect / shift.threshold, found_from, shift.drifted)


def check_results(found: SourceDrift, asset: dg.AssetKey) -> Sequence[dg.AssetCheckResult]:
    """One result a family. What could not be compared does not pass."""
    missing = found.missing or "no older release is kept"
    releases = {"live": found.live or 0, "baseline": found.baseline or 0}
    return [_result(family, said, found.findings.get(family), missing, releases, asset) for family, said in FAMILIES.items()]


def query_drift_metadata(found: QueryDrift) -> dict[str, dg.MetadataValue]:
    """A table and a plot of how far queries moved; figures only."""
    if found.missing:
        return {"comparison": dg.MetadataValue.md(f"Not compared: {found.missing}.")}
    effects = thresholds_plot([_bar(shift) for shift in found.shifts], "queries: how far they moved")
    return {"comparison": dg.MetadataValue.md(rows(_COLUMNS, [_line(shift) for shift in found.shifts])), "effects": effects}


def query_check_results(found: QueryDrift, asset: dg.AssetKey) -> Sequence[dg.AssetCheckResult]:
    """One result a family. What could not be compared does not pass."""
    counts = {"before": found.before, "now": found.now}
    return [_result(family, said, found.findings.get(family), found.missing, counts, asset) for family, said in QUERY_FAMILIES.items()]


def check_name(family: Family | QueryFamily) -> str:
    """What a family's check is called."""
    return f"{family}_steady"


def _result(
    family: Family | QueryFamily, says: str, one: Finding | None, missing: str, of: dict[str, int], asset: dg.AssetKey
) -> dg.AssetCheckResult:
    if one is None:
        return dg.AssetCheckResult(
            passed=False,
            check_name=check_name(family),
            asset_key=asset,
            severity=dg.AssetCheckSeverity.WARN,
            description=f"Not compared: {missing}.",
        )
    evidence = {k: (dg.MetadataValue.json(v) if isinstance(v, list | dict) else v) for k, v in one.evidence.items() if v is not None}
    return dg.AssetCheckResult(
        passed=not one.problem,
        check_name=check_name(family),
        asset_key=asset,
        severity=dg.AssetCheckSeverity.WARN,
        description=one.problem or says,
        metadata={**evidence, **of},
    )
