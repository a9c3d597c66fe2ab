"""``plumbline doctor`` names keys that were altered or end soon, and says when the running service was found ill; so does ``status``."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from plumbline.cli import status
from plumbline.cli.doctor_checks import Finding, examine
from plumbline.cli.status_facts import gather
from search_index.home import Home
from search_index.model.keys import KeyTerms
from search_index.model.release import now
from search_index.model.service_probe import ServiceProbe
from search_index.settings import Settings

ILL = ServiceProbe(
    at=now(), reachable=True, revision=3, asked=10, answered=4, problems={"failing": "6 of 10 requests failed (503 overloaded)"}
)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home(Settings(home=tmp_path / "home", contracts=tmp_path / "contracts", port=9))
    made.signing_key()
    _ = made.catalog
    yield made
    made.close()


def found(home: Home, check: str) -> Finding:
    return next(finding for finding in examine(home.settings, deep=False) if finding.check == check)


def key(home: Home, name: str, days: float | None) -> str:
    expires_at = now() + timedelta(days=days) if days is not None else None
    return home.catalog.create_key(KeyTerms(name=name, scopes=["search"], expires_at=expires_at), "ada").key.id


def test_without_keys_all_is_well(home: Home) -> None:
    finding = found(home, "keys")
    assert (finding.ok, finding.says) == (True, "there is no active key")


def test_those_that_end_soon_are_named_and_no_others(home: Home) -> None:
    soon, later, never = key(home, "soon", 13), key(home, "later", 15), key(home, "never", None)
    finding = found(home, "keys")
    assert finding.ok
    assert finding.says.startswith("3 active keys, all as signed; expiring soon: ")
    assert f"{soon} (soon) on {now() + timedelta(days=13):%Y-%m-%d}" in finding.says
    assert later not in finding.says
    assert never not in finding.says


def test_one_that_was_altered_is_a_fault_and_named(home: Home) -> None:
    key(home, "untouched", 100)
    id = key(home, "widened", 100)
    with home.catalog._engine.begin() as connection:
        connection.execute(text("update api_keys set body = replace(body, '\"search\"', '\"admin\"') where id = :id"), {"id": id})
    finding = found(home, "keys")
    assert not finding.ok
    assert f"{id} (widened)" in finding.says
    assert "untouched" not in finding.says
    assert "revoke" in finding.remedy


def test_a_revoked_one_is_nobodys_trouble(home: Home) -> None:
    home.catalog.revoke_key(key(home, "gone", 1), "ada")
    assert found(home, "keys").says == "there is no active key"


def test_what_the_last_probe_met(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    assert found(home, "probes").ok
    home.catalog.add_probe(ILL)
    finding = found(home, "probes")
    assert not finding.ok
    assert "6 of 10 requests failed" in finding.says
    facts = gather(home.settings)
    assert facts.document()["probe"] == ILL.model_dump(mode="json")
    status._show(facts)
    assert capsys.readouterr().out.count("6 of 10 requests failed") == 2, "what it is, and what helps"
    home.catalog.add_probe(ILL.model_copy(update={"problems": {}}))
    assert found(home, "probes").says.endswith("release 3 answered 4 of 10 golden queries")
    status._show(gather(home.settings))
    assert "requests failed" not in capsys.readouterr().out


def test_a_probe_of_yesterday_is_no_fault_of_today(home: Home) -> None:
    home.catalog.add_probe(ILL.model_copy(update={"at": now() - timedelta(days=1)}))
    assert found(home, "probes").ok
    home.catalog.add_probe(ServiceProbe(at=now(), reachable=False, why="nothing answers at http://127.0.0.1:9"))
    assert (found(home, "probes").ok, "nothing answers" in found(home, "probes").says) == (True, True)
