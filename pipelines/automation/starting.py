"""What runs without a click: changes are seen, taken in and published; a net under it; and alerts.

Dagster reads the annotations of a sensor's function, so this module does not postpone them.
"""

import json
import time
import warnings
from collections.abc import Mapping

import dagster as dg
from pydantic import TypeAdapter

from pipelines.automation.looking import still_looks
from pipelines.automation.observing import Look, Seen, confirm_cron, due, look
from pipelines.workspace import LogProgress, Workspace
from quality_checks.contracts import Contract
from search_index.errors import Busy
from search_index.settings import Settings

FILES = "files"
OBSERVE_EVERY_S = 30
TICK_BUDGET_S = 30.0
DEAD_AFTER_S = 120.0
STARTED_BY = "plumbline/started_by"
BUCKETED_TAG = "plumbline/bucketed"
"""On the assets that are partitioned."""
OVERSIGHT_TAG = "plumbline/oversight"
"""On the assets that look at what is live and are part of no ingest: they read only, and hold no lease."""
OVERSIGHT = frozenset({"drift", "query_drift", "audit_report", "evaluation_report", "service_probe"})
"""The last part of such an asset's key."""
Condition = dg.AutomationCondition[dg.AssetKey | dg.AssetCheckKey]

INGEST = dg.define_asset_job(
    "ingest",
    selection=dg.AssetSelection.all() - dg.AssetSelection.tag(OVERSIGHT_TAG, "yes"),
    description="Bring every source up to date and publish what passes its gates.",
)
AUTOMATION = dg.AutomationConditionSensorDefinition(
    name="automation",
    target=dg.AssetSelection.all() - dg.AssetSelection.tag(BUCKETED_TAG, "yes") - dg.AssetSelection.tag(OVERSIGHT_TAG, "yes"),
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=OBSERVE_EVERY_S,
    run_tags={STARTED_BY: "automation"},
    description="Starts one run, from the sources that changed through to the release. Turn it off to publish by hand only.",
)
# Apart from the other, since a backfill takes along all that is started with it, and the candidate is to be no part of one.
BUCKETS_AUTOMATION = dg.AutomationConditionSensorDefinition(
    name="automation_of_buckets",
    target=dg.AssetSelection.tag(BUCKETED_TAG, "yes"),
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=OBSERVE_EVERY_S,
    run_tags={STARTED_BY: "automation"},
    description="Starts a backfill of the buckets of partitioned sources that changed. What follows them, `automation` starts.",
)


def daily(tags: Mapping[str, str]) -> dg.ScheduleDefinition:
    """The net under the sensors.

    Args:
        tags: of its run, besides who started it.
    """

    def everything(_context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        return dg.RunRequest(tags={STARTED_BY: "daily schedule", **tags})

    return dg.ScheduleDefinition(
        name="ingest_daily",
        job=INGEST,
        cron_schedule="30 3 * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        execution_fn=everything,
        description="The net: runs everything once a day, whether a change was seen or not.",
    )


def files_of(contract: Contract) -> dg.SourceAsset:
    """What a source holds out there, as last seen: where its lane begins. It is observed, by the sensor or with a click."""

    def files() -> dg.ObserveResult:
        workspace = Workspace(Settings(), LogProgress(print))
        current, _ = look(workspace.contracts[contract.name], workspace.home.catalog, workspace.lake, None, time.time())
        return dg.ObserveResult(data_version=dg.DataVersion(current.digest[:16]))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)  # the whole family is pinned
        observed = dg.observable_source_asset(
            key=files_key(contract.name),
            group_name=contract.name,
            description=f"The source, where it is. Looked at by the sensor `observe_sources`.\n\n{contract.description}".strip(),
            tags={"dagster/kind/file": "", "plumbline/source": contract.name},
            metadata={"location": contract.location},
        )
        return observed(files)


def files_key(source: str) -> dg.AssetKey:
    """The asset that stands for a source's files."""
    return dg.AssetKey([source, FILES])


def follows_its_inputs() -> Condition:
    """Run when something before it did, or will in this same tick, so that one run goes from the first change to the release."""
    return _once(dg.AutomationCondition.any_deps_updated(), "what it is made from changed")


def follows_its_buckets() -> Condition:
    """Run when parts of a lane were done, but not while others are being done, nor before every part was done once."""
    done = dg.AutomationCondition.any_deps_updated().since_last_handled()
    settled = ~dg.AutomationCondition.any_deps_in_progress() & ~dg.AutomationCondition.any_deps_missing()
    return (done & settled & ~dg.AutomationCondition.in_progress()).with_label("buckets were done")


def follows_its_source(contract: Contract) -> Condition:
    """Run when the source was seen to change, and often enough to keep the freshness that the contract promises."""
    changed = dg.AutomationCondition.any_deps_updated()
    cron = confirm_cron(contract.freshness_sla)
    if cron is None:
        return _once(changed, "the source changed")
    wanted: Condition = changed | dg.AutomationCondition.cron_tick_passed(cron, "UTC")  # type: ignore[assignment]  # typed too narrowly
    return _once(wanted, "the source changed, or its freshness is due")


def _once(wanted: Condition, label: str) -> Condition:
    """Each time that something is wanted, once: a run that fails is not repeated for it."""
    return (wanted.since_last_handled() & ~dg.AutomationCondition.in_progress()).with_label(label)


@dg.sensor(
    name="observe_sources",
    minimum_interval_seconds=OBSERVE_EVERY_S,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Looks for changes: in folders every half minute, elsewhere a few times per promised freshness. Reads no document.",
)
def observe_sources(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Announce sources whose listing is not what their manifest says."""
    workspace = Workspace(Settings(), LogProgress(context.log.info))
    try:
        workspace.lease.acquire(wait_s=0, waiting=context.log.info)
    except Busy:
        return dg.SkipReason("A run is under way; it sees for itself what the sources hold.")
    workspace.lease.release()
    end_dead_runs(context.instance, time.time(), workspace.settings)
    looks = TypeAdapter(dict[str, Look]).validate_json(context.cursor or "{}")
    seen = look_around(workspace.contracts, workspace, looks, time.time())
    for each in seen:
        context.log.info("%s: %s; %d files", each.source, each.why, each.files)
    kept = {name: found.model_dump() for name, found in looks.items() if name in workspace.contracts}
    return dg.SensorResult(asset_events=[_observation(each) for each in seen], cursor=json.dumps(kept, sort_keys=True))


def look_around(contracts: Mapping[str, Contract], workspace: Workspace, looks: dict[str, Look], now_s: float) -> list[Seen]:
    """Look at every source that is due, within a tick's budget; ``looks`` is brought up to date."""
    began, seen = time.monotonic(), []
    for contract in due(contracts, looks, now_s):
        if time.monotonic() - began > TICK_BUDGET_S:
            break
        looks[contract.name], change = look(contract, workspace.home.catalog, workspace.lake, looks.get(contract.name), now_s)
        if change is not None:
            seen.append(change)
    return seen


def end_dead_runs(instance: dg.DagsterInstance, now_s: float, settings: Settings) -> None:
    """Mark runs as failed whose process was killed. To be called while nobody holds the lease.

    A run holds the lease from its first seconds to its last, so one that started a while ago and does not is dead; left as
    it is, it would count as in progress, and nothing would start by itself any more. A run that only looks holds a lock of its own.
    """
    for record in instance.get_run_records(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])):
        run = record.dagster_run
        lives = _only_looks(run) and still_looks(settings, run.run_id)
        if record.start_time is not None and now_s - record.start_time > DEAD_AFTER_S and not lives:
            instance.report_run_failed(run, "The process of this run ended before the run did.")


def _only_looks(run: dg.DagsterRun) -> bool:
    """Whether a run, scheduled or of a click, is of assets that hold no lease."""
    return run.tags.get(OVERSIGHT_TAG) == "yes" or bool(run.asset_selection and all(k.path[-1] in OVERSIGHT for k in run.asset_selection))


def _observation(seen: Seen) -> dg.AssetObservation:
    return dg.AssetObservation(
        asset_key=files_key(seen.source),
        tags={"dagster/data_version": seen.version},
        metadata={"files": seen.files, "why": seen.why},
    )
