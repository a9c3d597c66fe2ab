"""Alerts that no run can give: of sources that have grown stale, and of runs whose process was lost.

Dagster reads the annotations of a sensor's function, so this module does not postpone them.
"""

import dagster as dg

from pipelines.alerts.sending import alert_failure, alert_freshness
from pipelines.automation.freshness import freshness_of
from quality_checks.contracts import load_contracts
from search_index.home import Home
from search_index.settings import Settings

_NO_ADDRESS = "PLUMBLINE_WEBHOOK_URL is not set, so there is nobody to tell."


@dg.sensor(
    name="alerts",
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tells of sources older than their contract promises, and delivers alerts that could not be delivered before.",
)
def alert_on_freshness(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Compare each source's lag with its promise."""
    settings = Settings()
    if not settings.webhook_urls:
        return dg.SkipReason(_NO_ADDRESS)
    contracts, _ = load_contracts(settings.contract_folders, settings.contract_variables)
    sources = freshness_of(Home(settings).catalog, contracts)
    alert_freshness(settings, sources, context.log.warning)
    stale = [s.source for s in sources if s.stale]
    return dg.SkipReason(f"Stale: {', '.join(stale)}." if stale else "Every source is as fresh as its contract promises.")


@dg.run_failure_sensor(
    name="lost_runs",
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tells of runs that failed without a step that could say so: killed, out of memory, never started.",
)
def alert_on_lost_runs(context: dg.RunFailureSensorContext) -> dg.SkipReason | None:
    """A step that fails tells of it itself."""
    settings = Settings()
    if not settings.webhook_urls:
        return dg.SkipReason(_NO_ADDRESS)
    if context.get_step_failure_events():
        return dg.SkipReason("The step that failed has told of it.")
    what = f"A run failed before its end: {context.failure_event.message or 'it gave no reason'}"
    alert_failure(settings, "run", context.dagster_run.run_id, what, "", context.log.warning)
    return None
