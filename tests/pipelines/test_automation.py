"""Changes are seen, taken in by one run up to the release, and nothing runs when nothing changed."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.events import DagsterEvent, DagsterEventType

from pipelines.automation.observing import MOST_ATTEMPTS, Look, Seen, confirm_cron, look_every_s
from pipelines.automation.starting import DEAD_AFTER_S, end_dead_runs, look_around
from pipelines.definitions import build_definitions
from pipelines.lane.manifest import converge_manifest
from pipelines.workspace import LogProgress, Workspace
from quality_checks.contracts import Contract
from search_index.settings import Settings
from tests.project import Project

RELEASE = {"candidate", "evaluation", "release"}
LANE = {"manifest", "documents", "chunks", "vectors"}
Tick = Callable[[], set[str]]


def lane(source: str) -> set[str]:
    return {f"{source}/{stage}" for stage in LANE}


def observe(instance: dg.DagsterInstance, source: str, version: str) -> None:
    instance.report_runless_asset_event(
        dg.AssetObservation(asset_key=dg.AssetKey([source, "files"]), tags={"dagster/data_version": version})
    )


def take_in(project: Project) -> None:
    """What a run's first steps do; the ones after it make no difference to what is seen."""
    workspace = Workspace(project.settings, LogProgress(lambda _: None))
    try:
        for contract in workspace.contracts.values():
            converge_manifest(workspace, contract, "run")
    finally:
        workspace.home.catalog.close()


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


@pytest.fixture
def tick(project: Project, instance: dg.DagsterInstance) -> Tick:
    """What the automation would run now; the first tick has been."""
    defs = build_definitions(project.settings)
    cursor = dg.evaluate_automation_conditions(defs, instance).cursor

    def evaluate() -> set[str]:
        nonlocal cursor
        result = dg.evaluate_automation_conditions(defs, instance, cursor=cursor)
        cursor = result.cursor
        return {r.key.to_user_string() for r in result.results if not r.true_subset.is_empty}

    return evaluate


class TestConditions:
    def test_a_change_seen_runs_its_lane_and_the_release_in_one_tick_and_only_once(self, instance: dg.DagsterInstance, tick: Tick) -> None:
        assert tick() == set()
        observe(instance, "animals", "1")
        assert tick() == lane("animals") | RELEASE
        assert tick() == set()

    def test_what_was_seen_before_runs_nothing(self, instance: dg.DagsterInstance, tick: Tick) -> None:
        observe(instance, "animals", "1")
        tick()
        observe(instance, "animals", "1")
        assert tick() == set()
        observe(instance, "animals", "2")
        observe(instance, "machines", "1")
        assert tick() == lane("animals") | lane("machines") | RELEASE

    @pytest.mark.slow
    def test_a_run_that_someone_started_does_not_start_another(self, project: Project, instance: dg.DagsterInstance, tick: Tick) -> None:
        workspace = Workspace(project.settings, LogProgress(lambda _: None))
        defs = build_definitions(project.settings, dg.ResourceDefinition.hardcoded_resource(workspace))
        assert defs.resolve_job_def("ingest").execute_in_process(instance=instance).success
        assert tick() == set()


class TestLooking:
    @pytest.fixture
    def look(self, project: Project) -> Callable[[float], list[Seen]]:
        """Looks at everything at a time of the test's choice, remembering what it saw."""
        looks: dict[str, Look] = {}

        def at(now_s: float) -> list[Seen]:
            workspace = Workspace(project.settings, LogProgress(lambda _: None))
            try:
                return look_around(workspace.contracts, workspace, looks, now_s)
            finally:
                workspace.home.catalog.close()

        return at

    def test_it_sees_what_was_added_edited_removed_and_nothing_else(self, project: Project, look: Callable[[float], list[Seen]]) -> None:
        take_in(project)
        folder = project.root / "sources" / "animals"
        assert look(0) == []
        (folder / "new.md").write_text("# New\n\nA vole.\n")
        assert [(s.source, s.files, s.why) for s in look(100)] == [("animals", 5, "its files changed")]
        take_in(project)
        assert look(200) == []
        (folder / "new.md").write_text("# New\n\nA water vole.\n")
        assert [s.source for s in look(300)] == ["animals"]
        take_in(project)
        (folder / "new.md").unlink()
        assert [s.source for s in look(400)] == ["animals"]
        take_in(project)
        assert look(500) == look(600) == []

    def test_a_folder_is_not_looked_at_more_often_than_every_half_minute(
        self, project: Project, look: Callable[[float], list[Seen]]
    ) -> None:
        take_in(project)
        look(1000)
        (project.root / "sources" / "animals" / "new.md").write_text("A vole.\n")
        assert look(1020) == []
        assert len(look(1040)) == 1

    def test_a_change_that_no_run_takes_in_is_announced_again_less_and_less_and_then_no_more(
        self, look: Callable[[float], list[Seen]]
    ) -> None:
        announced = [(now, seen.version) for now in range(0, 6000, 120) for seen in look(float(now)) if seen.source == "animals"]
        times = [now for now, _ in announced]
        assert len(times) == len({version for _, version in announced}) == MOST_ATTEMPTS
        assert [b - a for a, b in itertools.pairwise(times)] == [120, 240, 480, 960, 1920]

    def test_a_source_that_goes_away_is_announced_once_and_again_when_it_is_back(
        self, project: Project, look: Callable[[float], list[Seen]]
    ) -> None:
        take_in(project)
        look(0)
        folder = project.root / "sources" / "animals"
        folder.rename(folder.with_name("away"))
        assert [s.why for s in look(100)] == ["it cannot be listed"]
        take_in(project)
        assert look(200) == []
        folder.with_name("away").rename(folder)
        assert [s.why for s in look(300)] == ["it can be listed again"]
        take_in(project)
        assert look(400) == []

    def test_an_edited_contract_is_a_change(self, project: Project, look: Callable[[float], list[Seen]]) -> None:
        take_in(project)
        look(0)
        contract = project.root / "contracts" / "animals.yaml"
        contract.write_text(contract.read_text().replace("version: 1.0.0", "version: 1.0.1"))
        assert [(s.source, s.why) for s in look(100)] == [("animals", "its contract changed")]


@pytest.mark.parametrize(
    ("sla", "cron"),
    [
        (None, None),
        (timedelta(days=7), None),
        (timedelta(days=1), "0 */12 * * *"),
        (timedelta(hours=5), "0 */2 * * *"),
        (timedelta(minutes=30), "*/15 * * * *"),
        (timedelta(seconds=30), "*/1 * * * *"),
    ],
)
def test_a_lane_runs_at_least_twice_within_the_freshness_it_promises(sla: timedelta | None, cron: str | None) -> None:
    assert confirm_cron(sla) == cron


def test_other_places_than_folders_are_looked_at_as_their_freshness_asks() -> None:
    def every(location: str, sla: timedelta | None) -> float:
        return look_every_s(Contract(name="a", version="1", digest="d", status="active", owner="o", location=location, freshness_sla=sla))

    assert every("/srv/docs", timedelta(days=1)) == every("file:///srv/docs", None) == 30
    assert every("s3://bucket/docs", timedelta(hours=1)) == 900
    assert every("s3://bucket/docs", timedelta(seconds=10)) == 60
    assert every("s3://bucket/docs", None) == 3600


def test_a_run_whose_process_was_killed_does_not_block_the_automation(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    @dg.op
    def nothing() -> None: ...

    @dg.job
    def job() -> None:
        nothing()

    run_id = instance.create_run_for_job(job).run_id
    event = DagsterEvent(DagsterEventType.RUN_START.value, job.name)
    instance.report_dagster_event(event, run_id)
    started = instance.get_run_record_by_id(run_id)
    assert started is not None
    assert started.start_time is not None
    end_dead_runs(instance, started.start_time + DEAD_AFTER_S - 1, Settings(home=tmp_path))
    assert instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])), "it may still be loading"
    end_dead_runs(instance, started.start_time + DEAD_AFTER_S + 1, Settings(home=tmp_path))
    assert [run.status for run in instance.get_runs()] == [dg.DagsterRunStatus.FAILURE]
