"""Dagster's own folder in the home: what an instance is told at first."""

from __future__ import annotations

from pathlib import Path

from search_index.settings import Settings

# No usage statistics, and no window that asks for an address before the graph can be seen.
_CONFIG = "telemetry:\n  enabled: false\nnux:\n  enabled: false\n"


def dagster_home(settings: Settings) -> Path:
    """The folder for ``DAGSTER_HOME``, made when it is not there; a configuration that an operator wrote is left alone."""
    folder = settings.dagster_home
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "dagster.yaml"
    if not config.exists():
        config.write_text(_CONFIG)
    return folder
