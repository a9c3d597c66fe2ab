"""Asks a service over HTTP as fast as so many connections can, or at a given rate: a process of its own, so that its CPU is apart.

usage: python -m benchmarks.load_generator --port N --path /v1/search --bodies FILE --seconds S (--connections N | --rate R) --out FILE
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import uvloop

MOST_CONNECTIONS = 1000
"""At a rate, a request that no idle connection is there for opens another; beyond so many it is not sent, and counted."""


@dataclass
class Taken:
    """When each answer came (seconds since the beginning), how long it took (milliseconds) and its status; 0 for none."""

    at: list[float] = field(default_factory=list)
    ms: list[float] = field(default_factory=list)
    status: list[int] = field(default_factory=list)
    not_sent: int = 0

    def note(self, at: float, ms: float, status: int) -> None:
        self.at.append(round(at, 4))
        self.ms.append(round(ms, 3))
        self.status.append(status)


class Connection:
    """One keep-alive connection; a lean client, for it shares the CPUs with what it measures."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self.retry_after_s = 0.0
        """What the last answer said of when to ask again."""

    async def ask(self, request: bytes) -> int:
        """The status of the answer, once all of it is read; 0 where the connection broke.

        One that was idle so long that the service closed it is opened again, as every client does.
        """
        opened_before = self._reader is not None
        try:
            if self._reader is None or self._writer is None:
                self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
            self._writer.write(request)
            try:
                head = await self._reader.readuntil(b"\r\n\r\n")
            except (OSError, asyncio.IncompleteReadError) as ended:
                if not opened_before or (isinstance(ended, asyncio.IncompleteReadError) and ended.partial):
                    raise
                self.close()
                return await self.ask(request)
            headers = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if line)
            length, self.retry_after_s = int(headers[b"content-length"]), float(headers.get(b"retry-after", 0))
            await self._reader.readexactly(length)
            return int(head[9:12])
        except (OSError, asyncio.IncompleteReadError, KeyError):
            self.close()
            return 0

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None


def request_of(path: str, body: bytes | None, key: str | None) -> bytes:
    """The bytes of one request: a POST of ``body``, or a GET where there is none."""
    verb = "GET" if body is None else "POST"
    lines = [f"{verb} {path} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json", f"Content-Length: {len(body or b'')}"]
    if key:
        lines.append(f"Authorization: Bearer {key}")
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")


async def closed_loop(port: int, requests: Iterator[bytes], seconds: float, connections: int) -> Taken:
    """Each of so many connections asks again as soon as it is answered, and where it is not let in, after as long as it is told to wait."""
    taken, began = Taken(), time.perf_counter()

    async def ask() -> None:
        connection = Connection(port)
        while (since := time.perf_counter()) - began < seconds:
            status = await connection.ask(next(requests))
            taken.note(since - began, (time.perf_counter() - since) * 1e3, status)
            if status == 503:
                await asyncio.sleep(connection.retry_after_s)
        connection.close()

    await asyncio.gather(*(ask() for _ in range(connections)))
    return taken


async def open_loop(port: int, requests: Iterator[bytes], seconds: float, rate: float) -> Taken:
    """Requests come in at a rate, evenly, whatever became of those before; a request's time counts from when it should have been sent."""
    taken, began = Taken(), time.perf_counter()
    idle: deque[Connection] = deque()
    opened = 0
    under_way: set[asyncio.Task[None]] = set()

    async def ask(connection: Connection, due: float) -> None:
        status = await connection.ask(next(requests))
        taken.note(due, (time.perf_counter() - began - due) * 1e3, status)
        idle.append(connection)

    for number in itertools.count():
        due = number / rate
        if due >= seconds:
            break
        if (ahead := due - (time.perf_counter() - began)) > 0:
            await asyncio.sleep(ahead)
        if not idle and opened >= MOST_CONNECTIONS:
            taken.not_sent += 1
            continue
        if idle:
            connection = idle.pop()
        else:
            connection, opened = Connection(port), opened + 1
        task = asyncio.create_task(ask(connection, due))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
    await asyncio.gather(*under_way)
    for connection in idle:
        connection.close()
    return taken


def main() -> None:
    """Ask, and write what was taken as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", required=True, help="or @FILE, with a path a line")
    parser.add_argument("--bodies", type=Path, help="a JSON body a line; GET where it is not given")
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--connections", type=int)
    parser.add_argument("--rate", type=float, help="requests a second")
    parser.add_argument("--key")
    parser.add_argument("--out", type=Path, required=True, help="where to write what was taken")
    arguments = parser.parse_args()
    if arguments.path.startswith("@"):
        made = [request_of(path, None, arguments.key) for path in Path(arguments.path[1:]).read_text().splitlines()]
    else:
        lines = arguments.bodies.read_bytes().splitlines() if arguments.bodies else [None]
        made = [request_of(arguments.path, line, arguments.key) for line in lines]
    requests = itertools.cycle(made)
    if arguments.rate:
        taken = uvloop.run(open_loop(arguments.port, requests, arguments.seconds, arguments.rate))
    else:
        taken = uvloop.run(closed_loop(arguments.port, requests, arguments.seconds, arguments.connections or 1))
    arguments.out.write_text(json.dumps(vars(taken)))


if __name__ == "__main__":
    main()
