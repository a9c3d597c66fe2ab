"""A service that asks for keys, over an index made by hand."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response

from retrieval_service.app import create_app
from retrieval_service.telemetry import Telemetry
from search_index.model.keys import IssuedKey, KeyTerms
from search_index.model.release import now
from search_index.settings import Settings
from tests.retrieval_service.fakes import FakeIndex, search_body


def issue(index: FakeIndex, scopes: Sequence[str] = ("search",), groups: Sequence[str] = (), **terms: object) -> IssuedKey:
    """Make a key in the home of ``index``, as ``plumbline keys create`` does."""
    catalog = index.home.catalog
    try:
        return catalog.create_key(KeyTerms.model_validate({"name": "test", "scopes": scopes, "groups": groups, **terms}), "tester")
    finally:
        catalog.close()


class _Past(KeyTerms):
    """Terms that nobody is given: a key that is over from the start."""

    def check(self, at: datetime) -> None:
        """Let it pass."""


def issue_expired(index: FakeIndex) -> IssuedKey:
    """A key whose time is over."""
    catalog = index.home.catalog
    try:
        return catalog.create_key(_Past(name="test", scopes=["search"], expires_at=now() - timedelta(seconds=1)), "tester")
    finally:
        catalog.close()


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def ask(client: TestClient, secret: str | None = None, **headers: str) -> Response:
    """One search."""
    return client.post("/v1/search", json=search_body(), headers={**(bearer(secret) if secret is not None else {}), **headers})


def problem(answer: Response) -> str:
    """The class of problem that was answered."""
    assert answer.headers["content-type"] == "application/problem+json"
    return str(answer.json()["type"]).rpartition(":")[2]


def metric(client: TestClient, secret: str, name: str) -> float:
    """One value of the service's metrics, 0 where it was never counted."""
    lines = client.get("/metrics", headers=bearer(secret)).text.splitlines()
    return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{name} ")), 0.0)


@dataclass
class Services:
    """Makes services over one index, each with settings of its own."""

    index: FakeIndex
    log: io.StringIO = field(default_factory=io.StringIO)

    def client(self, **settings: object) -> TestClient:
        """A service, to be entered; what it logs is in ``log``."""
        made = self.index.settings.model_copy(update=settings)
        return TestClient(create_app(Settings(**made.model_dump()), telemetry=Telemetry(self.log), load=self.index.load))


@pytest.fixture
def services(index: FakeIndex, log: io.StringIO) -> Services:
    """Release 1 is published, and nobody has a key yet."""
    index.publish()
    return Services(index, log)


@pytest.fixture
def admin(services: Services) -> str:
    """The secret of a key that may do everything."""
    return issue(services.index, ["admin"]).secret


@pytest.fixture
def keyed(services: Services, admin: str) -> Iterator[TestClient]:
    """A service that asks for keys."""
    with services.client() as client:
        yield client
