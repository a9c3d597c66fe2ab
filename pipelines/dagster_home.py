"""Dagster's own folder in the home: what an instance is told at first."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import make_url

from search_index.settings import Settings

# No usage statistics, and no window that asks for an address before the graph can be seen. One run at a time, since a home has one
# writer: a second one waits in the queue, where it is seen, and not as a process. Ticks that found nothing to do are of no use
# after a day.
_CONFIG = """\
telemetry:
  enabled: false
nux:
  enabled: false
freshness:
  enabled: true
concurrency:
  runs:
    max_concurrent_runs: 1
run_monitoring:
  enabled: true
  start_timeout_seconds: 300
retention:
  sensor:
    purge_after_days: {skipped: 1, failure: 30, success: 30}
"""
_SQLITE = """\
event_log_storage:
  module: pipelines.dagster_storage
  class: EventLog
"""
# The address is read from the environment when Dagster starts, so that its password is in no file.
_POSTGRESQL = """\
storage:
  postgres:
    postgres_url:
      env: PLUMBLINE_DAGSTER_URL
"""


def dagster_environment(settings: Settings) -> dict[str, str]:
    """What a process that runs Dagster needs in its environment; the folder is made, see ``dagster_home``."""
    url = _dagster_url(settings)
    return {"DAGSTER_HOME": str(dagster_home(settings)), **({"PLUMBLINE_DAGSTER_URL": url} if url else {})}


def dagster_home(settings: Settings) -> Path:
    """The folder for ``DAGSTER_HOME``, made when it is not there; a configuration that an operator wrote is left alone.

    Where the catalog is in PostgreSQL, Dagster keeps its runs, events and schedules in the same database.
    """
    folder = settings.dagster_home
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "dagster.yaml"
    storages = (_POSTGRESQL, _SQLITE) if _dagster_url(settings) else (_SQLITE, _POSTGRESQL)
    wanted, other = (_CONFIG + storage for storage in storages)
    if not config.exists() or _says(config.read_text(), other):
        config.write_text(wanted)
    return folder


def _dagster_url(settings: Settings) -> str | None:
    """Where Dagster's records are in PostgreSQL. Without a driver's name, for its storage knows but one."""
    if settings.dagster_url or not settings.catalog_url.startswith("postgresql"):
        return settings.dagster_url
    return make_url(settings.catalog_url).set(drivername="postgresql").render_as_string(hide_password=False)


def _says(text: str, known: str) -> bool:
    """Whether a configuration is one of ours, in whatever order a version of ours wrote it."""
    import yaml

    try:
        return bool(yaml.safe_load(text) == yaml.safe_load(known))
    except yaml.YAMLError:
        return False
