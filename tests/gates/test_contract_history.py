"""A contract's versions: kept with what changed, shown to who asks, and waiting for a person where they let more through."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from plumbline.cli.runner import run as plumbline
from tests.gates.healthy import run
from tests.project import ANIMALS, Project

pytestmark = pytest.mark.slow


@pytest.fixture
def project(tmp_path: Path, models_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """One source, published."""
    made = Project(tmp_path)
    made.source("animals", ANIMALS, lambda text: text + "customProperties:\n  - {property: removalThreshold, value: 0.2}\n")
    assert run(made).decision.status == "published"
    monkeypatch.setenv("PLUMBLINE_HOME", str(made.settings.root))
    monkeypatch.setenv("PLUMBLINE_CONTRACTS", str(tmp_path / "contracts"))
    return made


def edit(project: Project, *changes: tuple[str, str]) -> None:
    path = project.root / "contracts" / "animals.yaml"
    text = path.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)


def test_each_version_is_kept_with_what_it_changed_and_shown(project: Project, capfd: pytest.CaptureFixture[str]) -> None:
    run(project)
    assert len(project.home.catalog.contract_versions("animals")) == 1
    edit(project, ("version: 1.0.0", "version: 1.1.0"), ("value: 0.2", "value: 0.1"))
    ran = run(project)
    assert "contract_version_raised" not in ran.failed("warning")
    capfd.readouterr()
    assert plumbline(["sources", "show", "animals", "--json"]) == 0
    shown = json.loads(capfd.readouterr().out)
    newest, first = shown["contracts"]
    assert (newest["version"], first["version"]) == ("1.1.0", "1.0.0")
    assert newest["changes"] == [{"term": "removal_threshold", "old": 0.2, "new": 0.1}]
    assert newest["breaking"] == []
    assert plumbline(["sources", "show", "animals"]) == 0
    assert "removal_threshold: 0.2 → 0.1" in capfd.readouterr().out


def test_a_laxer_one_waits_until_it_is_acknowledged(project: Project) -> None:
    edit(project, ("version: 1.0.0", "version: 2.0.0"), ("value: 0.2", "value: 0.9"))
    (project.root / "sources" / "animals" / "newt.md").write_text("# The newt\n\nThe crested newt courts in ponds without fish.\n")
    ran = run(project)
    assert ran.decision.status == "held"
    (reason,) = ran.reasons
    assert "lets 90% of the documents vanish at once" in reason
    assert project.home.catalog.contract_versions("animals")[0].breaking == ["lets 90% of the documents vanish at once"]
    (change,) = project.home.catalog.changes("animals")
    project.home.catalog.accept_change("animals", change.change, "tester", "they rotate now")
    assert run(project).decision.status == "published"
    assert project.found("crested newt ponds")[0] == "animals:newt.md"


def test_an_unknown_source_is_named(project: Project, capfd: pytest.CaptureFixture[str]) -> None:
    assert plumbline(["sources", "show", "plants"]) == 2
    assert "plants" in capfd.readouterr().err
