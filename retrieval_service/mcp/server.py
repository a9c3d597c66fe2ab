"""The tools behind the SDK's server. Imported when the first request comes: the SDK takes half a second to import."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator

from mcp import MCPError, types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from pydantic import ValidationError
from starlette.requests import Request

from retrieval_service.mcp import words
from retrieval_service.mcp.given import Given
from retrieval_service.mcp.tools import INSTRUCTIONS, Tool, all_tools
from retrieval_service.problems import describe
from retrieval_service.telemetry import Telemetry
from search_index.errors import PlumblineError

Context = ServerRequestContext[dict[str, object]]


def build_server(given_for: Callable[[Request | None], Given]) -> Server[dict[str, object]]:
    """A server of every tool; ``given_for`` says what a call is given, by the HTTP request it came in (None: there is none).

    What goes wrong inside a tool is an answer marked as an error, with what and remedy, so that a model can mend its call. A tool
    that does not exist is an error of the protocol.
    """
    tools = all_tools()
    listed = types.ListToolsResult(tools=[_described(tool) for tool in tools.values()])

    async def list_tools(_: Context, __: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        return listed

    async def call_tool(context: Context, asked: types.CallToolRequestParams) -> types.CallToolResult:
        tool = tools.get(asked.name)
        if tool is None:
            raise MCPError(types.INVALID_PARAMS, f"There is no such tool. There are {', '.join(tools)}.")
        request = context.request if isinstance(context.request, Request) else None
        return await _answer(tool, asked, given_for(request))

    return Server(
        "plumbline",
        version="1",
        title="Plumbline",
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        get_tool_input_schema=lambda name: tools[name].input_schema if name in tools else None,
    )


async def _answer(tool: Tool, asked: types.CallToolRequestParams, given: Given) -> types.CallToolResult:
    log = given.telemetry.log
    try:
        said = await tool.call(asked.arguments or {}, given)
    except ValidationError as invalid:
        log.info("tool", tool=tool.name, outcome="invalid-request", request_id=given.request_id)
        return _failed(words.of_invalid(tool.name, invalid))
    except PlumblineError as error:
        what = {"what": error.what} if error.status >= 500 else {}
        log.info("tool", tool=tool.name, outcome=error.slug, request_id=given.request_id, **what)
        return _failed(words.of_problem(error, given.principal))
    except Exception as defect:  # noqa: BLE001 - the SDK would answer with its message, which may quote a document
        log.error("defect", tool=tool.name, request_id=given.request_id, **describe(defect))
        return _failed(f"internal: A defect of the service. Report the request id {given.request_id}, under which its log has more.")
    log.info("tool", tool=tool.name, outcome="answered", request_id=given.request_id)
    return types.CallToolResult(content=[types.TextContent(text=said.text)], structured_content=said.structured)


def _failed(says: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(text=says)], is_error=True)


def _described(tool: Tool) -> types.Tool:
    return types.Tool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=tool.input_schema,
        output_schema=tool.output_schema,
        annotations=types.ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False),
    )


class _Discreet(logging.Handler):
    """Says where the SDK complained and never what: its messages may quote what somebody asked."""

    def __init__(self, telemetry: Telemetry) -> None:
        super().__init__(logging.WARNING)
        self._telemetry = telemetry

    def emit(self, record: logging.LogRecord) -> None:
        """One line in the service's log."""
        error = record.exc_info[1] if record.exc_info else None
        self._telemetry.log.warning("mcp", logger=record.name, line=record.lineno, **(describe(error) if error is not None else {}))


@contextlib.contextmanager
def discreet(telemetry: Telemetry) -> Iterator[None]:
    """While it lasts, what the SDK logs goes to the service's log, without its words."""
    logger, handler = logging.getLogger("mcp"), _Discreet(telemetry)
    before = logger.propagate
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = before
