"""A partitioned source: done bucket by bucket, judged as a whole, and never published half done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import dagster as dg
import pyarrow.dataset as ds
import pytest

from pipelines.definitions import build_definitions
from pipelines.lane.documents import documents_work
from pipelines.lane.manifest import converge_manifest
from pipelines.lane.partitioned import ALL_BUCKETS, PART_STAGES, PART_STEPS, converge_lane, waiting_buckets
from pipelines.lane.partitioned_assets import EVERY_BUCKET
from pipelines.release.staging import current_pin
from pipelines.tables import bucket_of
from pipelines.workspace import LogProgress, Workspace
from search_index.model.document import document_id
from tests.pipelines.test_automation import observe
from tests.project import MACHINES, Project

FILES = {f"crane{i}.md": f"# Crane {i}\n\nThe crane numbered {i} lifts {i * 3} tonnes over the northern quay.\n" for i in range(28)}
PARTS = [f"cranes/{stage}" for stage in PART_STAGES]
END = ["cranes/lane", "candidate", "evaluation", "release"]


def partitioned(contract: str) -> str:
    """The contract's text with its lane in parts."""
    term = "  - property: partitioned\n    value: true\n"
    if "customProperties:\n" in contract:
        return contract.replace("customProperties:\n", f"customProperties:\n{term}")
    return f"{contract}customProperties:\n{term}"


@pytest.fixture
def cranes(tmp_path: Path, models_dir: Path) -> Project:
    """A partitioned source and another beside it."""
    project = Project(tmp_path)
    project.source("cranes", FILES, partitioned)
    project.source("machines", MACHINES)
    return project


@pytest.fixture
def workspace(cranes: Project) -> Workspace:
    made = Workspace(cranes.settings, LogProgress(lambda _: None))
    converge_manifest(made, made.contracts["cranes"], "run")
    return made


def do(workspace: Workspace, wanted: Iterable[int], stages: Iterable[str] = PART_STAGES) -> None:
    """Run steps on some buckets."""
    for stage in PART_STAGES:
        if stage in stages:
            PART_STEPS[stage](workspace, workspace.contracts["cranes"], "run", frozenset(wanted))


def versions(workspace: Workspace) -> list[int]:
    """Where the tables of documents, chunks and vectors stand."""
    return [workspace.lake.version("documents"), workspace.lake.version("chunks"), workspace.lake.version("vectors")]


class TestParts:
    def test_the_files_lie_in_every_bucket(self, workspace: Workspace) -> None:
        listed = documents_work(workspace, workspace.contracts["cranes"])
        assert listed.buckets == ALL_BUCKETS

    def test_a_part_does_its_buckets_and_no_others_and_records_no_state(self, workspace: Workspace) -> None:
        contract = workspace.contracts["cranes"]
        do(workspace, {1, 4})
        documents = workspace.lake.read_source("documents", "cranes", columns=["document_id"])["document_id"].to_pylist()
        chunks = workspace.lake.read_source("chunks", "cranes", columns=["document_id"])["document_id"].to_pylist()
        assert {bucket_of(d) for d in documents} == {1, 4}
        assert sorted(chunks) == sorted(documents)
        assert workspace.lake.read("vectors").num_rows == len(chunks)
        assert [workspace.home.catalog.lane("cranes", stage) for stage in PART_STAGES] == [None] * 3
        assert current_pin(workspace, "cranes") is None
        assert waiting_buckets(workspace, contract, "run") == {"documents": sorted(ALL_BUCKETS - {1, 4})}
        before = versions(workspace)
        workspace.ahead.clear()
        do(workspace, {1, 4})
        assert versions(workspace) == before, "a second time there is nothing to do"

    def test_each_step_that_a_bucket_waits_for_is_told(self, workspace: Workspace) -> None:
        contract = workspace.contracts["cranes"]
        do(workspace, ALL_BUCKETS - {0}, ["documents"])
        do(workspace, ALL_BUCKETS - {0, 3}, ["chunks"])
        do(workspace, ALL_BUCKETS - {0, 3, 5}, ["vectors"])
        assert waiting_buckets(workspace, contract, "run") == {"documents": [0], "chunks": [3], "vectors": [5]}
        do(workspace, {0, 3, 5})
        assert waiting_buckets(workspace, contract, "run") == {}

    @pytest.mark.slow
    def test_what_is_left_for_the_whole_costs_nothing_and_has_every_verdict(self, workspace: Workspace) -> None:
        contract = workspace.contracts["cranes"]
        do(workspace, {0, 1, 5})
        do(workspace, ALL_BUCKETS - {0, 1, 5})
        workspace.reports.clear()
        reports, verdicts = converge_lane(workspace, contract, "run")
        assert [r.counts.get(work) for r, work in zip(reports, ("parsed", "cut", "embedded"), strict=True)] == [0, 0, 0]
        pin = current_pin(workspace, "cranes")
        assert pin is not None
        assert pin.documents.rows == len(FILES)
        assert {v.outcome for v in verdicts} == {"passed"}

    def test_a_file_that_changes_or_goes_while_it_is_read_keeps_no_bucket_waiting(self, cranes: Project, workspace: Workspace) -> None:
        contract = workspace.contracts["cranes"]
        do(workspace, ALL_BUCKETS)
        folder = cranes.root / "sources" / "cranes"
        (folder / "crane3.md").write_text("# Crane 3\n\nThe crane was taken down in the spring of that year.\n")
        (folder / "crane4.md").write_text("# Crane 4\n\nThe crane was moved to the other quay that summer.\n")
        converge_manifest(workspace, contract, "run")
        waiting = waiting_buckets(workspace, contract, "run")
        assert [len(buckets) for buckets in waiting.values()] == [2]
        (folder / "crane3.md").write_text("# Crane 3\n\nThe crane stands again.\n")
        (folder / "crane4.md").unlink()
        do(workspace, waiting["documents"])
        assert waiting_buckets(workspace, contract, "run") == {}
        converge_lane(workspace, contract, "run")
        pin = current_pin(workspace, "cranes")
        assert pin is not None
        assert (pin.documents.rows, pin.quarantined) == (len(FILES), 1)

    def test_near_duplicates_are_settled_over_all_buckets(self, tmp_path: Path, models_dir: Path) -> None:
        once = "  - property: nearDuplicates\n    value:\n      policy: index_once\n"
        project = Project(tmp_path)
        text = next(iter(FILES.values()))
        copies = {f"copy{i}.md": text for i in range(12)}
        project.source("cranes", copies, lambda c: partitioned(c).replace("customProperties:\n", f"customProperties:\n{once}"))
        made = Workspace(project.settings, LogProgress(lambda _: None))
        contract = made.contracts["cranes"]
        assert contract.near_duplicates.policy == "index_once"
        converge_manifest(made, contract, "run")
        last = bucket_of(document_id("cranes", "copy0.md"))  # the one that stands for the others, so that they have to go again
        do(made, ALL_BUCKETS - {last})
        do(made, {last})
        assert waiting_buckets(made, contract, "run") == {}
        _, verdicts = converge_lane(made, contract, "run")
        assert [v.check for v in verdicts if v.outcome == "failed" and v.severity == "error"] == []
        rows = made.lake.read("chunks", columns=["document_id", "also_at"], where=ds.field("source") == "cranes").to_pylist()
        assert len({row["document_id"] for row in rows}) == 1
        assert len(rows[0]["also_at"]) == len(copies) - 1


class TestAutomation:
    @pytest.fixture
    def instance(self) -> Iterator[dg.DagsterInstance]:
        with dg.DagsterInstance.ephemeral() as made:
            yield made

    @pytest.fixture
    def tick(self, cranes: Project, instance: dg.DagsterInstance) -> Callable[[], dict[str, set[str]]]:
        """What each sensor would run now; the first tick has been."""
        defs = build_definitions(cranes.settings)
        graph = defs.resolve_asset_graph()
        sensors = {
            s.name: s.asset_selection.resolve(graph) | s.asset_selection.resolve_checks(graph)
            for s in defs.sensors or []
            if isinstance(s, dg.AutomationConditionSensorDefinition)
        }
        cursors: dict[str, object] = {}

        def evaluate() -> dict[str, set[str]]:
            found = {}
            for name, keys in sensors.items():
                selection = dg.AssetSelection.assets(*(k for k in keys if isinstance(k, dg.AssetKey)))
                result = dg.evaluate_automation_conditions(defs, instance, selection, cursor=cursors.get(name))  # type: ignore[arg-type]
                cursors[name] = result.cursor
                found[name] = {r.key.to_user_string() for r in result.results if not r.true_subset.is_empty}
            return found

        evaluate()
        return evaluate

    def done(self, instance: dg.DagsterInstance, asset: str, partitions: Iterable[int | None]) -> None:
        for partition in partitions:
            key = dg.AssetKey(asset.split("/"))
            instance.report_runless_asset_event(dg.AssetMaterialization(key, partition=None if partition is None else str(partition)))

    def test_a_change_goes_through_all_buckets_to_the_release_and_the_candidate_is_no_part_of_the_backfill(
        self, instance: dg.DagsterInstance, tick: Callable[[], dict[str, set[str]]]
    ) -> None:
        observe(instance, "cranes", "1")
        assert tick() == {"automation": {"cranes/manifest"}, "automation_of_buckets": set()}
        self.done(instance, "cranes/manifest", [None])
        assert tick() == {"automation": set(), "automation_of_buckets": set(PARTS)}
        for part in PARTS:
            self.done(instance, part, range(7))
        assert tick() == {"automation": set(), "automation_of_buckets": set()}, "one bucket was never done"
        for part in PARTS:
            self.done(instance, part, [7])
        assert tick() == {"automation": set(END), "automation_of_buckets": set()}
        assert tick() == {"automation": set(), "automation_of_buckets": set()}

    def test_the_other_lanes_run_as_ever(self, instance: dg.DagsterInstance, tick: Callable[[], dict[str, set[str]]]) -> None:
        observe(instance, "machines", "1")
        lane = {f"machines/{stage}" for stage in ("manifest", *PART_STAGES)}
        assert tick() == {"automation": lane | set(END) - {"cranes/lane"}, "automation_of_buckets": set()}


def daily_tags(project: Project) -> dict[str, str]:
    """The tags of the run that the daily schedule asks for."""
    defs = build_definitions(project.settings)
    repository = defs.get_repository_def()
    schedule = repository.get_schedule_def("ingest_daily")
    with dg.build_schedule_context(repository_def=repository) as context:
        (request,) = schedule.evaluate_tick(context).run_requests or []
    return dict(request.tags)


def test_the_daily_run_does_every_bucket(cranes: Project) -> None:
    assert EVERY_BUCKET.items() <= daily_tags(cranes).items()


def test_without_partitioned_sources_there_is_neither_the_sensor_nor_the_tags(project: Project) -> None:
    assert not EVERY_BUCKET.keys() & daily_tags(project).keys()
    assert "automation_of_buckets" not in {s.name for s in build_definitions(project.settings).sensors or []}
