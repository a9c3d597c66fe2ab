"""Bytes on a real socket: what is no HTTP, HTTP that never ends, and requests that say one length and have another."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import pytest
import uvicorn

from retrieval_service import listening
from retrieval_service.app import _listen
from retrieval_service.listening import LONGEST_HEAD, MOST_PIPELINED, BoundedHttp
from search_index.settings import Settings
from tests.retrieval_service.access.conftest import issue
from tests.retrieval_service.fakes import wait_until
from tests.retrieval_service.fuzzing.conftest import Service, resident_mb
from tests.retrieval_service.fuzzing.judging import Defects
from tests.retrieval_service.real_index import RealIndex

pytestmark = pytest.mark.slow

BODY = b'{"query": "golden part", "limit": 1}'
HEAD = b"POST /v1/search HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
ENDLESS_MB = 24


@pytest.fixture
def port(service: Service, real: RealIndex) -> Iterator[int]:
    """The service listening as ``plumbline serve`` has it listen, on a port of its own."""
    import threading

    listener = _listen(Settings(**(real.settings.model_dump() | {"port": 0})))
    config = uvicorn.Config(
        service(), loop="uvloop", http=BoundedHttp, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=5
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    with listener:
        thread.start()
        wait_until(lambda: server.started, "the service did not start")
        yield listener.getsockname()[1]
        server.should_exit = True
        thread.join(30)
    assert not thread.is_alive()


def say(port: int, *pieces: bytes) -> bytes:
    """Send, and read until the other side closes, or says nothing for a while where it was not asked to close."""
    closes = any(b"Connection: close" in piece for piece in pieces)
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for piece in pieces:
                connection.sendall(piece)
        received = b""
        connection.settimeout(30 if closes else 1.5)
        with contextlib.suppress(ConnectionResetError, TimeoutError):
            while piece := connection.recv(65_536):
                received += piece
        return received


def alive(port: int) -> bool:
    return b"200 OK" in say(port, HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY)


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00" * 200,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\xff" * 300,
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /v1/\xff\xfe HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /v1/releases?\xff=\xff HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
        b"GET http://[::1 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        HEAD + b"Content-Length: 10\r\nContent-Length: 20\r\n\r\n" + BODY,
        HEAD + b"Content-Length: 36\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /metrics HTTP/1.1\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n-1\r\nx\r\n",
        HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        HEAD + b"Content-Length: 5000\r\n\r\n" + BODY,
        HEAD + b"Content-Length: 3\r\nConnection: close\r\n\r\n" + BODY,
        HEAD + b"Content-Length: 99999999999999999999999\r\n\r\n",
        HEAD + b" folded: header\r\n\r\n",
        HEAD + b"Bad Name: x\r\n\r\n",
        HEAD + b"X: \x00\r\n\r\n",
    ],
)
def test_what_is_hardly_http_gets_no_5xx_and_costs_the_next_request_nothing(port: int, sent: bytes, defects: Defects) -> None:
    received = say(port, sent)
    assert b"HTTP/1.1 5" not in received
    assert b"plumbline_requests" not in received, "a request was smuggled in a body"
    assert alive(port)
    assert not defects.found


def test_a_body_may_come_in_chunks_of_one_byte(port: int) -> None:
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in BODY.ljust(20_000))
    assert b"200 OK" in say(port, HEAD + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n")


@pytest.mark.parametrize("opening", [HEAD + b"X: ", b"GET /" + b"a", HEAD], ids=["one header", "the address", "many headers"])
def test_a_head_without_an_end_is_cut_off_and_not_kept(port: int, opening: bytes) -> None:
    assert alive(port)
    before = resident_mb()
    more = b"X-More: %b\r\n" % (b"y" * 1000) if opening == HEAD else b"a" * 1000
    received = say(port, opening, *[more * 100] * (10 * ENDLESS_MB))
    assert received == b"" or received.startswith((b"HTTP/1.1 431", b"HTTP/1.1 400")), received[:200]
    assert resident_mb() - before < ENDLESS_MB / 2
    assert alive(port)


def test_what_follows_a_chunked_body_without_an_end_is_cut_off_too(port: int) -> None:
    assert alive(port)
    before = resident_mb()
    trailer = [b"X-More: " + b"y" * 1000 + b"\r\n"] * (1000 * ENDLESS_MB)
    say(port, HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n0\r\n", *trailer)
    assert resident_mb() - before < ENDLESS_MB / 2
    assert alive(port)


def test_a_head_of_the_usual_size_is_read(port: int) -> None:
    head = HEAD + b"Cookie: " + b"a" * (LONGEST_HEAD // 2) + b"\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(BODY)
    assert b"200 OK" in say(port, head + BODY)


def test_more_requests_than_anybody_pipelines_end_the_connection(port: int) -> None:
    one = b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    assert say(port, one * 5 + one.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")).count(b"200 OK") == 6
    assert say(port, one * 10 * MOST_PIPELINED).count(b"200 OK") < 10 * MOST_PIPELINED
    assert alive(port)


def test_a_request_that_does_not_come_in_is_not_waited_for_for_ever(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "WHOLE_WITHIN_S", 0.2)
    for begun in (b"", b"GET / HTT", HEAD + b"Content-Length: 50\r\n\r\n{"):
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            connection.sendall(begun)
            assert connection.recv(1) in (b"", b"H"), "the connection stays"


def test_the_address_in_host_leads_nobody_elsewhere(port: int, real: RealIndex) -> None:
    secret = issue(real, ["search"]).secret
    asked = f"GET /v1/documents/ HTTP/1.1\r\nHost: evil.example\r\nAuthorization: Bearer {secret}\r\nConnection: close\r\n\r\n"
    assert b"evil.example" not in say(port, asked.encode())
