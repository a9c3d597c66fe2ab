"""An ingest killed at any moment: what was live still answers, and the next run ends where an undisturbed one does."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from pipelines.run import dagster_instance
from search_index.lease import Lease
from tests.project import Project, Visible, copied
from tests.warm_start import WarmStart

SHARDS = 3 if int(os.environ.get("PLUMBLINE_ROUNDS", "3")) >= 30 else 1
"""Long runs are shared out among workers."""
NOTHING_LEFT_EVERY = 10
TOO_LATE = "too late: the run had ended"


def home_of(project: Project) -> dict[str, str]:
    return {"PLUMBLINE_HOME": str(project.settings.root), "PLUMBLINE_CONTRACTS": str(project.root / "contracts")}


def change(project: Project) -> None:
    folder = project.root / "sources" / "animals"
    (folder / "otter.md").write_text("# The otter\n\nThe otter was seen by the weir with two cubs and a large perch.\n")
    (folder / "heron.md").unlink()
    (folder / "newt.md").write_text("# The newt\n\nThe crested newt courts in ponds without fish.\n")
    for i in range(12):
        (project.root / "sources" / "machines" / f"part{i}.txt").write_text(f"Part {i} is a bolt of grade {i % 4} kept in drawer {i * 3}.")


def step_of_the_kill(project: Project, runs_before: int) -> str:
    """The step that the killed run was in, from Dagster's own records."""
    with dagster_instance(project.settings) as instance:
        if instance.get_runs_count() == runs_before:
            return "before the run"
        logs = instance.all_logs(instance.get_runs(limit=1)[0].run_id, of_type=None)
    begun = [e.step_key for e in logs if e.dagster_event_type == dg.DagsterEventType.STEP_START]
    ended = [e.step_key for e in logs if e.dagster_event_type == dg.DagsterEventType.STEP_SUCCESS]
    inside = [step for step in begun if step not in ended]
    return f"in {inside[-1]}" if inside else "between steps"


def check_whole(project: Project, before: Visible, after: Visible) -> None:
    """What was live answers; the next run ends where an undisturbed one does, and leaves nothing behind."""
    assert project.home.catalog.pointer().live is not None
    assert project.visible() in (before, after), "neither the release before nor the one after"
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


@pytest.mark.slow
@pytest.mark.parametrize("shard", range(SHARDS))
def test_killed_at_random_moments(
    shard: int,
    tmp_path: Path,
    published: Project,
    unmeasured_env: dict[str, str],
    rounds: int,
    record_property: Callable[[str, object], None],
) -> None:
    project, before = published, published.visible()
    kept = copied(project.root, tmp_path / "kept")
    change(project)
    with WarmStart(unmeasured_env) as warm:
        began = time.monotonic()
        assert warm.ended(warm.start(home_of(project))) == 0
        lasted = time.monotonic() - began
        after = project.visible()
        assert after != before

        random_moment = random.Random(f"moments {shard}")
        killed: Counter[str] = Counter()
        wanted = max(1, rounds // SHARDS)
        for round_ in range(3 * wanted):
            if killed.total() - killed[TOO_LATE] == wanted:
                break
            # The folder keeps its path, so that the sources and with them the ids stay the same.
            shutil.rmtree(project.root)
            copied(kept, project.root)
            with dagster_instance(project.settings) as instance:
                runs_before = instance.get_runs_count()
            change(project)
            victim = warm.start(home_of(project))
            time.sleep(random_moment.uniform(0.0, 0.9) * lasted)
            os.kill(victim, signal.SIGKILL)
            where = step_of_the_kill(project, runs_before) if warm.ended(victim) == -signal.SIGKILL else TOO_LATE
            killed[where] += 1
            lasted *= 0.8 if where == TOO_LATE else 1.0  # the run that was timed had less of the machine
            record_property("killed", json.dumps({where: 1}))
            check_whole(project, before, after)
            (tmp_path / "rounds.txt").write_text(
                f"{killed.total() - killed[TOO_LATE]} of {wanted}: {dict(killed)}\n"
            )  # how far it is, for a person
            if round_ % NOTHING_LEFT_EVERY == 0:
                assert project.ingest().decision.status == "unchanged"  # type: ignore[union-attr]
    assert killed.total() > killed[TOO_LATE], "nothing was killed"
