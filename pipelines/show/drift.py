"""Drift as an operator sees it: how far each measure moved against what matters and what would have been found, and what it was and is."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from pipelines.reports.drift import FAMILIES, Family, SourceDrift
from pipelines.reports.writing import rows
from pipelines.show.plots import Bar, compared_plot, shares_plot, thresholds_plot
from quality_checks.drift import Shift

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
    columns = ("measure", "before", "now", "effect", "drift from", "p", "would find")
    tested = [rows(columns, [_line(shift) for shift in found.shifts])] if found.shifts else []
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
    return [_result(family, found, asset) for family in FAMILIES]


def check_name(family: Family) -> str:
    """What a family's check is called."""
    return f"{family}_steady"


def _result(family: Family, found: SourceDrift, asset: dg.AssetKey) -> dg.AssetCheckResult:
    one = found.findings.get(family)
    if one is None:
        said = f"Not compared: {found.missing or 'no older release is kept'}."
        return dg.AssetCheckResult(
            passed=False, check_name=check_name(family), asset_key=asset, severity=dg.AssetCheckSeverity.WARN, description=said
        )
    evidence = {k: (dg.MetadataValue.json(v) if isinstance(v, list | dict) else v) for k, v in one.evidence.items() if v is not None}
    return dg.AssetCheckResult(
        passed=not one.problem,
        check_name=check_name(family),
        asset_key=asset,
        severity=dg.AssetCheckSeverity.WARN,
        description=one.problem or FAMILIES[family],
        metadata={**evidence, "live": found.live or 0, "baseline": found.baseline or 0},
    )
