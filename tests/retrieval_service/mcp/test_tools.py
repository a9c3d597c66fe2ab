"""The tools as the SDK's own client meets them: they answer what the routes answer, to the same callers, and no more."""

from __future__ import annotations

import io
import json

import anyio
import httpx2
import pytest
from mcp import MCPError
from mcp.client import Client
from mcp.types import CallToolResult, Tool

from retrieval_service.app import create_app
from retrieval_service.telemetry import Telemetry
from search_index.model.document import document_id
from tests.retrieval_service.access.conftest import bearer, issue
from tests.retrieval_service.mcp.clients import AUTO, LEGACY, Service, ask, inside, text_of
from tests.retrieval_service.real_index import RealIndex
from tests.search_index.answering.corpus import HIDDEN, SECRET

WORDS = "secret golden board"
"""Finds what is hidden, and is not a part of it: an answer repeats its query."""
VOLATILE = ("id", "took_ms", "next")
CALLS: list[tuple[str, dict[str, object]]] = [
    ("search", {"query": "golden part", "limit": 3, "filters": {"sources": ["manual"]}}),
    ("context", {"query": "golden part", "budget": 60}),
    ("fetch_document", {"id": "wiki:10.md", "limit": 2}),
    ("lineage", {"id": "wiki:10.md"}),
]


@pytest.fixture
def service(real: RealIndex, log: io.StringIO) -> Service:
    return lambda: create_app(real.settings, telemetry=Telemetry(log), load=real.load)


@pytest.fixture
def key(real: RealIndex) -> str:
    """May search what everyone may read."""
    return issue(real, ["search"]).secret


def called(service: Service, key: str, name: str, arguments: dict[str, object], mode: str = AUTO) -> CallToolResult:
    async def call(client: Client) -> CallToolResult:
        return await client.call_tool(name, arguments)

    return ask(service, call, key, mode)


def listed(service: Service, key: str) -> dict[str, Tool]:
    async def look(client: Client) -> dict[str, Tool]:
        assert client.instructions is not None and "never an instruction" in client.instructions
        return {tool.name: tool for tool in (await client.list_tools()).tools}

    return ask(service, look, key)


def test_the_tools_say_what_they_take_and_give(service: Service, key: str) -> None:
    tools = listed(service, key)
    assert set(tools) == {"search", "context", "agent_search", "fetch_document", "lineage"}
    assert {"query", "limit", "mode", "filters", "as_of"} <= set(tools["search"].input_schema["properties"])
    assert {"query", "budget"} <= set(tools["context"].input_schema["properties"])
    assert set(tools["fetch_document"].input_schema["properties"]) == {"id", "offset", "limit", "as_of"}
    assert tools["lineage"].input_schema["required"] == ["id"]
    for tool in tools.values():
        assert tool.description and tool.title
        assert tool.input_schema["additionalProperties"] is False
        assert tool.output_schema is not None and tool.output_schema["type"] == "object"
        assert tool.annotations is not None and tool.annotations.read_only_hint


@pytest.mark.parametrize("mode", [AUTO, LEGACY])
def test_a_tool_answers_what_its_route_answers(service: Service, key: str, mode: str) -> None:
    async def both() -> None:
        app = service()
        async with app.router.lifespan_context(app), inside(app, key, mode) as client:
            transport = httpx2.ASGITransport(app)
            async with httpx2.AsyncClient(transport=transport, base_url="http://testserver", headers=bearer(key)) as http:
                routed = [
                    await http.post("/v1/search", json=CALLS[0][1]),
                    await http.post("/v1/context", json=CALLS[1][1]),
                    await http.get("/v1/documents/wiki:10.md", params={"limit": 2}),
                    await http.get("/v1/lineage/wiki:10.md"),
                ]
            for (name, arguments), route in zip(CALLS, routed, strict=True):
                result = await client.call_tool(name, arguments)
                assert not result.is_error, text_of(result)
                there, here = route.json(), dict(result.structured_content)
                for volatile in VOLATILE:
                    assert (volatile in there) == (volatile in here)
                    there.pop(volatile, None), here.pop(volatile, None)
                assert here == there
                assert "10.md" in text_of(result) or "manual:" in text_of(result)

    anyio.run(both)


def test_the_text_says_what_stands_where_and_how_to_go_on(service: Service, key: str) -> None:
    result = called(service, key, "search", {"query": "golden part", "limit": 2})
    said = text_of(result)
    for hit in result.structured_content["hits"]:
        assert f"[{hit['rank']}] " in said and hit["uri"] in said and hit["text"] in said and hit["chunk_id"] in said
    cursor = result.structured_content["next"]
    assert f"cursor={cursor}" in said
    after = called(service, key, "search", {"query": "golden part", "limit": 2, "cursor": cursor})
    assert after.structured_content["hits"][0]["rank"] == 3
    document = text_of(called(service, key, "fetch_document", {"id": "wiki:11.md", "limit": 1}))
    assert "1 of 4 passages. More: offset=1." in document


class TestAccess:
    def everything(self, service: Service, key: str, mode: str = AUTO) -> str:
        """All that the tools can be brought to say about the hidden document and the hidden passage."""
        hidden = HIDDEN[0]
        asked: list[tuple[str, dict[str, object]]] = [
            ("search", {"query": WORDS, "limit": 100}),
            ("search", {"query": WORDS, "limit": 100, "mode": "sparse", "neighbours": 5}),
            ("search", {"query": WORDS, "filters": {"sources": ["boardroom"]}}),
            ("search", {"query": WORDS, "filters": {"metadata": {"verdict": "guilty"}}}),
            ("context", {"query": WORDS, "budget": 5000, "passages": 100}),
            ("agent_search", {"query": WORDS, "limit": 50, "steps": 32}),
            ("fetch_document", {"id": f"boardroom:{hidden.path}"}),
            ("fetch_document", {"id": document_id("boardroom", hidden.path)}),
            ("fetch_document", {"id": f"{HIDDEN[1].source}:{HIDDEN[1].path}"}),
            ("lineage", {"id": f"boardroom:{hidden.path}"}),
            ("lineage", {"id": f"{HIDDEN[1].source}:{HIDDEN[1].path}"}),
        ]

        async def all_of_it(client: Client) -> str:
            answers = [await client.call_tool(name, arguments) for name, arguments in asked]
            return "\n".join(text_of(a) + json.dumps(a.structured_content) for a in answers)

        return ask(service, all_of_it, key, mode).replace(f"boardroom:{hidden.path}", "")  # an error repeats the id that was asked for

    @pytest.mark.parametrize("mode", [AUTO, LEGACY])
    def test_another_groups_passages_are_in_no_tools_answer(self, service: Service, key: str, mode: str) -> None:
        said = self.everything(service, key, mode)
        for leak in (SECRET, "golden secret", "guilty", "hidden.md"):
            assert leak not in said

    def test_they_are_in_the_answers_of_whoever_is_in_the_group(self, service: Service, real: RealIndex) -> None:
        said = self.everything(service, issue(real, ["search"], ["board"]).secret)
        for found in (SECRET, "golden secret part of an open document", "hidden.md"):
            assert found in said

    @pytest.mark.parametrize(
        ("name", "arguments", "scope"),
        [
            ("search", {"query": "golden part", "as_of": 1}, "history"),
            ("context", {"query": "golden part", "as_of": 1}, "history"),
            ("agent_search", {"query": "golden part", "as_of": 1}, "history"),
            ("fetch_document", {"id": "wiki:10.md", "as_of": 1}, "history"),
            ("lineage", {"id": "1"}, "governance"),
        ],
    )
    def test_what_takes_another_scope_takes_it_here_too(
        self, service: Service, real: RealIndex, key: str, name: str, arguments: dict[str, object], scope: str
    ) -> None:
        refused = called(service, key, name, arguments)
        assert refused.is_error and refused.structured_content is None
        assert f"takes the scope `{scope}`" in text_of(refused)
        assert not called(service, issue(real, ["search", scope]).secret, name, arguments).is_error

    def test_two_callers_at_once_each_get_their_own(self, service: Service, real: RealIndex, key: str) -> None:
        board = issue(real, ["search"], ["board"]).secret

        async def both() -> None:
            app = service()
            async with app.router.lifespan_context(app), inside(app, key) as one, inside(app, board) as other:
                for _ in range(5):
                    async with anyio.create_task_group() as tasks:
                        tasks.start_soon(look, one, False)
                        tasks.start_soon(look, other, True)

        async def look(client: Client, found: bool) -> None:
            result = await client.call_tool("search", {"query": WORDS, "limit": 100})
            assert (SECRET in text_of(result)) is found

        anyio.run(both)


class TestErrors:
    def test_a_tool_that_there_is_not(self, service: Service, key: str) -> None:
        async def call(client: Client) -> None:
            with pytest.raises(MCPError, match="There are search, context"):
                await client.call_tool("delete_everything", {})

        ask(service, call, key)

    @pytest.mark.parametrize(
        ("name", "arguments", "says"),
        [
            ("search", {"query": "x", "limit": 0}, "limit: Input should be greater"),
            ("search", {}, "query: Field required"),
            ("search", {"query": "x", "groups": ["board"]}, "groups: Extra inputs are not permitted"),
            ("search", {"query": "x", "filters": {"metadata": {"colour": "red"}}}, "filter-invalid"),
            ("search", {"query": "x", "cursor": "made up"}, "cursor-invalid"),
            ("context", {"query": "x", "budget": 1}, "budget: "),
            ("fetch_document", {"id": "wiki:none.md"}, "not-found: There is no document wiki:none.md"),
            ("lineage", {"id": "wiki:none.md"}, "not-found: "),
        ],
    )
    def test_a_call_that_cannot_be_answered_is_told_why(
        self, service: Service, key: str, name: str, arguments: dict[str, object], says: str
    ) -> None:
        result = called(service, key, name, arguments)
        assert result.is_error
        assert says in text_of(result)

    @pytest.mark.parametrize("mode", [AUTO, LEGACY])
    def test_a_defect_shows_nothing_of_its_inside(
        self, service: Service, key: str, log: io.StringIO, mode: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*_: object) -> None:
            raise RuntimeError("the text of a document")

        monkeypatch.setattr("retrieval_service.routes.search.answer_for", broken)
        result = called(service, key, "search", {"query": "golden part"}, mode)
        assert result.is_error
        request_id = text_of(result).partition("request id ")[2].partition(",")[0]
        defect = next(line for line in map(json.loads, log.getvalue().splitlines()) if line["event"] == "defect")
        assert (defect["request_id"], defect["error"]) == (request_id, "RuntimeError")
        assert "the text of a document" not in text_of(result) + log.getvalue()


def test_a_search_is_logged_like_any_other(service: Service, real: RealIndex, key: str, log: io.StringIO) -> None:
    result = called(service, key, "search", {"query": "golden part"})
    catalog = real.home.catalog
    logged = catalog.logged_query(result.structured_content["id"])
    catalog.close()
    assert (logged.hits, logged.text) == (len(result.structured_content["hits"]), None)
    events = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [e["hits"] for e in events if e["event"] == "search"] == [10]
    assert [(e["tool"], e["outcome"]) for e in events if e["event"] == "tool"] == [("search", "answered")]
    assert "golden part" not in log.getvalue()
