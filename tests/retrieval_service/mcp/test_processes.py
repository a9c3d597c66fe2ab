"""The SDK's own client against the real service and the real command, over a real index."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import httpx
import pytest
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from search_index.model.keys import KeyTerms
from tests.project import ANIMALS, Project, copied
from tests.retrieval_service.mcp.clients import at, text_of
from tests.retrieval_service.test_end_to_end import serving

pytestmark = pytest.mark.slow
MINUTES = {"minutes.md": "# Minutes\n\nThe board decided to sell the otter enclosure to the harbour authority in spring.\n"}
QUESTION = "what about the otter enclosure"


@pytest.fixture(scope="module")
def _ingested(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Path:
    project = Project(tmp_path_factory.mktemp("mcp"))
    project.source("animals", ANIMALS)
    project.source("minutes", MINUTES, edit=lambda contract: contract.replace("role: everyone", "role: board"))
    assert project.ingest().success
    return project.root


@pytest.fixture
def project(tmp_path: Path, _ingested: Path) -> Project:
    """Animals for everyone, minutes for the board."""
    return Project(copied(_ingested, tmp_path / "project"))


def issued(project: Project, *groups: str) -> str:
    catalog = project.home.catalog
    try:
        return catalog.create_key(KeyTerms(name="test", scopes=["search"], groups=list(groups)), "tester").secret
    finally:
        catalog.close()


async def sees(client: Client, secret: bool) -> None:
    """Each tool answers; the minutes stand in the answers of the board alone."""
    assert {tool.name for tool in (await client.list_tools()).tools} == {"search", "context", "agent_search", "fetch_document", "lineage"}
    found = await client.call_tool("search", {"query": QUESTION})
    packed = await client.call_tool("context", {"query": QUESTION, "budget": 400})
    otter = await client.call_tool("fetch_document", {"id": "animals:otter.md"})
    graph = await client.call_tool("lineage", {"id": found.structured_content["hits"][0]["chunk_id"]})
    for result in (found, packed, otter, graph):
        assert not result.is_error, text_of(result)
    assert "hunts eels at dusk" in text_of(otter)
    for result in (found, packed):
        assert "animals:otter.md" in text_of(result)
        assert ("harbour authority" in text_of(result) + json.dumps(result.structured_content)) is secret
    for name in ("fetch_document", "lineage"):
        result = await client.call_tool(name, {"id": "minutes:minutes.md"})
        assert result.is_error is not secret


def test_over_http_with_a_key_and_not_without(project: Project, child_env: dict[str, str]) -> None:
    plain, board = issued(project), issued(project, "board")

    async def talk(address: str) -> None:
        async with at(address, plain) as client:
            await sees(client, secret=False)
        async with at(address, board, "legacy") as client:
            await sees(client, secret=True)
        for key in (None, "plb_made_up"):
            with pytest.RaisesGroup(pytest.RaisesExc(Exception, match="error response"), flatten_subgroups=True, allow_unwrapped=True):
                async with at(address, key) as client:
                    await client.list_tools()

    with serving(project, child_env) as address:
        anyio.run(talk, address)
        assert httpx.post(f"{address}/mcp", json={}).status_code == 401


def test_over_stdio_by_groups_and_on_to_the_next_release(project: Project, child_env: dict[str, str], tmp_path: Path) -> None:
    errors = tmp_path / "stderr"

    @asynccontextmanager
    async def process(*words: str) -> AsyncIterator[Client]:
        environment = {**child_env, "PLUMBLINE_HOME": str(project.settings.root)}
        parameters = StdioServerParameters(command=sys.executable, args=["-m", "plumbline.cli", "mcp", *words], env=environment)
        with errors.open("a") as log:
            async with Client(stdio_client(parameters, errlog=log)) as client:
                yield client

    async def talk() -> None:
        async with process("--group", "board") as client:
            await sees(client, secret=True)
        async with process() as client:
            await sees(client, secret=False)
            (project.root / "sources" / "animals" / "crane.md").write_text("# The crane\n\nThe crane dances on the moor in March.\n")
            await anyio.to_thread.run_sync(project.ingest)
            with anyio.fail_after(60):
                while "dances on the moor" not in text_of(await client.call_tool("search", {"query": "crane dance"})):  # noqa: ASYNC110
                    await anyio.sleep(0.1)
            assert not (await client.call_tool("search", {"query": "crane dance", "as_of": 1})).is_error
            assert not (await client.call_tool("lineage", {"id": "2"})).is_error

    anyio.run(talk)
    said = errors.read_text()
    assert "Traceback" not in said
    assert "harbour authority" not in said and QUESTION not in said
