"""The event log: Dagster's own files, written with few engines and no connection left open."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.event_log import SqliteEventLogStorage

from pipelines.dagster_storage import _FILES_KEPT_OPEN, EventLog
from pipelines.run import dagster_instance
from search_index.settings import Settings


@dg.asset(check_specs=[dg.AssetCheckSpec("is_right", asset="thing")])
def thing() -> Iterator[dg.MaterializeResult]:  # type: ignore[type-arg]
    """An asset with a check."""
    yield dg.MaterializeResult(check_results=[dg.AssetCheckResult(passed=True, check_name="is_right")])


@dg.asset(partitions_def=dg.StaticPartitionsDefinition(["a", "b"]))
def parts() -> None:
    """An asset whose events carry tags."""


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """As an ingest makes it, in a home of its own."""
    with dagster_instance(Settings(home=tmp_path)) as made:
        yield made


def test_dagsters_own_log_reads_what_was_written(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    assert isinstance(instance.event_log_storage, EventLog)
    result = dg.materialize([thing], instance=instance)
    own = SqliteEventLogStorage(str(tmp_path / "dagster" / "history" / "runs"))
    own.register_instance(instance)
    ours = [(e.timestamp, e.dagster_event_type) for e in instance.all_logs(result.run_id)]
    assert [(e.timestamp, e.dagster_event_type) for e in own.get_logs_for_run(result.run_id)] == ours
    assert len(ours) > 10
    (check,) = instance.event_log_storage.get_asset_check_execution_history(dg.AssetCheckKey(dg.AssetKey("thing"), "is_right"), limit=5)
    assert check.status.value == "SUCCEEDED"


def test_partitions_are_told(instance: dg.DagsterInstance) -> None:
    assert dg.materialize([parts], partition_key="a", instance=instance).success
    assert instance.get_materialized_partitions(dg.AssetKey("parts")) == {"a"}


def files_open(folder: Path) -> set[str]:
    """Which of the log's databases this process holds open."""
    links = [Path(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")]
    return {target.name for link in links if link.is_symlink() and (target := link.readlink()).parent == folder and target.suffix == ".db"}


def test_few_files_stay_open_and_none_in_the_end(tmp_path: Path) -> None:
    folder = tmp_path / "dagster" / "history" / "runs"
    with dagster_instance(Settings(home=tmp_path)) as instance:
        runs = [dg.materialize([thing], instance=instance).run_id for _ in range(_FILES_KEPT_OPEN + 2)]
        opened = files_open(folder)
        assert {"index.db", f"{runs[-1]}.db"} <= opened
        assert len(opened) <= _FILES_KEPT_OPEN
        assert len(instance.all_logs(runs[0])) > 10, "one that was closed is opened again"
    assert files_open(folder) == set()
