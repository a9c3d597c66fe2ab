"""Dagster's own folder in the home: what an instance is told at first."""

from __future__ import annotations

from pathlib import Path

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
event_log_storage:
  module: pipelines.dagster_storage
  class: EventLog
retention:
  sensor:
    purge_after_days: {skipped: 1, failure: 30, success: 30}
"""


def dagster_home(settings: Settings) -> Path:
    """The folder for ``DAGSTER_HOME``, made when it is not there; a configuration that an operator wrote is left alone."""
    folder = settings.dagster_home
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "dagster.yaml"
    if not config.exists():
        config.write_text(_CONFIG)
    return folder
