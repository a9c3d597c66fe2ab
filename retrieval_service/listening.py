"""HTTP as the service reads it from a socket: uvicorn's, with bounds to what it keeps of a request and how long it waits for one."""

from __future__ import annotations

import asyncio
from typing import Final

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LONGEST_HEAD: Final = 65_536
"""Bytes of a request line and its headers, and of what a chunked body has behind it. The parser itself keeps however many come."""
WHOLE_WITHIN_S: Final = 60.0
"""How long a request may take to come in, and a connection may stay without its first one."""
MOST_PIPELINED: Final = 32
"""Requests that wait on one connection for the one before them to be answered."""
_TOO_LARGE: Final = (
    b'{"type":"urn:plumbline:problem:head-too-large","title":"Head too large","status":431,'
    b'"detail":"The request line and its headers are larger than the service reads.","remedy":"Send fewer and shorter headers.",'
    b'"request_id":"-"}'
)


class BoundedHttp(HttpToolsProtocol):
    """One connection. What goes beyond a bound ends it."""

    _in_head = False
    _beside_body = 0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._wait_no_more()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came, and see whether it is a head without an end."""
        self._beside_body += len(data)
        super().data_received(data)
        # A chunk's size takes up to six bytes for one of the body, so what stands beside a body is reckoned against it.
        if self._beside_body > LONGEST_HEAD and not self.transport.is_closing():
            if self._in_head:
                head = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/problem+json\r\nconnection: close\r\n"
                self.transport.write(head + f"content-length: {len(_TOO_LARGE)}\r\n\r\n".encode() + _TOO_LARGE)
            self.transport.close()

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._in_head = True
        self._wait()

    def on_headers_complete(self) -> None:
        """Its head is there.

        Raises:
            HttpParserError: too many requests wait on this connection already.
        """
        self._in_head = False
        self._beside_body = 0
        if len(self.pipeline) >= MOST_PIPELINED:
            raise httptools.HttpParserError("too many requests wait on this connection")
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Some of its body is there."""
        self._beside_body = max(0, self._beside_body - 8 * len(body))
        super().on_body(body)

    def on_message_complete(self) -> None:
        """All of it is there."""
        self._beside_body = 0
        self._wait_no_more()
        super().on_message_complete()

    def _wait(self) -> None:
        self._wait_no_more()
        self._deadline = self.loop.call_later(WHOLE_WITHIN_S, self.transport.close)

    def _wait_no_more(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
