"""What an evaluation found, for the Dagster UI: the queries it answers worst, and the scores of release after release."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import dagster as dg
from pydantic import JsonValue as Json

from pipelines.show.plots import Line, lines_plot
from pipelines.show.tables import table
from search_index.model.release import ReleaseRecord

TREND_SHOWN = 50
_COLUMNS = ("query", "hybrid", "dense", "sparse", "first_relevant")


def worst_table(worst: Sequence[Mapping[str, Json]]) -> dict[str, dg.MetadataValue]:
    """The worst-answered queries, by id: nDCG@10 of each mode and at which rank the first relevant passage stands."""
    if not worst:
        return {}
    rows = [{name: "-" if row.get(name) is None else str(row[name]) for name in _COLUMNS} for row in worst]
    return {"answered_worst": table(_COLUMNS, rows)}


@dataclass(frozen=True, slots=True)
class _Measured:
    revision: int
    value: float
    low: float
    high: float


def trend(releases: Sequence[ReleaseRecord]) -> dict[str, dg.MetadataValue]:
    """nDCG@10 of the last releases, newest first as given, with intervals; nothing before there are two to compare."""
    lines = []
    for mode in ("hybrid", "dense", "sparse"):
        found = [one for record in reversed(releases) if (one := _ndcg(record, mode)) is not None]
        lines.append(Line(mode, [f.revision for f in found], [f.value for f in found], [(f.low, f.high) for f in found]))
    if max(len(line.x) for line in lines) < 2:
        return {}
    return {"trend": lines_plot(lines, "nDCG@10 on the golden sets, release by release", "release")}


def _ndcg(record: ReleaseRecord, mode: str) -> _Measured | None:
    modes = record.scores.get("modes")
    of_mode = modes.get(mode) if isinstance(modes, dict) else None
    found = of_mode.get("ndcg@10") if isinstance(of_mode, dict) else None
    if not isinstance(found, dict):
        return None
    value, interval = found.get("value"), found.get("ci95")
    if not isinstance(value, int | float) or not isinstance(interval, list):
        return None
    low, high = (float(end) if isinstance(end, int | float) else float(value) for end in interval)
    return _Measured(record.revision, float(value), low, high)
