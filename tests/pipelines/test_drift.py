"""A real home whose source changes in ways that no gate stops: each family says what moved, people are told, and nothing else happens."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import numpy as np
import pytest
from dagster._core.events import DagsterEvent, DagsterEventType

from pipelines.alerts.messages import undelivered
from pipelines.alerts.sending import alert_drift
from pipelines.automation.looking import still_looks
from pipelines.automation.starting import DEAD_AFTER_S, OVERSIGHT, end_dead_runs
from pipelines.definitions import build_definitions
from pipelines.reports.baseline import SourceRows, baseline_of
from pipelines.reports.drift import FAMILIES, compare, drift_of
from pipelines.resources import ReadingResource
from pipelines.show.drift import check_name, check_results, drift_metadata
from pipelines.workspace import LogProgress, Workspace
from quality_checks.drift_resampling import terms_of
from search_index.lease import Lease
from search_index.settings import Settings
from tests.conftest import ROOT
from tests.project import Project, copied

AT = datetime(2026, 3, 2, 5, 30, tzinfo=UTC)
NOWHERE = "http://127.0.0.1:9/hook"
"""Nobody listens there, so what is sent stays in the outbox."""
_ENGLISH = (
    "letter delivery harbour customs invoice cargo vessel port schedule captain warehouse freight container insurance loading crane "
    "berth tide pilot clearance manifest weather delay"
).split()
_GERMAN = (
    "Küche Rezept Suppe Zwiebel Butter kochen rühren Löffel Topf Herd Gewürz Salz Pfeffer backen Teig Ofen Mehl Zucker schneiden "
    "servieren Teller Gast Abendessen Kartoffel"
).split()


def letter(seed: int) -> str:
    drawing = random.Random(seed)
    said = [f"The {' and the '.join(drawing.sample(_ENGLISH, 3))} were with us before it was noon." for _ in range(4)]
    return f"# Letter {seed}\n\n{' '.join(said)}\n"


def recipe(seed: int) -> str:
    drawing = random.Random(seed)
    said = [f"Die {' und die '.join(drawing.sample(_GERMAN, 3))} sollen wir noch nicht auf den Tisch stellen." for _ in range(12)]
    return f"# Rezept {seed}\n\n{' '.join(said)}\n"


def workspace_of(project: Project, **changed: object) -> Workspace:
    return Workspace(project.settings.model_copy(update=changed), LogProgress(lambda _: None))


@pytest.fixture(scope="module")
def _drifted_once(tmp_path_factory: pytest.TempPathFactory, _published_once: Path) -> Path:
    project = Project(copied(_published_once, tmp_path_factory.mktemp("drifted") / "project"))
    staff = "  - role: everyone\n    access: read\n  - role: staff\n    access: read\n"
    folder = project.source(
        "letters", {f"{n:02}.md": letter(n) for n in range(60)}, lambda text: text.replace("  - role: everyone\n    access: read\n", staff)
    )
    assert project.ingest(["letters"]).success
    for n in range(26):
        (folder / f"{n:02}.md").write_text(recipe(n))
    contract = project.root / "contracts" / "letters.yaml"
    contract.write_text(contract.read_text().replace("  - role: staff\n    access: read\n", "").replace("version: 1.0.0", "version: 1.0.1"))
    assert project.ingest(["letters"]).decision.held == {}  # type: ignore[union-attr]
    return project.root


@pytest.fixture
def drifted(_drifted_once: Path, tmp_path: Path) -> Project:
    """Three releases; between the last two, four letters of ten became German recipes, and staff may read them no more."""
    return Project(copied(_drifted_once, tmp_path / "project"))


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def the_job(project: Project, monkeypatch: pytest.MonkeyPatch, name: str) -> dg.JobDefinition:
    monkeypatch.setenv("PLUMBLINE_HOME", str(project.settings.root))
    monkeypatch.setenv("PLUMBLINE_CONTRACTS", str(project.root / "contracts"))
    monkeypatch.setenv("PLUMBLINE_WEBHOOK_URL", NOWHERE)
    return build_definitions(project.settings).resolve_job_def(name)


@dataclass(frozen=True)
class Told:
    kind: str
    subject: str
    what: str
    drifted: list[str]


def told(project: Project) -> list[Told]:
    messages = undelivered(project.settings.model_copy(update={"webhook_url": NOWHERE}))
    bodies = [json.loads(message.body) for message in messages]
    return [Told(b["type"], b["data"]["subject"], b["data"]["what"], sorted(b["data"]["facts"]["drifted"])) for b in bodies]


@pytest.mark.slow
def test_what_moved_is_told_family_by_family_and_nothing_else_happens(
    drifted: Project, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = the_job(drifted, monkeypatch, "drift_daily_job")
    lease = Lease(drifted.settings.root)
    lease.acquire(wait_s=0, waiting=lambda _: None)
    try:
        result = job.execute_in_process(instance=instance)
    finally:
        lease.release()
    checks = {(c.asset_key.path[0], c.check_name): c for c in result.get_asset_check_evaluations()}
    assert {c.severity for c in checks.values()} == {dg.AssetCheckSeverity.WARN}
    of_letters = {name for (source, name), check in checks.items() if source == "letters" and not check.passed}
    assert of_letters == {check_name(f) for f in ("lengths", "languages", "vocabulary", "vectors", "access", "volume")}
    assert not [check for (source, _), check in checks.items() if source not in ("letters", "query_drift") and not check.passed]

    shown = result.asset_materializations_for_node("letters__drift")[0].metadata
    assert (shown["live"].value, shown["baseline"].value) == (3, 2)
    assert "| tokens a passage |" in str(shown["comparison"].value)
    assert all("data:image/png;base64," in str(shown[plot].value) for plot in ("effects", "lengths", "languages"))
    told_of = json.dumps([str(value.value) for value in shown.values()] + [f"{c.description} {c.metadata}" for c in checks.values()])
    assert not [word for word in (*_GERMAN, "harbour", "otter") if word in told_of], "no text of a document is shown"

    (alert,) = told(drifted)
    assert (alert.kind, alert.subject) == ("plumbline.drift", "letters")
    assert alert.what == "letters drifted: access, languages, lengths, vectors, vocabulary, volume."
    assert drifted.home.catalog.pointer().live == 3
    assert len(drifted.home.catalog.releases()) == 3

    assert job.execute_in_process(instance=instance).success
    assert len(told(drifted)) == 1, "what is still so is not told again"


@pytest.mark.slow
def test_evidence_states_sizes_effect_p_value_and_power(drifted: Project) -> None:
    found = drift_of(workspace_of(drifted), "letters", AT)
    (languages,) = [shift for shift in found.shifts if shift.measure == "documents by language"]
    assert found.findings["languages"].evidence == {"shifts": [languages.evidence()]}
    assert (languages.before, languages.now, languages.drifted, languages.blind) == (60, 60, True, True)
    assert 0.4 < languages.effect < 0.7
    assert languages.p_value < 1e-5
    assert languages.detectable is not None
    assert 0.3 < languages.detectable < 0.5
    assert found.findings["access"].evidence["lost"] == ["staff"]
    assert found.findings["volume"].evidence["documents_now"] == 60
    assert found.findings["model"].evidence["rows"] == 16


@pytest.mark.slow
def test_a_source_that_did_not_change_is_steady(drifted: Project) -> None:
    found = drift_of(workspace_of(drifted), "animals", AT)
    assert found.findings.keys() == FAMILIES.keys()
    assert found.drifted == {}
    assert (found.live, found.baseline) == (3, 1)


@pytest.mark.slow
def test_the_baseline_is_old_enough_and_else_the_oldest_that_holds_the_source(drifted: Project) -> None:
    with sqlite3.connect(drifted.settings.root / "catalog.db") as catalog:
        for revision, days in ((1, 30), (2, 8)):
            at = (datetime.now(UTC) - timedelta(days=days)).isoformat(sep=" ").removesuffix("+00:00")
            catalog.execute("update releases set published_at = ? where revision = ?", (at, revision))
    catalog.close()

    def chosen(source: str, days: int) -> int | None:
        home = workspace_of(drifted, drift_baseline_days=days).home
        found = baseline_of(home, home.catalog.release(3), source)
        return found.revision if found else None

    assert [chosen("animals", days) for days in (7, 20, 60)] == [2, 1, 1]
    assert [chosen("letters", days) for days in (7, 20, 60)] == [2, 2, 2]
    assert chosen("nowhere", 7) is None


@pytest.mark.slow
def test_a_model_that_is_not_here_any_more_is_drift_of_the_model(drifted: Project, tmp_path: Path) -> None:
    found = drift_of(workspace_of(drifted, models=tmp_path / "none"), "animals", AT)
    assert list(found.drifted) == ["model"]
    assert "is not in" in found.drifted["model"]


def test_a_home_where_nothing_is_published_says_so(project: Project) -> None:
    found = drift_of(workspace_of(project), "animals", AT)
    assert (found.live, found.findings) == (None, {})
    assert drift_metadata(found)["comparison"].value == "Not compared: nothing is published yet."
    results = check_results(found, dg.AssetKey(["animals", "drift"]))
    assert len(results) == len(FAMILIES)
    assert {(r.passed, r.severity, r.description) for r in results} == {
        (False, dg.AssetCheckSeverity.WARN, "Not compared: nothing is published yet.")
    }


def test_without_an_older_release_only_what_needs_none_is_judged(published: Project) -> None:
    found = drift_of(workspace_of(published), "animals", AT)
    assert found.findings.keys() == {"freshness", "model"}
    assert "no release before 1 is kept" in str(drift_metadata(found)["comparison"].value)
    assert drift_of(workspace_of(published), "nowhere", AT).missing == "release 1 holds nothing of it"


def test_a_group_that_gained_the_source_is_named() -> None:
    none = np.empty(0)
    before = SourceRows(0, 10, none, none, none, Counter(), Counter(staff=10), terms_of([]), np.empty((0, 0), np.float32))
    found = compare(before, replace(before, groups=Counter(staff=10, everyone=10))).findings
    assert [family for family, finding in found.items() if finding.problem] == ["access"]
    assert found["access"].evidence["gained"] == ["everyone"]


def test_drift_is_told_again_when_it_is_another(project: Project) -> None:
    settings = project.settings.model_copy(update={"webhook_url": NOWHERE})
    said: list[str] = []
    for drifted in ({"volume": "a"}, {"volume": "b"}, {"volume": "b", "access": "c"}, {}, {}, {"volume": "a"}):
        alert_drift(settings, "animals", "animals/drift", drifted, said.append)
    alert_drift(project.settings, "animals", "animals/drift", {"lengths": "nobody is to be told"}, said.append)
    assert [alert.drifted for alert in told(project)] == [["volume"], ["access", "volume"], ["volume"]]


def test_the_page_explains_every_check() -> None:
    page = (ROOT / "docs" / "drift.md").read_text()
    assert all(f"| `{check_name(family)}` |" in page for family in FAMILIES)


class TestSchedules:
    def test_they_run_by_default_in_utc_and_not_when_another_does(self, project: Project) -> None:
        schedules = {s.name: s for s in build_definitions(project.settings).schedules or ()}
        assert schedules.keys() == {"ingest_daily", "probe_hourly", "drift_daily", "audit_weekly", "evaluation_monthly"}
        assert len({s.cron_schedule for s in schedules.values()}) == len(schedules)  # type: ignore[union-attr]
        assert all(s.execution_timezone == "UTC" for s in schedules.values())  # type: ignore[union-attr]
        assert all(s.default_status == dg.DefaultScheduleStatus.RUNNING for s in schedules.values())

    def test_no_ingest_and_no_automation_takes_them_along(self, project: Project, instance: dg.DagsterInstance) -> None:
        defs = build_definitions(project.settings)
        of_ingest = {key.path[-1] for key in defs.resolve_job_def("ingest").asset_layer.selected_asset_keys}
        assert not of_ingest & OVERSIGHT
        assert {"candidate", "release", "vectors"} <= of_ingest
        graph = defs.resolve_asset_graph()
        assert {key.path[-1] for key in graph.materializable_asset_keys} - of_ingest == OVERSIGHT
        automation = next(s for s in defs.sensors or () if isinstance(s, dg.AutomationConditionSensorDefinition))
        assert not {key.path[-1] for key in automation.asset_selection.resolve(graph)} & OVERSIGHT

    def test_a_home_without_sources_has_them_too(self, tmp_path: Path) -> None:
        empty = Settings(home=tmp_path / "home", contracts=tmp_path / "contracts")
        names = {s.name for s in build_definitions(empty).schedules or ()}
        assert names == {"ingest_daily", "probe_hourly", "drift_daily", "audit_weekly", "evaluation_monthly"}


def test_a_run_that_only_looks_is_taken_for_dead_once_its_process_is(project: Project, instance: dg.DagsterInstance) -> None:
    job = build_definitions(project.settings).resolve_job_def("audit_weekly_job")
    run_id = instance.create_run_for_job(job, tags=dict(job.tags)).run_id
    instance.report_dagster_event(DagsterEvent(DagsterEventType.RUN_START.value, job.name), run_id)
    started = instance.get_run_record_by_id(run_id)
    assert started is not None
    assert started.start_time is not None
    late, running = started.start_time + DEAD_AFTER_S + 1, dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])
    code = "import sys, pipelines.automation.looking as l, search_index.settings as s\n"
    code += "with l.looking(s.Settings(), sys.argv[1]):\n    print('looks', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code, run_id],
        env={**os.environ, "PLUMBLINE_HOME": str(project.settings.root)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"looks\n"
        end_dead_runs(instance, late, project.settings)
        assert instance.get_runs(running)
        process.kill()
        process.wait()
        end_dead_runs(instance, started.start_time + 1, project.settings)
        assert instance.get_runs(running)
        end_dead_runs(instance, late, project.settings)
        assert not instance.get_runs(running)


def test_such_a_run_says_that_it_lives_for_as_long_as_it_has_the_home_open(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUMBLINE_HOME", str(project.settings.root))
    with ReadingResource().yield_for_execution(dg.build_init_resource_context()):
        assert still_looks(project.settings, "none")
    assert not still_looks(project.settings, "none")
