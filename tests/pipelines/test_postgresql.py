"""A home whose catalog and Dagster's records are in PostgreSQL: one ingest from the command line, and what is in which tables."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from sqlalchemy import make_url

from pipelines.dagster_home import dagster_environment, dagster_home
from search_index.settings import Settings
from tests.postgresql import PASSWORD, PostgreSQL
from tests.project import ANIMALS, Project


def configured(settings: Settings) -> dict[str, object]:
    found = yaml.safe_load((dagster_home(settings) / "dagster.yaml").read_text())
    assert isinstance(found, dict)
    return found


@pytest.mark.slow
def test_an_ingest_keeps_all_its_records_in_the_database(
    tmp_path: Path, models_dir: Path, postgresql: PostgreSQL, unmeasured_env: dict[str, str]
) -> None:
    project = Project(tmp_path)
    project.source("animals", ANIMALS)
    url = postgresql.database()
    environment = unmeasured_env | {
        "PLUMBLINE_HOME": str(project.settings.root),
        "PLUMBLINE_CONTRACTS": str(tmp_path / "contracts"),
        "PLUMBLINE_DATABASE_URL": url,
    }
    for expected in ("published", "unchanged"):
        command = [sys.executable, "-m", "plumbline.cli", "ingest", "--json"]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["status"] == expected
    with postgresql.connected(str(make_url(url).database)) as connection:
        runs = connection.execute("select status, count(*) from public.runs group by status").fetchall()
        assert runs == [("SUCCESS", 2)]
        steps = connection.execute(
            "select count(distinct step_key) from public.event_logs where dagster_event_type = 'ASSET_MATERIALIZATION'"
        ).fetchone()
        assert steps is not None
        assert int(str(steps[0])) >= 6
        assert connection.execute("select live, head from plumbline_catalog.pointer").fetchall() == [(1, 1)]
        text = connection.execute("select count(*) from public.event_logs where event like '%eels at dusk%'").fetchone()
        assert text == (0,), "no text of a document is in Dagster's records"
    home = project.settings.root
    assert not list(home.rglob("*.db"))
    assert not [path for path in home.rglob("*") if path.is_file() and PASSWORD.encode() in path.read_bytes()]
    searched = [sys.executable, "-m", "plumbline.cli", "search", "which animal hunts eels", "--json"]
    answer = json.loads(subprocess.run(searched, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True).stdout)
    assert answer["hits"][0]["uri"] == "animals:otter.md"


def test_dagsters_configuration_follows_the_catalog_unless_somebody_wrote_another(tmp_path: Path) -> None:
    in_sqlite = Settings(home=tmp_path)
    in_postgresql = in_sqlite.model_copy(update={"database_url": "postgresql+psycopg://user:hush@host/database"})
    assert configured(in_sqlite)["event_log_storage"] == {"module": "pipelines.dagster_storage", "class": "EventLog"}
    configuration = configured(in_postgresql)
    assert configuration["storage"] == {"postgres": {"postgres_url": {"env": "PLUMBLINE_DAGSTER_URL"}}}
    assert "event_log_storage" not in configuration
    assert dagster_environment(in_postgresql)["PLUMBLINE_DAGSTER_URL"] == "postgresql://user:hush@host/database"
    elsewhere = in_postgresql.model_copy(update={"dagster_url": "postgresql://another/database"})
    assert dagster_environment(elsewhere)["PLUMBLINE_DAGSTER_URL"] == "postgresql://another/database"
    assert "hush" not in (tmp_path / "dagster" / "dagster.yaml").read_text()
    assert "storage" not in configured(in_sqlite)
    (tmp_path / "dagster" / "dagster.yaml").write_text("telemetry:\n  enabled: true\n")
    assert configured(in_postgresql) == {"telemetry": {"enabled": True}}
