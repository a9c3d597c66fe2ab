"""The job as a module-level function, which is what Dagster wants of a job that is to be run again from where it failed."""

from __future__ import annotations

import dagster as dg

from pipelines.definitions import build_definitions
from search_index.settings import Settings


def ingest_job() -> dg.JobDefinition:
    """The ingest of the home that the environment names."""
    return build_definitions(Settings()).get_repository_def().get_job("ingest")
