"""``plumbline keys``: the secret on stdout and nowhere else, and mistakes named."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from plumbline.cli.banner import tell_access
from plumbline.cli.runner import run
from plumbline.cli.up_report import gather
from search_index.home import Home
from search_index.model.keys import key_id_of
from search_index.model.release import now
from search_index.settings import Settings

CREATE = ["keys", "create", "page", "--scope", "search"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home that does not exist yet."""
    monkeypatch.setenv("PLUMBLINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PLUMBLINE_CONTRACTS", str(tmp_path / "contracts"))
    monkeypatch.setenv("PLUMBLINE_PORT", "1")
    return tmp_path / "home"


def created(capfd: pytest.CaptureFixture[str], *more: str) -> dict[str, object]:
    assert run([*CREATE, *more, "--json"]) == 0
    document = json.loads(capfd.readouterr().out)
    assert isinstance(document, dict)
    return document


def test_the_secret_is_one_line_on_stdout_and_nothing_else_is(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run([*CREATE, "--group", "board"]) == 0
    said = capfd.readouterr()
    assert re.fullmatch(r"plb_[0-9a-f]{10}_[\w-]{43}\n", said.out)
    assert said.out.strip() not in said.err
    assert "reads everyone, board" in said.err
    assert "first key" in said.err
    assert run(["keys", "list"]) == 0
    listed = capfd.readouterr().out
    assert said.out.strip().rsplit("_", 1)[1] not in listed
    assert all(word in listed for word in ("page", "active", "search", "board"))


def test_a_key_is_of_one_tenant_and_says_so(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert created(capfd)["key"]["tenant"] == "default"  # type: ignore[index]
    assert run(["keys", "list"]) == 0
    assert "tenant" not in capfd.readouterr().out, "where nobody speaks of tenants, nor does the list"
    assert run([*CREATE, "--tenant", "north-sea"]) == 0
    assert "reads everyone of tenant north-sea" in capfd.readouterr().err
    assert run(["keys", "list"]) == 0
    listed = capfd.readouterr().out
    assert "tenant" in listed
    assert "north-sea" in listed
    assert [key.tenant for key in Home(Settings()).catalog.api_keys()] == ["default", "north-sea"]


def test_a_key_is_rotated_listed_and_revoked(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    made = created(capfd, "--expires", "90d", "--rate", "5")
    id = key_id_of(str(made["secret"]))
    assert id is not None
    assert run(["keys", "rotate", id, "--overlap", "1h", "--json"]) == 0
    rotated = json.loads(capfd.readouterr().out)
    assert key_id_of(rotated["secret"]) == id and rotated["secret"] != made["secret"]
    assert rotated["key"]["previous_until"] is not None
    (key,) = Home(Settings()).catalog.api_keys()
    assert key.proven_by(str(made["secret"]), now()) and key.proven_by(rotated["secret"], now())
    assert run(["keys", "rotate", id, "--overlap", "0"]) == 0
    assert "does not work any more" in capfd.readouterr().err
    assert run(["keys", "revoke", id, "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["state"] == "revoked"
    assert run(["keys", "list", "--json"]) == 0
    (shown,) = json.loads(capfd.readouterr().out)
    assert (shown["state"], shown["requests_per_minute"]) == ("revoked", 5)
    assert not [name for name in shown if "sha256" in name]


@pytest.mark.parametrize(
    ("more", "names"),
    [
        (["--expires", "90"], "90"), (["--expires", "soon"], "soon"), (["--expires", "0d"], "expired"), (["--scope", "serach"], "serach"),
        (["--tenant", "North"], "tenant"), (["--tenant", ""], "tenant"),
        (["--group", "*"], "group"), (["--group", ""], "group"), (["--group", "a,b"], "a,b"), (["--rate", "-1"], "negative"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_key_that_cannot_be_makes_no_home(home: Path, capfd: pytest.CaptureFixture[str], more: list[str], names: str) -> None:
    assert run([*CREATE, *more]) == 2
    said = capfd.readouterr()
    assert said.out == ""
    assert names in said.err
    assert not home.exists()


def test_an_unknown_key_is_named(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    created(capfd)
    for words in (["keys", "revoke", "0123456789"], ["keys", "rotate", "0123456789"]):
        assert run(words) == 2
        said = capfd.readouterr().err
        assert "0123456789" in said and "plumbline keys list" in said


def test_without_keys_it_says_so(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["keys", "list"]) == 0
    assert "no keys" in capfd.readouterr().out
    assert not home.exists()


def test_who_is_let_in_without_a_key_is_said_loudly(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    tell_access(Settings())
    assert "DEVELOPMENT MODE" in capfd.readouterr().err
    tell_access(Settings(host="0.0.0.0", allow_anonymous=True))
    assert "ANONYMOUS" in capfd.readouterr().err
    tell_access(Settings(oidc_issuer="https://sso.example.org", oidc_audience="x"))
    assert capfd.readouterr().err == ""
    created(capfd)
    tell_access(Settings())
    assert capfd.readouterr().err == ""


def test_what_up_says_needs_no_key(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    created(capfd)
    facts = gather(Settings())
    assert (facts["release"], facts["examples"]) == (None, [])
