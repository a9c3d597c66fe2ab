"""Every page of the command line says at its foot that gates are overridden or publishing is frozen, and counts only what was signed."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from plumbline.cli.runner import run
from search_index.home import Home
from search_index.settings import Settings


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home in which nothing is published."""
    monkeypatch.setenv("PLUMBLINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PLUMBLINE_CONTRACTS", str(tmp_path / "contracts"))
    monkeypatch.setenv("PLUMBLINE_PORT", "1")
    home = Home(Settings())
    assert home.catalog.pointer().live is None
    return home


PAGES = [["releases", "list"], ["status"], ["sources", "list"], ["doctor"]]


@pytest.mark.parametrize("words", PAGES, ids=" ".join)
def test_a_page_says_what_stands(home: Home, capfd: pytest.CaptureFixture[str], words: list[str]) -> None:
    assert run(["releases", "override", "--reason", "ticket 4711", "--checks", "golden_floor"]) == 0
    assert run(["releases", "freeze", "--reason", "moving house"]) == 0
    capfd.readouterr()
    run(words)
    said = capfd.readouterr().err
    assert "OVERRIDE: gates are overridden (golden_floor) by" in said
    assert "ticket 4711. To end it: plumbline releases revoke" in said
    assert "FROZEN: publishing is frozen by" in said
    run([*words, "--json"])
    out, err = capfd.readouterr()
    json.loads(out)
    assert "OVERRIDE" in err


def test_releases_tell_it_to_programs_too(home: Home, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["releases", "override", "--reason", "ticket 4711", "--hours", "1"]) == 0
    capfd.readouterr()
    run(["releases", "list", "--json"])
    document = json.loads(capfd.readouterr().out)
    assert document["override"]["reason"] == "ticket 4711"
    assert document["frozen"] is None


def test_an_edited_override_is_not_shown_as_one_but_as_edited(home: Home, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["releases", "override", "--reason", "ticket 4711", "--checks", "golden_floor"]) == 0
    with sqlite3.connect(home.settings.root / "catalog.db") as connection:
        connection.execute("update overrides set body = replace(body, 'golden_floor', 'index_reconciled')")
    capfd.readouterr()
    run(["status"])
    out, err = capfd.readouterr()
    assert "OVERRIDE" not in err
    assert "does not count" in out
    assert "somebody edited the catalog" in out


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (["--hours", "25"], "24"),
        (["--hours", "0"], "24"),
        (["--checks", "golden_flor"], "golden_flor"),
        (["--checks", "access_on_every_point"], "cannot be overridden"),
        (["--checks", " , "], "names no check"),
    ],
    ids=["too long", "no time", "a slip", "who may read", "none"],
)
def test_what_cannot_be_overridden_is_said_at_once(home: Home, capfd: pytest.CaptureFixture[str], options: list[str], names: str) -> None:
    assert run(["releases", "override", "--reason", "x", *options]) == 2
    assert names in capfd.readouterr().err
    assert home.catalog.override(home.signing_key()) is None


def test_a_freeze_is_lifted_by_resume_also_before_anything_is_published(home: Home, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["releases", "freeze", "--reason", "moving house"]) == 0
    assert run(["releases", "freeze", "--reason", "again", "--json"]) == 0
    assert json.loads(capfd.readouterr().out.split("releases resume\n")[-1])["changed"] is False
    assert run(["releases", "resume", "--reason", "done"]) == 0
    assert home.catalog.frozen() is None
    capfd.readouterr()
    assert run(["releases", "resume"]) == 0
    assert "nothing" in capfd.readouterr().out.lower()


def test_vacuum_deletes_what_no_release_needs_and_says_it_before(home: Home, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["releases", "vacuum"]) == 0
    assert "nothing to delete" in capfd.readouterr().out
    adapter = home.settings.adapters_dir / f"{'ab' * 32}.npy"
    adapter.parent.mkdir()
    adapter.write_bytes(bytes(1000))
    assert run(["releases", "vacuum", "--dry-run", "--json"]) == 0
    planned = json.loads(capfd.readouterr().out)
    assert (planned["adapters"], planned["bytes"], planned["deleted"]) == ({"ab" * 32: 1000}, 1000, False)
    assert adapter.exists()
    assert run(["releases", "vacuum"]) == 0
    assert not adapter.exists()
