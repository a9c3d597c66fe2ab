"""The monthly evaluation: every golden query asked of the live release in every mode, beside what it scored when it was published."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field
from pydantic import JsonValue as Json

from pipelines.evaluation.candidate import MODES, WORST_SHOWN, asked, calibration_now
from pipelines.evaluation.judged_sets import judge_golden
from pipelines.reports.writing import rows
from pipelines.workspace import Workspace
from quality_checks.breakdown import against_arms, by_group, worst_queries
from quality_checks.metrics import ALL_MEASURES
from search_index.confidence import Calibration
from search_index.home import LoadedRelease, open_release

_SHOWN = ("ndcg@10", "recall@100", "mrr@10")


class LiveEvaluation(BaseModel):
    """What the live release answers today. Figures and ids of queries, never their text."""

    model_config = ConfigDict(frozen=True)

    at: datetime
    revision: int | None = Field(description="the live release, None where nothing is published")
    published_at: datetime | None = None
    queries: int = 0
    stale: list[str] = Field(default_factory=list, description="judgements that are found in no document of it, as set/query: document")
    modes: dict[str, Json] = Field(default_factory=dict)
    by: dict[str, Json] = Field(default_factory=dict)
    against_arms: dict[str, Json] = Field(default_factory=dict)
    worst: list[dict[str, Json]] = Field(default_factory=list)
    calibration: Calibration | None = None
    when_published: dict[str, Json] = Field(default_factory=dict, description="`modes` as they were measured before it went live")


def live_evaluation(workspace: Workspace, at: datetime) -> LiveEvaluation:
    """Ask the live release everything that is judged. Reads only.

    Errors:
        ReleaseUntrusted: it is not what was signed.
        HomeDamaged, ModelMismatch: index, tables or model cannot be read.
    """
    home = workspace.home
    live = home.catalog.pointer().live
    if live is None:
        return LiveEvaluation(at=at, revision=None)
    loaded = open_release(home, home.catalog.release(live))
    try:
        return _measured_now(workspace, loaded, at)
    finally:
        loaded.close()


def _measured_now(workspace: Workspace, loaded: LoadedRelease, at: datetime) -> LiveEvaluation:
    manifest, record = loaded.manifest, loaded.record
    judged = judge_golden(workspace.lake, workspace.golden_sets, manifest)
    queries = sum(len(one.resolved.qrels) for one in judged)
    published = record.scores.get("modes")
    found = LiveEvaluation(
        at=at,
        revision=manifest.revision,
        published_at=record.published_at,
        queries=queries,
        stale=[f"{one.golden.name}/{each.query}: {each.document}" for one in judged for each in one.resolved.stale],
        when_published=published if isinstance(published, dict) else {},
    )
    if not queries:
        return found
    results = asked(workspace, loaded.searcher, judged, manifest)
    return found.model_copy(
        update={
            "modes": {mode: result.summary(ALL_MEASURES) for mode, result in results.items()},
            "by": by_group(judged, results),
            "against_arms": against_arms(results),
            "worst": worst_queries(results, WORST_SHOWN),
            "calibration": calibration_now(loaded.searcher, judged, manifest),
        }
    )


def evaluation_page(found: LiveEvaluation) -> str:
    """The evaluation as Markdown."""
    head = f"# Evaluation of {found.at:%Y-%m-%d %H:%M} UTC"
    if found.revision is None:
        return f"{head}\n\nNothing is published yet.\n"
    since = f", published {found.published_at:%Y-%m-%d %H:%M}" if found.published_at else ""
    parts = [head, f"Release {found.revision}{since}: {found.queries} judged queries, {len(found.stale)} stale judgements."]
    if not found.queries:
        return "\n\n".join([*parts, "Without golden queries nothing can be measured; `plumbline golden suggest` makes some."]) + "\n"
    parts += ["## By mode", rows(("mode", *_SHOWN, "ndcg@10 when published", "95th percentile"), _modes(found))]
    for kind, groups in found.by.items():
        parts += [f"## By {kind}", rows((kind, "queries", *(f"{mode} ndcg@10" for mode in MODES)), _groups(groups))]
    parts += ["## Answered worst"]
    parts += [rows(("query", *MODES, "first relevant"), [[one.get(c) for c in ("query", *MODES, "first_relevant")] for one in found.worst])]
    parts += ["## Confidence", _confidence(found.calibration)]
    parts += ["## Stale judgements", "\n".join(f"- {each}" for each in found.stale) or "None."]
    return "\n\n".join(parts) + "\n"


def _modes(found: LiveEvaluation) -> list[list[object]]:
    return [
        [mode, *(_measured(figures, measure) for measure in _SHOWN), _measured(found.when_published.get(mode), "ndcg@10"), _slow(figures)]
        for mode, figures in found.modes.items()
    ]


def _groups(groups: Json) -> list[list[object]]:
    lines: list[list[object]] = []
    for name, group in groups.items() if isinstance(groups, dict) else ():
        if isinstance(group, dict) and isinstance(modes := group.get("modes"), dict):
            lines.append([name, group.get("queries"), *(_measured(modes.get(mode), "ndcg@10") for mode in MODES)])
    return lines


def _measured(figures: Json, measure: str) -> str | None:
    """A mean with its interval, as people read it."""
    found = figures.get(measure) if isinstance(figures, dict) else None
    if not isinstance(found, dict) or not isinstance(found.get("value"), int | float):
        return None
    value, interval = found["value"], found.get("ci95")
    ends = [end for end in interval if isinstance(end, int | float)] if isinstance(interval, list) else []
    return f"{value:.3f} ({ends[0]:.3f} to {ends[1]:.3f})" if len(ends) == 2 else f"{value:.3f}"


def _slow(figures: Json) -> str | None:
    query: Json = figures.get("query") if isinstance(figures, Mapping) else None
    p95 = query.get("p95_ms") if isinstance(query, dict) else None
    return f"{p95:.0f} ms" if isinstance(p95, int | float) else None


def _confidence(found: Calibration | None) -> str:
    if found is None:
        return "Too little is judged to say how sure an answer is."
    return (
        f"On {found.queries} queries: stated confidence and truth are {found.ece:.3f} apart on average, Brier skill {found.skill:.3f}, "
        f"AUROC {found.auroc:.3f}; {found.refused:.0%} of the judged queries are called unanswerable."
    )
