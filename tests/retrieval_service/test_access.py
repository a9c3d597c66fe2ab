from __future__ import annotations

import io
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from retrieval_service.access import is_loopback, require
from retrieval_service.app import create_app
from retrieval_service.problems import Forbidden
from retrieval_service.telemetry import Telemetry
from search_index.errors import WrongUsage
from search_index.model.search import Principal
from search_index.settings import Settings


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
    assert "everyone who reaches this address may read everything" in log.getvalue()
    assert '"level": "warning"' in log.getvalue()


def test_a_missing_scope_is_forbidden() -> None:
    with pytest.raises(Forbidden, match="history"):
        require(Principal(name="app", scopes=frozenset({"search"})), "history")
