"""A server on loopback that plays a planner model, well or badly."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from pydantic import JsonValue as Json

Misbehave = Callable[[BaseHTTPRequestHandler, threading.Event], None]


@dataclass
class PlannerServer:
    """Answers with ``content``, or as ``misbehave`` does; ``asked`` holds what came."""

    content: Json = None
    misbehave: Misbehave | None = None
    asked: list[dict[str, Json]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["content-length"]))
        self.asked.append(json.loads(body))
        self.keys.append(handler.headers["authorization"])
        if self.misbehave is not None:
            self.misbehave(handler, self.over)
            return
        said = self.content if isinstance(self.content, str) else json.dumps(self.content)
        respond(handler, json.dumps({"choices": [{"message": {"role": "assistant", "content": said}}]}).encode())


def respond(handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str) -> None:
    """One whole response."""
    handler.send_response(status)
    for name, value in {"content-length": str(len(body)), **headers}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


@contextmanager
def playing(server: PlannerServer) -> Iterator[PlannerServer]:
    """The server, listening."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            with suppress(OSError):  # whoever asked has gone
                server.answer(self)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: what is asked is no matter of a log."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        server.url = f"http://127.0.0.1:{listening.server_port}/v1"
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.over.set()
            listening.shutdown()
            thread.join()
