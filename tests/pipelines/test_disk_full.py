"""A disk that fills up, for real: a small file system is filled to the last byte."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from search_index.errors import DiskFull
from tests.project import ANIMALS, Project


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 600 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = (
        os.geteuid() == 0 and subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600m", "tmpfs", str(folder)], check=False).returncode == 0
    )
    if not mounted:
        pytest.skip("needs the right to mount a file system of its own: run as root on Linux")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(filler: Path) -> None:
    """Write until nothing more fits."""
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(1 << 20))


def said_by(project: Project) -> str:
    """What an ingest that cannot succeed says."""
    try:
        outcome = project.ingest()
    except DiskFull as error:
        return str(error)
    return "" if outcome.success else " ".join(outcome.failures)


def test_what_is_live_stays_and_nothing_is_lost(small_disk: Path, models_dir: Path) -> None:
    project = Project(small_disk)
    folder = project.source("animals", ANIMALS)
    assert project.ingest().success
    (folder / "newt.md").write_text("# The newt\n\nThe crested newt courts in ponds without fish.\n")
    filler = small_disk / "filler"
    fill(filler)
    assert shutil.disk_usage(small_disk).free == 0
    assert said_by(project).count("full") + said_by(project).count("free") > 0
    filler.unlink()
    assert project.home.catalog.pointer().live == 1
    assert project.found("the otter sleeps in a holt")[0] == "animals:otter.md"
    again = project.ingest()
    assert again.success, again.failures
    assert project.found("crested newt")[0] == "animals:newt.md"
