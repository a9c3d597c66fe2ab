"""One ingest from a terminal: the same assets, through Dagster, in this process."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import dagster as dg
from dagster._core.execution.plan.objects import StepFailureData
from dagster._core.instance.ref import InstanceRef
from sqlalchemy.exc import OperationalError

from pipelines.automation.starting import OVERSIGHT_TAG
from pipelines.dagster_home import dagster_environment
from pipelines.definitions import build_definitions
from pipelines.lane.partitioned_assets import EVERY_BUCKET
from pipelines.release.outcomes import Decision, StepReport
from pipelines.resources import opened
from pipelines.workspace import Progress
from search_index.errors import DiskFull, WrongUsage
from search_index.model.release import Stage
from search_index.settings import Settings

_UNCAPTURED = {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}
LEAST_FREE_BYTES = 1 << 20
ABANDONED_MESSAGE = "The process of this run ended before the run did."


@dataclass(frozen=True)
class Outcome:
    """How an ingest ended."""

    run_id: str
    success: bool
    failures: list[str]
    decision: Decision | None
    reports: dict[str, dict[Stage, StepReport]]


def dagster_instance(settings: Settings) -> dg.DagsterInstance:
    """Dagster's instance in the home, made when it is not there.

    What a step prints goes to the terminal as it is: capturing it too would cost four processes a run.
    """
    os.environ.update(dagster_environment(settings))
    return dg.DagsterInstance.from_ref(InstanceRef.from_dir(os.environ["DAGSTER_HOME"], overrides={"compute_logs": _UNCAPTURED}))


def ingest(settings: Settings, sources: list[str] | None, progress: Progress, *, wait_s: float, say: Callable[[str], None]) -> Outcome:
    """Bring sources up to date and publish what passes its gates.

    Args:
        sources: which lanes to run; None runs all.
        wait_s: how long to wait for another run on the same home; negative waits for as long as it takes.
        say: told what a person may want to know meanwhile.

    Errors:
        Busy: another run holds the lease.
        WrongUsage: a source has no contract.
        DiskFull: there is no room for the catalog or for Dagster's records.
    """
    with (
        _room_to_write(settings),
        opened(settings, progress, wait_s=wait_s, say=say) as workspace,
        dagster_instance(settings) as instance,
    ):
        known = workspace.contracts.keys() | workspace.broken_contracts.keys()
        wanted = sorted(known) if sources is None else sources
        for source in wanted:
            if source not in known:
                raise WrongUsage(
                    f"There is no contract for a source {source!r}.", f"There are contracts for: {', '.join(sorted(known)) or 'none'}."
                )
        _end_abandoned_runs(instance)
        resource = dg.ResourceDefinition.hardcoded_resource(workspace)
        job = build_definitions(settings, resource).get_repository_def().get_job("ingest")
        lanes = dg.AssetSelection.groups(*wanted) if wanted else dg.AssetSelection.keys()
        publishing = (lanes | dg.AssetSelection.groups("release")) - dg.AssetSelection.tag(OVERSIGHT_TAG, "yes")
        selection = publishing.resolve(job.asset_layer.asset_graph)
        bucketed = any(workspace.contracts[name].partitioned for name in wanted if name in workspace.contracts)
        result = job.execute_in_process(
            instance=instance,
            asset_selection=sorted(selection),
            raise_on_error=False,
            tags={"plumbline/started_by": "command line", **(EVERY_BUCKET if bucketed else {})},
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
        failures = [f"{event.step_key}: {_said(event.step_failure_data)}" for event in result.all_events if event.is_step_failure]
        return Outcome(result.run_id, result.success, failures, workspace.decision, workspace.reports)


@contextlib.contextmanager
def _room_to_write(settings: Settings) -> Iterator[None]:
    """Dagster's own records stop a run as a database error when the disk is full; say what it is."""
    try:
        yield
    except (OperationalError, OSError) as e:
        if shutil.disk_usage(settings.root).free >= LEAST_FREE_BYTES:
            raise
        raise DiskFull(
            f"The disk that holds {settings.root} is full.", "Make room and run the ingest again; what is live is untouched."
        ) from e


def _end_abandoned_runs(instance: dg.DagsterInstance) -> None:
    """Runs that a killed process left as started: with the lease in hand, none can be alive that uses it."""
    unfinished = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING]
    for run in instance.get_runs(filters=dg.RunsFilter(statuses=unfinished, tags={"plumbline/started_by": "command line"})):
        instance.report_run_failed(run, ABANDONED_MESSAGE)


def _said(failure: StepFailureData) -> str:
    """The sentence a failed step ends with: a ``Failure``'s description, or the message of what was raised first."""
    if failure.user_failure_data and failure.user_failure_data.description:
        return failure.user_failure_data.description
    error = failure.error
    while error is not None and error.cause is not None:
        error = error.cause
    return re.sub(r"^[\w.]+\.errors\.\w+: ", "", error.message.strip()) if error else "it gave no reason"
