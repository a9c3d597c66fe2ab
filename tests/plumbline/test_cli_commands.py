"""The command line before there is anything to search: usage, exit codes, and one JSON document whatever happens."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from plumbline.cli.evaluate import overrides
from plumbline.cli.runner import run
from search_index.errors import WrongUsage
from tests.conftest import ROOT

COMMANDS = [
    *([name] for name in ("ingest", "search", "serve", "mcp", "up", "status", "evaluate", "lineage", "erase", "audit", "doctor")),
    *(["golden", name] for name in ("check", "import", "suggest")),
    *(["releases", name] for name in ("list", "show", "diff", "rollback", "resume", "rebuild")),
    *(
        ["releases", name]
        for name in ("freeze", "override", "revoke", "pin", "unpin", "vacuum", "shadow", "unshadow", "shadow-report", "canary", "uncanary")
    ),
    *(["sources", name] for name in ("list", "accept", "show")),
    *(["keys", name] for name in ("create", "list", "rotate", "revoke")),
]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home that does not exist yet."""
    monkeypatch.setenv("PLUMBLINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PLUMBLINE_PORT", "1")
    return tmp_path / "home"


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example(words: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert run([*words, "--help"]) == 0
    said = capfd.readouterr().out
    assert f"Example: plumbline {' '.join(words)}" in said
    assert "--json" in said


def test_help_alone_lists_the_commands(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    said = capfd.readouterr().out
    assert all(words[0] in said for words in COMMANDS)


@pytest.mark.parametrize(
    ("arguments", "slug", "code", "names"),
    [
        (["serach"], "wrong-usage", 2, "serach"),
        (["search"], "wrong-usage", 2, "QUERY"),
        (["search", "x", "--limit", "0"], "wrong-usage", 2, "--limit"),
        (["search", "   "], "wrong-usage", 2, "query"),
        (["search", "x", "--mode", "fuzzy"], "wrong-usage", 2, "mode"),
        (["search", "x", "--as-of", "yesterday"], "wrong-usage", 2, "yesterday"),
        (["search", "x"], "nothing-published", 1, "home"),
        (["ingest"], "wrong-usage", 2, "contract"),
        (["ingest", "--name", "x"], "wrong-usage", 2, "PATH"),
        (["ingest", "nowhere/at/all"], "wrong-usage", 2, "nowhere/at/all"),
        (["ingest", ".", "--name", "Not A Name"], "wrong-usage", 2, "Not A Name"),
        (["ingest", ".", "--name", "candidate"], "wrong-usage", 2, "candidate"),
        (["ingest", "nosuchscheme://x/y"], "wrong-usage", 2, "nosuchscheme"),
        (["releases", "show", "7"], "nothing-published", 1, "home"),
        (["releases", "rollback", "7"], "nothing-published", 1, "home"),
        (["releases", "freeze"], "wrong-usage", 2, "--reason"),
        (["releases", "freeze", "--reason", "x"], "nothing-published", 1, "home"),
        (["releases", "override", "--hours", "2"], "wrong-usage", 2, "--reason"),
        (["releases", "vacuum"], "nothing-published", 1, "home"),
        (["sources", "accept", "x", "--change", "1"], "wrong-usage", 2, "--reason"),
        (["evaluate", "--dataset", "nowhere"], "wrong-usage", 2, "nowhere"),
        (["evaluate", "--dataset", ".", "--modes", "best"], "wrong-usage", 2, "best"),
        (["evaluate", "--dataset", ".", "--settings", "colour=red"], "wrong-usage", 2, "colour"),
        (["keys", "create", "page"], "wrong-usage", 2, "scope"),
        (["keys", "revoke", "4f09c2a1be"], "nothing-published", 1, "home"),
        (["erase", "docs:a.txt"], "wrong-usage", 2, "not in this version"),
        (["audit"], "wrong-usage", 2, "not in this version"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_mistake_is_named_with_a_remedy_and_its_exit_code(
    home: Path, capfd: pytest.CaptureFixture[str], arguments: list[str], slug: str, code: int, names: str
) -> None:
    assert run(arguments) == code
    out, err = capfd.readouterr()
    assert out == ""
    assert names in err
    assert "Traceback" not in err

    assert run([*arguments, "--json"]) == code
    out, _ = capfd.readouterr()
    error = json.loads(out)["error"]
    assert error["type"] == slug
    assert names in error["what"]
    assert error["remedy"]
    assert not home.exists(), "a mistake makes no home"


def test_looking_makes_no_home(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for words, code in ((["status"], 0), (["doctor"], 0), (["releases", "list"], 0), (["sources", "list"], 0)):
        assert run([*words, "--json"]) == code
        json.loads(capfd.readouterr().out)
        assert run(words) == code
        assert capfd.readouterr().out
    assert not home.exists()


def test_a_setting_that_cannot_be_is_named(home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PLUMBLINE_RETAIN_RELEASES", "many")
    assert run(["status"]) == 2
    assert "PLUMBLINE_RETAIN_RELEASES" in capfd.readouterr().err


def test_a_defect_is_one_line_unless_debugging(home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("the cog\nslipped")

    monkeypatch.setattr("plumbline.cli.settings.load_settings", broken)
    assert run(["status"]) == 1
    err = capfd.readouterr().err
    assert "RuntimeError: the cog slipped" in err
    assert "--debug" in err
    assert "Traceback" not in err
    assert run(["status", "--debug"]) == 1
    assert "Traceback" in capfd.readouterr().err


def test_an_interrupt_leaves_with_130(home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("plumbline.cli.settings.load_settings", interrupted)
    assert run(["status", "--json"]) == 130
    assert json.loads(capfd.readouterr().out)["error"]["type"] == "interrupted"


def test_what_others_write_to_stdout_does_not_spoil_the_document(
    home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from plumbline.cli import settings as module

    real = module.load_settings

    def noisy() -> object:
        sys.stdout.write("from Python\n")
        os.write(1, b"from native code\n")
        subprocess.run(["echo", "from a child"], check=True)
        return real()

    monkeypatch.setattr(module, "load_settings", noisy)
    assert run(["status", "--json"]) == 0
    out, err = capfd.readouterr()
    json.loads(out)
    assert "from native code" in err
    assert "from a child" in err


def test_a_reader_that_goes_away_is_no_error(home: Path) -> None:
    command = f"{sys.executable} -m plumbline.cli --help | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert "Traceback" not in done.stderr


def test_help_and_a_mistake_load_nothing_heavy(child_env: dict[str, str]) -> None:
    heavy = ("dagster", "pyarrow", "numpy", "sqlalchemy", "openvino", "torch", "pandas", "fastapi")
    look = f"import sys; from plumbline.cli.runner import run; run(['--help']); sys.exit(str(sorted(set({heavy!r}) & set(sys.modules))))"
    done = subprocess.run([sys.executable, "-c", look], cwd=ROOT, env=child_env, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr.strip() == "[]"


class TestOverrides:
    def test_values_are_json_where_they_can_be(self) -> None:
        assert overrides(["ranking.dense_weight=0.4", "RANKING__method=rrf", "floor_ndcg=0", "model=x=y"]) == {
            "ranking": {"dense_weight": 0.4, "method": "rrf"}, "floor_ndcg": 0, "model": "x=y",
        }  # fmt: skip

    def test_contradictions_are_refused(self) -> None:
        with pytest.raises(WrongUsage, match="contradicts"):
            overrides(["ranking=1", "ranking.method=rrf"])
