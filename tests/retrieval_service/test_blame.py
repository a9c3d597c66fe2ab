"""Whose failure it is: every failed request is counted under one class, and what answers promise under another."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from retrieval_service.app import create_app
from retrieval_service.blame import ErrorClass, class_of
from search_index.errors import ArmsUnavailable, HomeDamaged, ModelMismatch, PlumblineError
from tests.retrieval_service.fakes import FakeIndex, FakeSearcher, search_body, wait_until


@pytest.fixture
def searchers(index: FakeIndex) -> list[FakeSearcher]:
    """Those that were opened."""
    opened: list[FakeSearcher] = []
    index.prepare = opened.append
    return opened


@pytest.fixture
def served(index: FakeIndex, searchers: list[FakeSearcher]) -> Iterator[TestClient]:
    index.publish()
    app = create_app(index.settings, load=index.load)
    with TestClient(app, client=("127.0.0.1", 50000), raise_server_exceptions=False) as client:
        yield client


def counted(client: TestClient) -> dict[str, float]:
    found = re.findall(r'^plumbline_errors_total\{class="(\w+)"\} (\S+)$', client.get("/metrics").text, re.MULTILINE)
    return {name: float(value) for name, value in found}


@pytest.mark.parametrize(
    ("error", "whose"),
    [
        (ModelMismatch("a", "b"), "model"),
        (ArmsUnavailable("a", "b"), "engine"),
        (HomeDamaged("a", "b"), "engine"),
        (ZeroDivisionError("a defect"), "ours"),
    ],
)
def test_a_search_that_fails_says_whose_failure_it_is(
    served: TestClient, searchers: list[FakeSearcher], error: BaseException, whose: ErrorClass
) -> None:
    searchers[0].error = error
    answer = served.post("/v1/search", json=search_body())
    assert answer.status_code == (error.status if isinstance(error, PlumblineError) else 500)
    assert counted(served) == {whose: 1.0}


def test_a_request_that_makes_no_sense_is_its_callers(served: TestClient) -> None:
    assert served.post("/v1/search", json={}).status_code == 422
    assert served.get("/nowhere").status_code == 404
    assert served.post("/v1/search", json=search_body()).status_code == 200
    assert counted(served) == {"caller": 2.0}


def test_what_passes_by_itself_is_nobodys_fault(index: FakeIndex) -> None:
    index.settings.root.mkdir(parents=True)
    with TestClient(create_app(index.settings, load=index.load), client=("127.0.0.1", 50000)) as client:
        assert client.post("/v1/search", json=search_body()).status_code == 503
        assert counted(client).keys() == {"not_ready"}


def test_a_limit_sheds(index: FakeIndex) -> None:
    assert class_of(503, "overloaded") == class_of(429, "too-many-requests") == "shed"
    assert class_of(200, "") is class_of(304, "") is None
    assert class_of(500, "") == class_of(503, "something new") == "ours"


def test_a_source_lags_as_long_as_it_is_served(served: TestClient, index: FakeIndex) -> None:
    def lags() -> dict[str, float]:
        found = re.findall(r'^plumbline_source_lag_seconds\{source="(\w+)"\} (\S+)$', served.get("/metrics").text, re.MULTILINE)
        return {name: float(value) for name, value in found}

    wait_until(lambda: lags().keys() == {"handbook", "tickets"}, "no source has a lag")
    assert all(0 <= lag < 600 for lag in lags().values())
