"""Releases beside a partitioned source: half of its buckets is never published, and one run or many give the same index."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import dagster as dg
import pytest

from pipelines.dagster_home import dagster_home
from pipelines.definitions import build_definitions
from pipelines.lane.partitioned import waiting_buckets
from pipelines.lane.partitioned_assets import EVERY_BUCKET
from pipelines.release.assets import SOURCES_HELD
from pipelines.release.staging import current_pin
from pipelines.resources import opened
from pipelines.run import dagster_instance
from pipelines.workspace import LogProgress, Workspace
from search_index.errors import Busy
from search_index.lease import Lease
from tests.pipelines.test_partitioned import END, FILES, PARTS, partitioned
from tests.project import MACHINES, Project

pytestmark = pytest.mark.slow


def buckets(first: int, last: int) -> dict[str, str]:
    """The tags of a run of these buckets."""
    return dict(zip(EVERY_BUCKET, (str(first), str(last)), strict=True))


def run(project: Project, assets: Iterable[str], tags: dict[str, str] | None = None) -> dg.ExecuteInProcessResult:
    """Materialize assets in one run, as a click on them does."""
    with opened(project.settings, LogProgress(lambda _: None), wait_s=0, say=lambda _: None) as workspace:
        defs = build_definitions(project.settings, dg.ResourceDefinition.hardcoded_resource(workspace))
        result = defs.resolve_job_def("ingest").execute_in_process(
            instance=dagster_instance(project.settings),
            asset_selection=[dg.AssetKey(asset.split("/")) for asset in assets],
            tags=tags or {},
            raise_on_error=False,
        )
    assert result.success, [e.message for e in result.all_events if e.is_step_failure]
    return result


def shown(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, object]:
    """The metadata of what a run materialized."""
    found = result.asset_materializations_for_node(asset.replace("/", "__"))
    return {key: value.value for key, value in found[0].metadata.items()}


def head(project: Project) -> int | None:
    """The revision that was published last."""
    return project.home.catalog.pointer().head


def edit_all(project: Project) -> None:
    """Change every file, and with it every bucket."""
    for path in (project.root / "sources" / "cranes").iterdir():
        path.write_text(path.read_text().replace("northern", "southern"))


@pytest.fixture
def cranes(tmp_path: Path, models_dir: Path) -> Project:
    """A partitioned source and another beside it."""
    project = Project(tmp_path)
    project.source("cranes", FILES, partitioned)
    project.source("machines", MACHINES)
    return project


def test_one_ingest_takes_everything_in_and_gives_the_index_of_a_lane_in_one_piece(tmp_path: Path, models_dir: Path) -> None:
    project = Project(tmp_path)
    project.source("cranes", FILES)
    project.source("machines", MACHINES)
    whole = project.ingest()
    in_one_piece, counts = project.visible(), {s: r.counts for s, r in whole.reports["cranes"].items()}
    (tmp_path / "home").rename(tmp_path / "earlier")
    project.source("cranes", FILES, partitioned)
    outcome = project.ingest()
    assert outcome.success, outcome.failures
    assert outcome.decision is not None
    assert (outcome.decision.status, outcome.decision.held) == ("published", {})
    assert project.visible() == in_one_piece
    assert {s: {k: r.counts[k] for k in counts[s]} for s, r in outcome.reports["cranes"].items()} == counts
    again = project.ingest()
    assert again.decision is not None
    assert again.decision.status == "unchanged"
    assert project.ingest(["machines"]).success


def test_half_of_the_buckets_is_never_published(cranes: Project) -> None:
    run(cranes, ["cranes/manifest"])
    first = run(cranes, PARTS, buckets(0, 3))
    assert shown(first, "cranes/documents")["buckets"] == "0, 1, 2, 3"
    lane = run(cranes, END)
    assert "Waits for 4 of 8 buckets: 4, 5, 6, 7" in str(shown(lane, "cranes/lane")["status"])
    assert head(cranes) is None
    run(cranes, ["machines/manifest", "machines/documents", "machines/chunks", "machines/vectors", *END])
    assert {hit.source for hit in cranes.search("crane over the northern quay", limit=20).hits} == {"machines"}

    run(cranes, PARTS, buckets(4, 7))
    done = run(cranes, END)
    assert shown(done, "cranes/lane")["buckets_done"] == 8
    results = {e.check_name: e.passed for e in done.get_asset_check_evaluations()}
    assert results[SOURCES_HELD]
    assert results["chunk_access_present"]
    before = cranes.visible()
    assert len([1 for hit in cranes.search("crane over the northern quay", limit=50).hits if hit.source == "cranes"]) == len(FILES)

    edit_all(cranes)
    run(cranes, ["cranes/manifest"])
    run(cranes, PARTS, buckets(2, 5))
    live = head(cranes)
    waits = run(cranes, END)
    assert shown(waits, "cranes/lane")["waiting"] == {"documents": [0, 1, 6, 7]}
    assert (head(cranes), cranes.visible()) == (live, before)
    folder = cranes.root / "sources" / "machines"
    (folder / "new.md").write_text("# New\n\nA lathe.\n")
    run(cranes, ["machines/manifest", "machines/documents", "machines/chunks", "machines/vectors", *END])
    assert head(cranes) != live
    assert before < cranes.visible(), "the other source's change is out, and nothing of this one"
    assert not [h for h in cranes.search("southern quay", "sparse", limit=50).hits if "southern" in h.text]

    run(cranes, PARTS, buckets(0, 1))
    run(cranes, PARTS, buckets(6, 7))
    run(cranes, END)
    assert len([h for h in cranes.search("southern quay", "sparse", limit=50).hits if "southern" in h.text]) == len(FILES)
    assert not {h.chunk_id for h in cranes.search("northern quay", "sparse", limit=50).hits if "northern" in h.text}


def test_a_backfill_that_is_killed_is_finished_by_the_next(cranes: Project, unmeasured_env: dict[str, str]) -> None:
    run(cranes, ["cranes/manifest"])
    environment = unmeasured_env | {"PLUMBLINE_HOME": str(cranes.settings.root), "PLUMBLINE_CONTRACTS": str(cranes.root / "contracts")}
    environment |= {"DAGSTER_HOME": str(dagster_home(cranes.settings))}
    command = [sys.executable, "-m", "dagster", "asset", "materialize", "-m", "pipelines.definitions"]
    command += ["--select", ",".join(PARTS), "--partition-range", "0...7"]
    child = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    workspace = Workspace(cranes.settings, LogProgress(lambda _: None))
    deadline = time.monotonic() + 120
    while workspace.lake.version("documents") < 0 and child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    with pytest.raises(Busy):  # one writer a home
        Lease(cranes.settings.root).acquire(wait_s=0, waiting=lambda _: None)
    child.kill()
    child.communicate(timeout=60)
    waiting = waiting_buckets(workspace, workspace.contracts["cranes"], "run")
    assert waiting, "it was over before it was killed"
    assert current_pin(workspace, "cranes") is None
    second = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180, check=False)
    assert second.returncode == 0, re.sub(r"\s+", " ", second.stderr[-2000:])
    assert waiting_buckets(workspace, workspace.contracts["cranes"], "run") == {}
    run(cranes, END)
    assert head(cranes) is not None
