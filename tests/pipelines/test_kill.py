"""An ingest killed at any moment: what was live still answers, and the next run ends where an undisturbed one does."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from search_index.lease import Lease
from tests.project import ANIMALS, MACHINES, Project, Visible


def start(project: Project, env: dict[str, str]) -> subprocess.Popen[bytes]:
    environment = env | {"PLUMBLINE_HOME": str(project.settings.root), "PLUMBLINE_CONTRACTS": str(project.root / "contracts")}
    command = [sys.executable, "-m", "plumbline.cli", "ingest", "--json"]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def change(project: Project) -> None:
    folder = project.root / "sources" / "animals"
    (folder / "otter.md").write_text("# The otter\n\nThe otter was seen by the weir with two cubs and a large perch.\n")
    (folder / "heron.md").unlink()
    (folder / "newt.md").write_text("# The newt\n\nThe crested newt courts in ponds without fish.\n")
    for i in range(12):
        (project.root / "sources" / "machines" / f"part{i}.txt").write_text(f"Part {i} is a bolt of grade {i % 4} kept in drawer {i * 3}.")


def undisturbed(root: Path) -> tuple[Visible, Visible]:
    project = Project(root)
    project.source("animals", ANIMALS)
    project.source("machines", MACHINES)
    project.ingest()
    before = project.visible()
    change(project)
    project.ingest()
    return before, project.visible()


@pytest.mark.slow
def test_killed_at_random_moments(tmp_path: Path, models_dir: Path, child_env: dict[str, str], rounds: int) -> None:
    before, after = undisturbed(tmp_path / "undisturbed")
    project = Project(tmp_path / "killed")
    project.source("animals", ANIMALS)
    project.source("machines", MACHINES)
    project.ingest()
    kept = tmp_path / "kept"
    shutil.copytree(project.root, kept)
    change(project)
    began = time.monotonic()
    whole = start(project, child_env)
    out, err = whole.communicate(timeout=120)
    assert whole.returncode == 0, err.decode()[-2000:] + out.decode()[-2000:]
    lasted = time.monotonic() - began
    assert project.visible() == after

    random_moment = random.Random(7)
    killed = 0
    for round_ in range(max(rounds, 3)):
        # The folder keeps its path, so that the sources and with them the ids stay the same.
        shutil.rmtree(project.root)
        shutil.copytree(kept, project.root)
        change(project)
        victim = start(project, child_env)
        time.sleep(random_moment.uniform(0.05, 1.0) * lasted)
        if victim.poll() is None:
            os.kill(victim.pid, signal.SIGKILL)
            killed += 1
        victim.communicate()

        live = project.home.catalog.pointer().live
        assert live is not None
        shown = project.visible()
        assert shown in (before, after), f"round {round_}: neither the release before nor the one after"
        assert project.search("where does the otter live").hits

        lease = Lease(project.settings.root)
        lease.acquire(wait_s=0, waiting=lambda _: None)
        lease.release()

        outcome = project.ingest()
        assert outcome.success, outcome.failures
        assert project.visible() == after
        home = project.home
        head = home.catalog.release(home.catalog.pointer().head or 0)
        assert head.manifest is not None
        assert home.engine.verify(head.manifest.index, head.revision) == []
        assert home.catalog.abandoned() == []
        assert not [p for p in (project.settings.root / "index").glob("*/*") if "building" in p.name]
        assert project.ingest().decision.status == "unchanged"  # type: ignore[union-attr]
    assert killed
