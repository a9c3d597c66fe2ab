"""The project as Dagster sees it: a lane of assets a source, and the release they make together."""

from __future__ import annotations

import dagster as dg

from pipelines.alerts.sensors import alert_on_freshness, alert_on_lost_runs
from pipelines.automation.starting import AUTOMATION, BUCKETS_AUTOMATION, INGEST, daily, files_of, observe_sources
from pipelines.lane.assets import broken_lane, lane_assets
from pipelines.lane.partitioned_assets import EVERY_BUCKET, lane_end, partitioned_lane
from pipelines.release.assets import candidate_asset, embedding_model, evaluation, golden_set, release
from pipelines.reports.assets import audit_report, drift_asset, evaluation_report, oversight_schedules, query_drift_report, service_probe
from pipelines.resources import ReadingResource, WorkspaceResource
from pipelines.workspace import LogProgress, Workspace
from search_index.settings import Settings


def build_definitions(settings: Settings, workspace: dg.ResourceDefinition | WorkspaceResource | None = None) -> dg.Definitions:
    """Definitions for the contracts that settings point at.

    Args:
        workspace: another way to open the home, for a caller that shows progress itself.
    """
    loaded = Workspace(settings, LogProgress(print))
    lanes = {
        name: partitioned_lane(contract) if contract.partitioned else lane_assets(contract)
        for name, contract in sorted(loaded.contracts.items())
    }
    broken = [asset for name, error in sorted(loaded.broken_contracts.items()) for asset in broken_lane(name, error)]
    ends = [lane_end(name) if loaded.contracts[name].partitioned else dg.AssetKey([name, "vectors"]) for name in lanes]
    bucketed = any(contract.partitioned for contract in loaded.contracts.values())
    automation = [AUTOMATION, BUCKETS_AUTOMATION] if bucketed else [AUTOMATION]
    return dg.Definitions(
        assets=[
            *(files_of(loaded.contracts[name]) for name in lanes),
            *(asset for lane in lanes.values() for asset in lane),
            *broken,
            embedding_model,
            golden_set,
            candidate_asset(ends),
            evaluation,
            release,
            *(drift_asset(name) for name in lanes),
            query_drift_report,
            audit_report,
            evaluation_report,
            service_probe,
        ],
        resources={"workspace": workspace or WorkspaceResource(), "reading": ReadingResource()},
        executor=dg.in_process_executor,
        jobs=[INGEST],
        schedules=[daily(EVERY_BUCKET if bucketed else {}), *oversight_schedules(list(lanes))],
        sensors=[observe_sources, *automation, alert_on_freshness, alert_on_lost_runs],
    )


@dg.definitions
def defs() -> dg.Definitions:
    """What ``dagster dev`` and ``dg`` load."""
    return build_definitions(Settings())
