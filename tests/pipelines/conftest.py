"""Projects to ingest."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.project import ANIMALS, MACHINES, Project


@pytest.fixture
def project(tmp_path: Path, models_dir: Path) -> Project:
    """Two sources, not ingested yet."""
    made = Project(tmp_path)
    made.source("animals", ANIMALS)
    made.source("machines", MACHINES)
    return made
