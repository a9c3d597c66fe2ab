"""``POST /mcp`` as a request among others: behind the gate, without sessions, and loaded when somebody asks."""

from __future__ import annotations

import json
import logging
import subprocess
import sys

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response

from tests.conftest import ROOT
from tests.retrieval_service.access.conftest import Services, ask, bearer, issue, metric, problem

LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
HEADERS = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}


def post(client: TestClient, secret: str | None = None, body: object = LIST, path: str = "/mcp", **headers: str) -> Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.post(path, content=content, headers={**HEADERS, **(bearer(secret) if secret else {}), **headers}, follow_redirects=False)


def test_it_takes_a_key_with_the_scope_search(services: Services, admin: str) -> None:
    searcher, other = issue(services.index, ["search"]).secret, issue(services.index, ["feedback", "governance", "operate"]).secret
    with services.client() as client:
        assert (post(client).status_code, post(client, "plb_made_up").status_code) == (401, 401)
        refused = post(client, other)
        assert (refused.status_code, problem(refused)) == (403, "forbidden")
        answered = post(client, searcher)
        assert answered.status_code == 200
        assert {tool["name"] for tool in answered.json()["result"]["tools"]} == {
            "search",
            "context",
            "agent_search",
            "fetch_document",
            "lineage",
        }
        assert "Mcp-Session-Id" not in answered.headers
        assert metric(client, admin, 'plumbline_requests_total{method="POST",route="/mcp",status="200"}') == 1


@pytest.mark.parametrize("path", ["/mcp/", "//mcp", "/mcp/mcp", "/MCP", "/mcp%2f", "/./mcp", "/v1/../mcp", "/mcp;x", "/mcp?x=/health/live"])
def test_no_spelling_of_its_path_leads_round_the_gate(services: Services, admin: str, path: str) -> None:
    with services.client() as client:
        assert post(client, path=path).status_code == 401
        assert post(client, "plb_made_up", path=path).status_code == 401


def test_there_are_no_streams_to_get_and_no_sessions_to_delete(services: Services) -> None:
    secret = issue(services.index, ["search"]).secret
    with services.client() as client:
        for method in ("GET", "DELETE", "PUT", "HEAD"):
            answer = client.request(method, "/mcp", headers={**HEADERS, **bearer(secret)})
            assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")


def test_each_message_counts_as_a_request(services: Services) -> None:
    secret = issue(services.index, ["search"]).secret
    with services.client(rate_limit=2) as client:
        assert [post(client, secret).status_code for _ in range(3)] == [200, 200, 429]


def test_a_large_body_is_refused_announced_or_not(services: Services) -> None:
    secret = issue(services.index, ["search"]).secret
    with services.client(max_body=4096) as client:
        announced = post(client, secret, b" " * 5000)
        unannounced = client.post("/mcp", content=iter([b" " * 1024] * 8), headers={**HEADERS, **bearer(secret)})
        assert (problem(announced), problem(unannounced)) == ("body-too-large", "body-too-large")
        assert post(client, secret).status_code == 200


@pytest.mark.parametrize("version", [None, "2025-11-25", "2026-07-28", "1999-01-01", "\x01"])
@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b"[" * 50_000, b'{"a":' * 50_000, b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":[]}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search","arguments":{"query":' + b"[" * 180 + b"]" * 180 + b"}}}",
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search","arguments":{"query":' + b"[" * 800 + b"]" * 800 + b"}}}",
        b'{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage"}', b'{"jsonrpc":"2.0","method":"notifications/cancelled"}', b"\xff\xfe",
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search","arguments":{"query":"\\ud800"}}}',
    ],
    ids=len,
)  # fmt: skip
def test_whatever_is_sent_it_is_answered_and_without_a_defect(services: Services, body: bytes, version: str | None) -> None:
    secret = issue(services.index, ["search"]).secret
    with services.client() as client:
        answer = post(client, secret, body, **({"MCP-Protocol-Version": version} if version else {}))
        assert answer.status_code < 500, answer.text
        assert post(client, secret).status_code == 200
    assert '"defect"' not in services.log.getvalue()


class TestWithoutKeys:
    def test_this_machine_may_ask(self, services: Services) -> None:
        with services.client() as client:
            assert post(client).status_code == 200

    def test_a_name_of_elsewhere_is_misdirected(self, services: Services) -> None:
        with services.client() as client:
            assert post(client, Host="rebound.example.com").status_code == 421

    @pytest.mark.parametrize(
        ("origin", "status"),
        [
            ("http://localhost:6274", 200),
            ("http://127.0.0.1", 200),
            ("https://evil.example", 403),
            ("null", 403),
            ("http://127.0.0.1.evil.example", 403),
            ("", 403),
        ],
    )
    def test_a_web_page_of_elsewhere_is_refused(self, services: Services, origin: str, status: int) -> None:
        with services.client() as client:
            answer = post(client, Origin=origin)
            assert answer.status_code == status
            assert status == 200 or problem(answer) == "origin-refused"

    def test_with_a_key_the_page_does_not_matter(self, services: Services) -> None:
        secret = issue(services.index, ["search"]).secret
        with services.client() as client:
            assert post(client, secret, Origin="https://app.example").status_code == 200


def test_what_the_sdk_logs_is_not_repeated(services: Services, caplog: pytest.LogCaptureFixture) -> None:
    with services.client() as client:
        post(client)
        try:
            raise ValueError("the text of a document")
        except ValueError:
            logging.getLogger("mcp.server.runner").exception("what somebody asked")
    said = services.log.getvalue()
    assert '"logger": "mcp.server.runner"' in said and "ValueError" in said
    assert not any(quoted in said + caplog.text for quoted in ("the text of a document", "what somebody asked"))


def test_what_breaks_inside_the_sdk_does_not_end_the_service(services: Services) -> None:
    secret = issue(services.index, ["search"]).secret

    async def breaks() -> None:
        raise RuntimeError("the text of a document")

    with services.client() as client:
        assert post(client, secret).status_code == 200
        endpoint = next(route.app for route in client.app.routes if getattr(route, "path", "") == "/mcp")  # type: ignore[attr-defined]

        async def begin() -> None:
            endpoint._manager._task_group.start_soon(breaks)

        assert client.portal is not None
        client.portal.call(begin)
        assert [post(client, secret).status_code for _ in range(3)][-1] == 200
        assert ask(client, secret).status_code == 200
    assert '"defect"' in services.log.getvalue()
    assert "the text of a document" not in services.log.getvalue()


def test_starting_the_service_does_not_import_the_sdk(child_env: dict[str, str]) -> None:
    look = "import sys, retrieval_service.app; sys.exit('mcp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", look], cwd=ROOT, env=child_env, timeout=60, check=False).returncode == 0
