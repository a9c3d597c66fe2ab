"""A deprecated operation says so on every answer, in the headers that standards have for it, and long enough before it goes."""

from __future__ import annotations

import io
from datetime import date, timedelta

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from retrieval_service.app import create_app
from retrieval_service.deprecation import NOTICE, AnnounceDeprecation, Notice, notice_of
from retrieval_service.telemetry import Telemetry
from tests.retrieval_service.fakes import FakeIndex

GOES = Notice(date(2027, 1, 1), date(2027, 7, 1), "POST /v2/search")


@pytest.fixture
def asked() -> TestClient:
    """An app with one operation that goes and one that stays."""
    app = FastAPI()
    app.add_middleware(AnnounceDeprecation)

    @app.get("/v1/old", deprecated=True, openapi_extra=GOES.in_openapi())
    async def old(number: int = 0) -> int:
        return number

    @app.get("/v1/new")
    async def new() -> int:
        return 1

    return TestClient(app)


@pytest.mark.parametrize(("path", "status"), [("/v1/old", 200), ("/v1/old?number=x", 422)])
def test_every_answer_of_it_says_since_when_until_when_and_where_to_read_on(asked: TestClient, path: str, status: int) -> None:
    answer = asked.get(path)
    assert answer.status_code == status
    assert answer.headers["Deprecation"] == "@1798761600"
    assert answer.headers["Sunset"] == "Thu, 01 Jul 2027 00:00:00 GMT"
    assert answer.headers["Link"] == '</openapi.json>; rel="deprecation"; type="application/json"'


@pytest.mark.parametrize("path", ["/v1/new", "/v1/absent"])
def test_nothing_else_says_so(asked: TestClient, path: str) -> None:
    assert not {"deprecation", "sunset", "link"} & asked.get(path).headers.keys()


def test_the_description_says_what_to_use_instead(asked: TestClient) -> None:
    operation = asked.get("/openapi.json").json()["paths"]["/v1/old"]["get"]
    assert (operation["deprecated"], operation["x-sunset"], operation["x-instead"]) == (True, "2027-07-01", "POST /v2/search")


def test_the_notice_is_as_long_as_promised() -> None:
    with pytest.raises(ValueError, match="180 days"):
        Notice(date(2027, 1, 1), date(2027, 1, 1) + NOTICE - timedelta(days=1), "x")


def test_a_route_that_goes_and_does_not_say_when_is_refused() -> None:
    app = FastAPI()

    @app.get("/v1/old", deprecated=True)
    async def old() -> int:
        return 1

    with pytest.raises(ValueError, match="/v1/old is deprecated and does not say"):
        notice_of(app.routes[-1])


def test_the_service_announces_what_of_it_goes(index: FakeIndex) -> None:
    app = create_app(index.settings, telemetry=Telemetry(io.StringIO()), load=index.load)
    app.add_api_route("/health/old", lambda: 1, deprecated=True, openapi_extra=GOES.in_openapi())
    with TestClient(app) as client:
        assert client.get("/health/old").headers["Sunset"] == "Thu, 01 Jul 2027 00:00:00 GMT"
        assert "Sunset" not in client.get("/health/live").headers
