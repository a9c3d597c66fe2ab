"""Nobody gets around the gates: whatever is run, rerun, run twice, killed or edited, only what passed is served."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Mapping

import dagster as dg
import pytest

from pipelines.lane import chunks
from pipelines.run import dagster_instance
from search_index.errors import PlumblineError, ReleaseUntrusted
from search_index.home import open_release
from tests.conftest import ROOT
from tests.gates.ingest_job import ingest_job
from tests.gates.killed_publish import MOMENTS
from tests.project import Project, Visible

pytestmark = pytest.mark.slow


@pytest.fixture
def project(published: Project) -> Project:
    """Two sources, published, and a change to one of them that a bug will spoil."""
    (published.root / "sources" / "animals" / "newt.md").write_text("# The newt\n\nThe crested newt courts in ponds without fish.\n")
    return published


@pytest.fixture
def refusing(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The project with a bug that loses every other point, so that its next candidate is refused."""
    monkeypatch.setattr("pipelines.release.staging.points_table", _without_the_first)
    return project


def _without_the_first(*arguments: object) -> object:
    from pipelines.release.points import points_table

    return points_table(*arguments).slice(1)  # type: ignore[arg-type]


def environment(project: Project) -> dict[str, str]:
    return {"PLUMBLINE_HOME": str(project.settings.root), "PLUMBLINE_CONTRACTS": str(project.root / "contracts")}


def untouched(project: Project, before: Visible) -> None:
    assert project.home.catalog.pointer().live == 1
    assert project.visible() == before
    assert "animals:newt.md" not in project.found("crested newt ponds")


def test_a_rerun_from_failure_publishes_nothing(refusing: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    before = refusing.visible()
    for name, value in environment(refusing).items():
        monkeypatch.setenv(name, value)
    with dagster_instance(refusing.settings) as instance:
        job = dg.reconstructable(ingest_job)
        first = dg.execute_job(job, instance=instance, raise_on_error=False)
        assert [event.step_key for event in first.all_events if event.is_step_failure] == ["release"]
        again = dg.execute_job(
            job, instance=instance, raise_on_error=False, reexecution_options=dg.ReexecutionOptions.from_failure(first.run_id, instance)
        )
        assert not again.success
        assert {event.step_key for event in again.all_events if event.step_key} == {"release"}
    untouched(refusing, before)


def test_a_refused_release_is_not_rolled_back_to(refusing: Project) -> None:
    before = refusing.visible()
    outcome = refusing.ingest()
    assert outcome.decision is not None
    assert outcome.decision.status == "refused"
    with pytest.raises(PlumblineError):
        refusing.home.catalog.move_live(2, "rollback", "tester", "let it through", paused="let it through")
    untouched(refusing, before)


def test_the_command_line_publishes_nothing_that_is_held(project: Project, unmeasured_env: Mapping[str, str]) -> None:
    before = project.visible()
    (project.root / "sources" / "animals" / "newt.md").unlink()
    for path in (project.root / "sources" / "animals").iterdir():
        path.write_bytes(b"%PDF-1.7 and then nothing of the kind")
        path.rename(path.with_suffix(".pdf"))
    env = {**unmeasured_env, **environment(project)}
    for words in (["ingest"], ["ingest", "--no-wait"], ["ingest"]):
        done = subprocess.run(
            [sys.executable, "-m", "plumbline.cli", *words], cwd=ROOT, env=env, capture_output=True, text=True, timeout=250
        )
        assert done.returncode == 3, done.stderr[-2000:]
        untouched(project, before)


def test_two_runs_at_once_make_one_release_after_the_other(project: Project, unmeasured_env: Mapping[str, str]) -> None:
    env = {**unmeasured_env, **environment(project)}
    both = [
        subprocess.Popen([sys.executable, "-m", "plumbline.cli", "ingest", "--json"], cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    ended = [(process.communicate(timeout=250)[0], process.returncode) for process in both]
    assert [code for _, code in ended] == [0, 0]
    assert sorted('"published"' in out for out, _ in ended) == [False, True]
    assert [(r.revision, r.status) for r in project.home.catalog.releases()] == [(2, "live"), (1, "retired")]
    assert project.found("crested newt ponds")[0] == "animals:newt.md"


def edited(project: Project, *statements: str) -> None:
    """What a person with access to the database does to it."""
    with sqlite3.connect(project.settings.root / "catalog.db") as database:
        for statement in statements:
            assert database.execute(statement).rowcount > 0, statement


def test_a_verdict_that_somebody_turned_green_does_not_count(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    before = project.visible()
    with monkeypatch.context() as bug:
        bug.setattr(chunks, "_told", lambda document, duplicates: {"access": [], "also_at": []})
        assert project.ingest().decision.status == "held"  # type: ignore[union-attr]
    body = 'replace(replace(body, \'"outcome":"failed"\', \'"outcome":"passed"\'), \'"failed"\', \'"passed"\')'
    edited(project, f"update verdicts set body = {body}, outcome = 'passed' where outcome = 'failed'")
    with monkeypatch.context() as bug:
        bug.setattr(chunks, "_told", lambda document, duplicates: {"access": [], "also_at": []})
        assert project.ingest().decision.status == "held"  # type: ignore[union-attr]
    untouched(project, before)


def test_an_acceptance_that_nobody_gave_does_not_count(project: Project) -> None:
    before = project.visible()
    (project.root / "contracts" / "machines.yaml").unlink()
    (project.root / "sources" / "animals" / "newt.md").unlink()
    assert project.ingest().decision.status == "held"  # type: ignore[union-attr]
    edited(project, "update changes set accepted_at = '2026-01-01 00:00:00', actor = 'nobody', reason = 'why not'")
    assert project.ingest().decision.status == "held"  # type: ignore[union-attr]
    untouched(project, before)
    (change,) = project.home.catalog.changes("machines")
    assert change.accepted_at is None
    project.home.catalog.accept_change("machines", change.change, "tester", "retired")
    assert project.ingest().decision.status == "published"  # type: ignore[union-attr]


def test_a_refused_release_that_somebody_made_live_is_not_served(refusing: Project) -> None:
    refusing.ingest()
    edited(
        refusing,
        "update releases set status = 'live', published_at = created_at where revision = 2",
        "update pointer set live = 2, head = 2",
    )
    home = refusing.home
    with pytest.raises(ReleaseUntrusted):
        open_release(home, home.catalog.resolve(None))


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_publish_that_is_killed_is_whole_or_did_not_happen(project: Project, unmeasured_env: Mapping[str, str], moment: str) -> None:
    before = project.visible()
    env = {**unmeasured_env, **environment(project), "PYTHONPATH": os.pathsep.join([str(ROOT), unmeasured_env.get("PYTHONPATH", "")])}
    done = subprocess.run([sys.executable, "-m", "tests.gates.killed_publish", moment], cwd=ROOT, env=env, timeout=250, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr[-2000:]
    untouched(project, before)
    outcome = project.ingest()
    assert outcome.success
    assert project.found("crested newt ponds")[0] == "animals:newt.md"
    assert [r.status for r in project.home.catalog.releases()] == ["live", "rejected", "retired"]
