"""Drift, audit and evaluation as assets, and their schedules: apart from every ingest, reading only, without a lease.

Dagster reads the annotations of an asset's function, so this module does not postpone them.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import dagster as dg

from pipelines.alerts.sending import alert_drift, alert_probe
from pipelines.automation.starting import OVERSIGHT_TAG, STARTED_BY
from pipelines.failing import explained
from pipelines.release.assets import RELEASE_ASSET
from pipelines.reports.audit import audited
from pipelines.reports.audit_page import audit_page
from pipelines.reports.drift import FAMILIES, drift_of
from pipelines.reports.evaluation import evaluation_page, live_evaluation
from pipelines.reports.query_drift import QUERY_FAMILIES, query_drift
from pipelines.reports.service_probe import probe_service
from pipelines.reports.writing import write_report
from pipelines.show.drift import check_name, check_results, drift_metadata, query_check_results, query_drift_metadata
from pipelines.show.probe import ANSWERS_WELL, probe_check, probe_metadata
from pipelines.show.quality import worst_table
from pipelines.workspace import Workspace
from search_index.model.release import digest_of, now

GROUP = "oversight"
AUDIT = dg.AssetKey("audit_report")
EVALUATION = dg.AssetKey("evaluation_report")
QUERY_DRIFT = dg.AssetKey("query_drift")
PROBE = dg.AssetKey("service_probe")
_TAGS = {OVERSIGHT_TAG: "yes"}
_OWNERS = ["team:plumbline"]


def drift_key(source: str) -> dg.AssetKey:
    """The asset that tells of a source's drift."""
    return dg.AssetKey([source, "drift"])


def drift_asset(source: str) -> dg.AssetsDefinition:
    """Whether one source is still what it was. It publishes and holds nothing."""
    key = drift_key(source)

    @dg.asset(
        key=key,
        deps=[RELEASE_ASSET],
        group_name=GROUP,
        owners=_OWNERS,
        kinds={"python"},
        tags={**_TAGS, "plumbline/source": source},
        code_version="1",
        description=f"How far {source} has moved from an older release. Warnings only: nothing is held or refused for them.",
        check_specs=[dg.AssetCheckSpec(check_name(family), asset=key, description=said) for family, said in FAMILIES.items()],
    )
    def drift(context: dg.AssetExecutionContext, reading: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:  # type: ignore[type-arg]
        with explained(reading.settings, context):
            found = drift_of(reading, source, now())
        alert_drift(
            reading.settings, source, "/".join(key.path), {str(family): how for family, how in found.drifted.items()}, context.log.warning
        )
        return dg.MaterializeResult(
            data_version=dg.DataVersion(digest_of([found.live, found.baseline, sorted(found.drifted)])[:16]),
            metadata={
                "live": found.live or 0,
                "baseline": found.baseline or 0,
                "drifted": dg.MetadataValue.json(sorted(found.drifted)),
                **drift_metadata(found),
            },
            check_results=check_results(found, key),
        )

    return drift


@dg.asset(
    key=QUERY_DRIFT,
    deps=[RELEASE_ASSET],
    group_name=GROUP,
    owners=_OWNERS,
    kinds={"python"},
    tags=_TAGS,
    code_version="1",
    description="How far what people ask has moved in a week, from the query log. Warnings only.",
    check_specs=[dg.AssetCheckSpec(check_name(family), asset=QUERY_DRIFT, description=said) for family, said in QUERY_FAMILIES.items()],
)
def query_drift_report(context: dg.AssetExecutionContext, reading: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Hold the last week's queries against those before."""
    with explained(reading.settings, context):
        found = query_drift(reading, now())
    alert_drift(reading.settings, "queries", QUERY_DRIFT.path[-1], found.drifted, context.log.warning)
    return dg.MaterializeResult(
        data_version=dg.DataVersion(digest_of([found.before, found.now, sorted(found.drifted)])[:16]),
        metadata={"before": found.before, "now": found.now, **query_drift_metadata(found)},
        check_results=query_check_results(found, QUERY_DRIFT),
    )


@dg.asset(
    key=AUDIT,
    deps=[RELEASE_ASSET],
    group_name=GROUP,
    owners=_OWNERS,
    kinds={"markdown"},
    tags=_TAGS,
    code_version="1",
    description="The state of the home, written to `reports`: what is live and signed, who let what through, what is stale or held.",
)
def audit_report(context: dg.AssetExecutionContext, reading: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Look at everything, and write it down."""
    at = now()
    with explained(reading.settings, context):
        audit = audited(reading, at)
        page = audit_page(audit)
        written = write_report(reading.settings, "audit", at, audit, page)
    return dg.MaterializeResult(
        data_version=dg.DataVersion(digest_of(page)[:16]),
        metadata={"problems": len(audit.problems), "report": dg.MetadataValue.md(page), **_paths(written)},
    )


@dg.asset(
    key=EVALUATION,
    deps=[RELEASE_ASSET],
    group_name=GROUP,
    owners=_OWNERS,
    kinds={"markdown"},
    tags=_TAGS,
    code_version="1",
    description="Every golden query asked of the live release in every mode, written to `reports`.",
)
def evaluation_report(context: dg.AssetExecutionContext, reading: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Measure the live release, and write it down."""
    at = now()
    with explained(reading.settings, context):
        found = live_evaluation(reading, at)
        page = evaluation_page(found)
        written = write_report(reading.settings, "evaluation", at, found, page)
    return dg.MaterializeResult(
        data_version=dg.DataVersion(digest_of(page)[:16]),
        metadata={"queries": found.queries, "report": dg.MetadataValue.md(page), **worst_table(found.worst), **_paths(written)},
    )


@dg.asset(
    key=PROBE,
    deps=[RELEASE_ASSET],
    group_name=GROUP,
    owners=_OWNERS,
    kinds={"python"},
    tags=_TAGS,
    code_version="1",
    description="Golden queries asked of the running service, as anyone asks it. Where none runs it says so. Warnings only.",
    check_specs=[
        dg.AssetCheckSpec(ANSWERS_WELL, asset=PROBE, description="The running service answers as its release did when evaluated.")
    ],
)
def service_probe(context: dg.AssetExecutionContext, reading: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Ask the service, and write down what came back."""
    with explained(reading.settings, context):
        before = reading.home.catalog.last_probe()
        found = probe_service(reading, now())
        reading.home.catalog.add_probe(found)
    alert_probe(reading.settings, found, before, context.log.warning)
    return dg.MaterializeResult(
        data_version=dg.DataVersion(digest_of([found.reachable, found.revision, sorted(found.problems)])[:16]),
        metadata=probe_metadata(found),
        check_results=[probe_check(found, PROBE)],
    )


def oversight_schedules(sources: Sequence[str]) -> list[dg.ScheduleDefinition]:
    """A probe every hour, drift every day, the audit on Mondays, the evaluation on the first of a month: hours after the daily ingest."""
    drifting = [QUERY_DRIFT, *(drift_key(source) for source in sources)]
    return [
        _scheduled("probe_hourly", [PROBE], "15 * * * *", "Asks golden queries of the running service."),
        _scheduled("drift_daily", drifting, "30 5 * * *", "Looks whether what people ask, or a source, drifts."),
        _scheduled("audit_weekly", [AUDIT], "30 6 * * 1", "Writes the state of the home to `reports`."),
        _scheduled("evaluation_monthly", [EVALUATION], "30 7 1 * *", "Measures the live release and writes it to `reports`."),
    ]


def _scheduled(name: str, keys: Sequence[dg.AssetKey], cron: str, description: str) -> dg.ScheduleDefinition:
    tags = {OVERSIGHT_TAG: "yes", STARTED_BY: "schedule"}
    job = dg.define_asset_job(f"{name}_job", selection=dg.AssetSelection.assets(*keys), tags=tags, description=description)
    return dg.ScheduleDefinition(
        name=name,
        job=job,
        cron_schedule=cron,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=description,
    )


def _paths(written: Sequence[Path]) -> dict[str, dg.MetadataValue]:
    return {f"{path.suffix[1:]}_file": dg.MetadataValue.path(os.fspath(path)) for path in written}
