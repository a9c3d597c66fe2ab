"""Which scope opens which route, and that none is open because somebody forgot it."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.websockets import WebSocketDisconnect

from retrieval_service import problems
from retrieval_service.access import require
from retrieval_service.access.scopes import PARTLY_PUBLIC, PUBLIC, SCOPE_OF, scopes_of
from retrieval_service.deps import PrincipalDep
from retrieval_service.problems import Forbidden
from retrieval_service.telemetry import Telemetry
from search_index.model.keys import SCOPES
from search_index.model.search import Principal
from tests.conftest import ROOT
from tests.retrieval_service.access.conftest import Services, ask, bearer, issue, problem
from tests.retrieval_service.fakes import search_body


def routes_of(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Every method and path pattern the application answers, mounted applications as one."""
    for route in iter_route_contexts(app.routes):
        for method in route.methods or {"GET"}:
            yield method, str(route.path)


def test_every_route_is_public_by_name_or_takes_a_scope(keyed: TestClient) -> None:
    open_ones = {("GET", path) for path in PUBLIC | PARTLY_PUBLIC} | {("HEAD", path) for path in PUBLIC}
    unlisted = {f"{method} {path}" for method, path in routes_of(keyed.app) if (method, path) not in open_ones} - set(SCOPE_OF)  # type: ignore[arg-type]
    assert not unlisted, "give each a line in access/scopes.py and in docs/access.md; until then they take `admin`"


def test_the_table_names_no_route_that_is_not_there_and_no_scope_that_is_not(keyed: TestClient) -> None:
    there = {f"{method} {path}" for method, path in routes_of(keyed.app)}  # type: ignore[arg-type]
    assert set(SCOPE_OF) <= there
    assert set(SCOPE_OF.values()) <= set(SCOPES)


def test_the_documentation_has_the_same_table() -> None:
    written = dict(
        re.findall(r"^\| `((?:GET|POST|PUT|PATCH|DELETE) [^`]+)` \| `(\w+)`", (ROOT / "docs" / "access.md").read_text(), re.MULTILINE)
    )
    assert written == {route.replace(":path", ""): scope for route, scope in SCOPE_OF.items()}


def test_no_route_answers_without_a_credential(keyed: TestClient) -> None:
    for method, path in routes_of(keyed.app):  # type: ignore[arg-type]
        answer = keyed.request(method, re.sub(r"\{[^}]*\}", "1", path))
        if path not in PUBLIC | PARTLY_PUBLIC or method not in ("GET", "HEAD"):
            assert (answer.status_code, problem(answer)) == (401, "unauthorized"), f"{method} {path}"


@pytest.mark.parametrize("route", SCOPE_OF)
def test_a_key_with_every_scope_but_the_one_it_takes_is_forbidden_and_told_which(services: Services, route: str) -> None:
    needed = SCOPE_OF[route]
    others = issue(services.index, [s for s in SCOPES if s not in (needed, "admin")])
    method, path = route.split(" ")
    with services.client() as client:
        answer = client.request(method, re.sub(r"\{[^}]*\}", "1", path), headers=bearer(others.secret))
    assert (answer.status_code, problem(answer)) == (403, "forbidden")
    assert f"`{needed}`" in answer.json()["detail"]
    assert "insufficient_scope" in answer.headers["WWW-Authenticate"]


def test_what_the_table_does_not_list_takes_admin(services: Services, admin: str) -> None:
    plain = issue(services.index, [s for s in SCOPES if s != "admin"])
    client = services.client()
    app = client.app
    assert isinstance(app, FastAPI)
    app.add_api_route("/v1/forgotten", lambda: {"secret": "x"})
    inner = FastAPI()
    inner.add_api_route("/tool", lambda: {"secret": "x"})
    app.mount("/mounted", inner)
    with client:
        for path in ("/v1/forgotten", "/mounted/tool"):
            assert client.get(path).status_code == 401
            assert client.get(path, headers=bearer(plain.secret)).status_code == 403
            assert client.get(path, headers=bearer(admin)).status_code == 200
        assert client.get("/v1/nothing-there", headers=bearer(plain.secret)).status_code == 404


def test_an_older_release_takes_history_and_a_releases_lineage_governance(services: Services) -> None:
    plain, historian = issue(services.index), issue(services.index, ["search", "history"])
    with services.client() as client:
        body = search_body(as_of=1)
        assert client.post("/v1/search", json=body, headers=bearer(plain.secret)).status_code == 403
        assert client.post("/v1/search", json=body, headers=bearer(historian.secret)).status_code == 200
        assert client.get("/v1/lineage/1", headers=bearer(plain.secret)).status_code == 403
        chunk = ask(client, plain.secret).json()["hits"][0]["chunk_id"]
        assert client.get(f"/v1/lineage/{chunk}", headers=bearer(plain.secret)).status_code == 200


def test_a_missing_scope_is_forbidden() -> None:
    with pytest.raises(Forbidden, match="history"):
        require(Principal(name="app", scopes=frozenset({"search"})), "history")


def test_a_request_that_two_lines_match_takes_both(monkeypatch: pytest.MonkeyPatch) -> None:
    assert scopes_of("GET", "/v1/releases/7") == {"governance"}
    assert scopes_of("POST", "/v1/releases/7") == frozenset()
    assert scopes_of("GET", "/V1/RELEASES") == frozenset()


_segment = st.sampled_from(
    ["", ".", "..", "%2e%2e", "%2f", "%00", "v1", "V1", "search", "releases", "1", "lineage", "quality", "metrics", "health",
     "ready", "live", ";a", "?", "#"]
)  # fmt: skip
_path = st.lists(_segment, min_size=1, max_size=6).map(lambda parts: "/" + "/".join(parts))
_method = st.sampled_from(["GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "get", "PROPFIND"])
_header = st.sampled_from(
    ["", "Bearer", "Bearer x", "Basic eDp4", "Bearer plb_0123456789_" + "A" * 43, "Bearer eyJhbGciOiJub25lIn0.e30.", "Negotiate x"]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(method=_method, path=_path, authorization=st.none() | _header)
def test_whatever_is_asked_without_a_valid_credential_is_refused(
    keyed: TestClient, method: str, path: str, authorization: str | None
) -> None:
    headers = {"Authorization": authorization} if authorization is not None else {}
    answer = keyed.request(method, f"http://testserver{path}", headers=headers, follow_redirects=False)
    asked = answer.request.url.path
    if answer.request.method in ("GET", "HEAD") and asked in PUBLIC | PARTLY_PUBLIC:
        return
    assert answer.status_code in (401, 429), (method, asked)


def test_without_the_gate_a_route_lets_nobody_in() -> None:
    app = FastAPI()
    problems.install(app)

    async def route(principal: PrincipalDep) -> str:
        return principal.name

    route.__annotations__["principal"] = PrincipalDep
    app.add_api_route("/", route)
    app.state.telemetry = Telemetry(io.StringIO())
    with TestClient(app) as client:
        assert client.get("/").status_code == 401


def test_nothing_but_http_is_answered(keyed: TestClient, admin: str) -> None:
    with pytest.raises(WebSocketDisconnect) as refused, keyed.websocket_connect("/", headers=bearer(admin)):
        pass
    assert refused.value.code == 1008
