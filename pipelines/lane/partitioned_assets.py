"""The lane of a source too large for one run: Dagster partitions of hash buckets, and a summary in front of the candidate.

Dagster reads the annotations of an asset's function, so this module does not postpone them.
"""

import time

import dagster as dg
from dagster._core.storage.tags import ASSET_PARTITION_RANGE_END_TAG, ASSET_PARTITION_RANGE_START_TAG

from pipelines.automation.starting import BUCKETED_TAG, follows_its_buckets, follows_its_inputs
from pipelines.failing import explained
from pipelines.lane.assets import (
    EMBEDDING_MODEL,
    KINDS,
    SAYS,
    VERSION,
    cpu_seconds,
    freshness_policy,
    governance_tags,
    lane_key,
    manifest_asset,
    owner_of,
)
from pipelines.lane.partitioned import PART_STAGES, PART_STEPS, bucket_list, converge_lane, recorded_version, waiting_buckets
from pipelines.release.outcomes import CHANGED_ROWS_SHOWN, StepReport
from pipelines.show.checks import check_result
from pipelines.show.steps import Metadata, lane_metadata, standing_plots, step_metadata
from pipelines.show.tables import changed_tables, quarantine_tables
from pipelines.tables import BUCKETS
from pipelines.workspace import Workspace
from quality_checks.contracts import Contract
from quality_checks.gates import stage_checks
from search_index.model.release import Stage

LANE = "lane"
BUCKET_PARTITIONS = dg.StaticPartitionsDefinition([str(bucket) for bucket in range(BUCKETS)])
EVERY_BUCKET = {ASSET_PARTITION_RANGE_START_TAG: "0", ASSET_PARTITION_RANGE_END_TAG: str(BUCKETS - 1)}
"""Tags of a run that does all buckets."""
_SUMMARY = "All buckets of the lane: judged once every one is done, and only then part of a release."
_SUMMARY_VERSION = "1"
_PLOTS_OF: dict[Stage, frozenset[str]] = {"documents": frozenset({"formats", "languages"}), "chunks": frozenset({"lengths", "tokens"})}

_RATES = frozenset({"wall_s", "cpu_s", "per_second", "cpu_ms_each"})


def lane_end(source: str) -> dg.AssetKey:
    """The summary of a partitioned lane, which stands in front of the candidate."""
    return dg.AssetKey([source, LANE])


def partitioned_lane(contract: Contract) -> list[dg.AssetsDefinition]:
    """The lane of one source in parts: manifest; documents, chunks and vectors by bucket; and the summary of all buckets."""
    return [
        manifest_asset(contract),
        _part(contract, "documents", [lane_key(contract, "manifest")]),
        _part(contract, "chunks", [lane_key(contract, "documents"), EMBEDDING_MODEL]),
        _part(contract, "vectors", [lane_key(contract, "chunks"), EMBEDDING_MODEL]),
        _summary(contract),
    ]


def _part(contract: Contract, stage: Stage, deps: list[dg.AssetKey]) -> dg.AssetsDefinition:
    step = PART_STEPS[stage]

    @dg.asset(
        key=lane_key(contract, stage),
        deps=deps,
        partitions_def=BUCKET_PARTITIONS,
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name=contract.name,
        description=f"{SAYS[stage]} One partition is a hash bucket of documents.\n\n{contract.description}".strip(),
        owners=[owner_of(contract)],
        kinds=KINDS[stage],
        tags={"plumbline/stage": stage, BUCKETED_TAG: "yes", **governance_tags(contract)},
        code_version=VERSION[stage],
        automation_condition=follows_its_inputs(),
        metadata={"contract": f"{contract.name} {contract.version}", "location": contract.location},
    )
    def run(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:  # type: ignore[type-arg]
        began, cpu = time.perf_counter(), cpu_seconds()
        buckets = frozenset(int(key) for key in context.partition_keys)
        with explained(workspace.settings, context):
            report = step(workspace, contract, context.run.run_id, buckets)
        report.wall_s, report.cpu_s = time.perf_counter() - began, cpu_seconds() - cpu
        metadata: Metadata = {"buckets": bucket_list(buckets), **step_metadata(report)}
        if stage == "documents":
            metadata |= quarantine_tables(workspace.lake, contract, workspace.settings)
        metadata |= changed_tables(report.changed, workspace.settings)
        return dg.MaterializeResult(data_version=dg.DataVersion(report.data_version), metadata=metadata)

    return run


def _summary(contract: Contract) -> dg.AssetsDefinition:
    key = lane_end(contract.name)
    checks = [check for stage in PART_STAGES for check in stage_checks(contract, stage)]

    @dg.asset(
        key=key,
        deps=[lane_key(contract, stage) for stage in PART_STAGES],
        group_name=contract.name,
        description=f"{_SUMMARY}\n\n{contract.description}".strip(),
        owners=[owner_of(contract)],
        kinds={"deltalake"},
        tags={"plumbline/stage": LANE, **governance_tags(contract)},
        code_version=_SUMMARY_VERSION,
        freshness_policy=freshness_policy(contract),
        automation_condition=follows_its_buckets(),
        check_specs=[dg.AssetCheckSpec(check.name, asset=key, description=check.description) for check in checks],
        metadata={"contract": f"{contract.name} {contract.version}", "location": contract.location},
    )
    def run(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:  # type: ignore[type-arg]
        standing = standing_plots(context.instance, key)
        with explained(workspace.settings, context):
            waiting = waiting_buckets(workspace, contract, context.run.run_id)
            if waiting:
                return _waits(workspace, contract, waiting, standing)
            reports, verdicts = converge_lane(workspace, contract, context.run.run_id)
        return dg.MaterializeResult(
            data_version=dg.DataVersion(recorded_version(workspace, contract)),
            metadata=_metadata(reports, workspace, contract, standing),
            check_results=[check_result(verdict, key) for verdict in verdicts],
        )

    return run


def _waits(workspace: Workspace, contract: Contract, waiting: dict[Stage, list[int]], standing: Metadata) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Some buckets are not done: nothing is recorded, and releases keep the source as it was recorded last."""
    key = lane_end(contract.name)
    buckets = sorted({bucket for each in waiting.values() for bucket in each})
    said = f"Waits for {len(buckets)} of {BUCKETS} buckets: {bucket_list(buckets)}. Releases keep the source as it stands in the last one."
    return dg.MaterializeResult(
        data_version=dg.DataVersion(recorded_version(workspace, contract)),
        metadata={
            "status": dg.MetadataValue.md(f"{said} Materialize these partitions of `documents`, `chunks` and `vectors`."),
            "waiting": dg.MetadataValue.json({stage: list(each) for stage, each in waiting.items()}),
            "buckets_done": BUCKETS - len(buckets),
            "unchanged": True,
            **standing,
        },
        check_results=[
            dg.AssetCheckResult(
                passed=False, check_name=check.name, asset_key=key, severity=dg.AssetCheckSeverity.WARN, description=f"Not judged. {said}"
            )
            for stage in PART_STAGES
            for check in stage_checks(contract, stage)
        ],
    )


def _metadata(reports: list[StepReport], workspace: Workspace, contract: Contract, standing: Metadata) -> Metadata:
    """What the three steps of a lane show, together; how quick each was, its parts tell."""
    shown: Metadata = {"buckets_done": BUCKETS}
    for report in reports:
        others = frozenset[str]().union(*(plots for stage, plots in _PLOTS_OF.items() if stage != report.stage))
        mine = {name: value for name, value in standing.items() if name not in others}
        shown |= lane_metadata(report, workspace, contract, mine)
    shown = {name: value for name, value in shown.items() if name not in _RATES}
    shown |= changed_tables([row for report in reports for row in report.changed][:CHANGED_ROWS_SHOWN], workspace.settings)
    return shown | {"unchanged": all(report.unchanged for report in reports)}
