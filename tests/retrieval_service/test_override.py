"""While gates are overridden or publishing is frozen, every page of the service says so."""

from __future__ import annotations

import sqlite3

import pytest
from fastapi.testclient import TestClient

from search_index.model.operating import Override
from tests.retrieval_service.fakes import FakeIndex, search_body, wait_until

PAGES = (
    "/v1/releases",
    "/v1/releases/1",
    "/v1/quality",
    "/health/live",
    "/health/ready",
    "/metrics",
    "/",
    "/v1/releases/99",
    "/no-such-page",
)


@pytest.fixture
def override(client: TestClient, index: FakeIndex) -> Override:
    """One that stands, seen by the service."""
    made = index.home.catalog.order_override(["golden_floor"], 2, "ana", "Preise: dringend, ähnlich", index.home.signing_key())
    wait_until(lambda: client.get("/health/ready").json()["override"] is not None, "the override is not seen")
    return made


def test_without_an_override_nothing_is_said(client: TestClient) -> None:
    assert "Plumbline-Override" not in client.get("/v1/releases").headers
    assert client.get("/health/ready").json()["override"] is None


@pytest.mark.parametrize("page", PAGES)
def test_every_answer_says_that_gates_are_overridden(client: TestClient, override: Override, page: str) -> None:
    said = client.get(page).headers["Plumbline-Override"]
    assert said == f"{override.id}; until={override.expires_at:%Y-%m-%dT%H:%M:%SZ}; checks=golden_floor"


def test_a_search_says_it_too_and_the_releases_why(client: TestClient, override: Override) -> None:
    answer = client.post("/v1/search", json=search_body())
    assert answer.status_code == 200
    assert answer.headers["Plumbline-Override"].startswith(override.id)
    for page in ("/v1/releases", "/v1/releases/1", "/health/ready"):
        told = client.get(page).json()["override"]
        assert (told["actor"], told["reason"], told["checks"]) == ("ana", "Preise: dringend, ähnlich", ["golden_floor"])


def test_it_is_no_longer_said_when_it_is_revoked_or_edited(client: TestClient, index: FakeIndex, override: Override) -> None:
    with sqlite3.connect(index.settings.root / "catalog.db") as connection:
        connection.execute("update overrides set body = replace(body, 'golden_floor', 'index_reconciled')")
    wait_until(lambda: "Plumbline-Override" not in client.get("/health/live").headers, "an edited override is still shown")


def test_a_freeze_is_shown_with_who_and_why(client: TestClient, index: FakeIndex) -> None:
    index.home.catalog.freeze("ana", "moving house")
    wait_until(lambda: client.get("/health/ready").json()["frozen"] is not None, "the freeze is not seen")
    for page in ("/v1/releases", "/health/ready"):
        assert client.get(page).json()["frozen"]["reason"] == "moving house"


def test_a_release_says_what_was_overridden_for_it_and_whether_it_is_pinned(client: TestClient, index: FakeIndex) -> None:
    catalog = index.home.catalog
    catalog.record_overridden(1, ["golden_floor: nDCG@10 is 0.1"])
    catalog.pin(1, "ana", "audit")
    for found in (client.get("/v1/releases").json()["releases"][0], client.get("/v1/releases/1").json()):
        assert (found["overridden"], found["pinned"]) == (["golden_floor: nDCG@10 is 0.1"], True)
