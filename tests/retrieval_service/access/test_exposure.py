from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from retrieval_service.access import is_loopback
from retrieval_service.app import create_app
from retrieval_service.telemetry import Telemetry
from search_index.errors import HomeDamaged, WrongUsage
from search_index.settings import Settings
from tests.retrieval_service.access.conftest import Services, ask, issue, problem
from tests.retrieval_service.fakes import wait_until


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("[::1]", True), ("localhost", True),
        ("0.0.0.0", False), ("::", False), ("", False), ("192.168.1.4", False), ("localhost.example.org", False), ("::ffff:8.8.8.8", False),
    ],
)  # fmt: skip
def test_only_this_machine_is_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def test_without_keys_it_refuses_to_be_reached_from_outside(tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match=r"0\.0\.0\.0.*PLUMBLINE_ALLOW_ANONYMOUS"):
        create_app(Settings(home=tmp_path / "home", host="0.0.0.0"))


def test_allowing_it_is_said_loudly(tmp_path: Path) -> None:
    log = io.StringIO()
    settings = Settings(home=tmp_path / "home", host="0.0.0.0", allow_anonymous=True)
    with TestClient(create_app(settings, telemetry=Telemetry(log))):
        pass
    assert "whoever reaches this address may search what everyone may read" in log.getvalue()
    assert '"level": "warning"' in log.getvalue()


def test_with_a_key_or_an_issuer_it_may_be_reached_from_outside_and_asks_for_one(services: Services) -> None:
    held = issue(services.index)
    with services.client(host="0.0.0.0") as client:
        assert ask(client).status_code == 401
        assert ask(client, held.secret).status_code == 200
    services.client(host="0.0.0.0", oidc_issuer="https://sso.example.org", oidc_audience="x")


def test_an_unreadable_catalog_is_no_reason_to_listen_to_everybody(services: Services) -> None:
    issue(services.index)
    for path in services.index.settings.root.glob("catalog.db-*"):
        path.unlink()
    (services.index.settings.root / "catalog.db").write_bytes(b"no database at all " * 100)
    with pytest.raises(HomeDamaged):
        services.client(host="0.0.0.0")


def test_development_mode_is_said_loudly(services: Services) -> None:
    with services.client():
        pass
    (said,) = [line for line in map(json.loads, services.log.getvalue().splitlines()) if "development mode" in line["event"]]
    assert said["level"] == "warning"
    assert "plumbline keys create" in said["remedy"]
    issue(services.index)
    services.log.truncate(0)
    with services.client():
        pass
    assert "development mode" not in services.log.getvalue()


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.nip.io", "localhost.evil.example", "EVIL.example."])
def test_a_web_page_cannot_have_its_own_name_point_here(services: Services, host: str) -> None:
    with services.client() as client:
        answer = ask(client, Host=host)
        assert (answer.status_code, problem(answer)) == (421, "misdirected")
        held = issue(services.index)
        wait_until(lambda: ask(client).status_code == 401, "the key is not seen")
        assert ask(client, held.secret, Host=host).status_code == 200, "with keys any name will do"


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:8000", "localhost", "localhost:8000", "[::1]:8000", "[::1]", "plumbline", "plumbline:8000", "192.0.2.1", "x.localhost"],
)
def test_names_of_this_machine_are_answered(services: Services, host: str) -> None:
    with services.client() as client:
        assert ask(client, Host=host).status_code == 200
