"""Whole requests, drawn at random: bodies that are bent, headers nobody sends, paths that are written otherwise."""

from __future__ import annotations

import gzip
import random
import string
from typing import Final

from tests.retrieval_service.fuzzing.asgi import Asked, Header
from tests.retrieval_service.fuzzing.bodies import bent, valid

CONTENT_TYPES: Final = (
    b"application/json; charset=utf-8", b"application/json; charset=utf-16", b"text/plain", b"", b"application/x-www-form-urlencoded",
    b"multipart/form-data; boundary=x", b"multipart/form-data", b"application/problem+json", b"application/json, text/html", b"\xff\xfe",
    b";;;",
    b"application/octet-stream", b"application/xml", b"APPLICATION/JSON", b"application/json;" * 300,
)  # fmt: skip
HEADERS: Final[tuple[Header, ...]] = (
    (b"plumbline-deadline-ms", b"1"), (b"plumbline-deadline-ms", b"-1"), (b"plumbline-deadline-ms", b"9" * 5000),
    (b"plumbline-deadline-ms", b"1e3"),
    (b"plumbline-deadline-ms", b"\xff"), (b"x-request-id", b"a\r\nlevel: error"), (b"x-request-id", b"\xe2\x80\xa8"), (b"x-request-id",
    b"a" * 9000),
    (b"x-request-id", b"ok-1"), (b"traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), (b"traceparent",
    b"00-" + b"f" * 4000),
    (b"tracestate", b"a=" + b"b" * 4000), (b"tracestate", b"=,=,,"), (b"traceparent", b"\xff\x00"), (b"accept", b"text/event-stream"),
    (b"accept", b"*/*"),
    (b"accept", b"application/json, text/event-stream"), (b"accept", b""), (b"accept", b"x" * 8000), (b"accept-encoding", b"gzip"),
    (b"range", b"bytes=0-1"),
    (b"content-encoding", b"gzip"), (b"content-encoding", b"br"), (b"transfer-encoding", b"chunked"), (b"expect", b"100-continue"),
    (b"origin", b"null"),
    (b"origin", b"https://evil.example"), (b"origin", b"http://[::1"), (b"origin", b"http://localhost:8000"), (b"host", b"[::1"), (b"host",
    b"evil.example"),
    (b"host", b""), (b"host", b"127.0.0.1:99999999"), (b"host", b"localhost:\xff"), (b"x-forwarded-for", b"' OR 1=1"),
    (b"x-forwarded-host", b"evil.example"),
    (b"x-http-method-override", b"DELETE"), (b"x-original-url", b"/metrics"), (b"cookie", b"a=" + b"b" * 4000), (b"mcp-session-id",
    b"\x00"),
    (b"mcp-session-id", b"abc"), (b"mcp-protocol-version", b"2025-06-18"), (b"mcp-protocol-version", b"1" * 4000), (b"last-event-id", b"1"),
    (b"upgrade", b"websocket"), (b"connection", b"upgrade"), (b"te", b"trailers"), (b"content-length", b"5"), (b"content-length", b"-1"),
    (b"\xff", b"\xff"),
    (b"authorization", b"Bearer plb_0123456789_" + b"A" * 43), (b"authorization", b"Basic YTpi"), (b"authorization", b""),
    (b"authorization", b"Bearer " + b"." * 9000),
    (b"proxy-authorization", b"Bearer x"), (b"if-none-match", b"*"), (b"user-agent", b"\x1b[31m"),
)  # fmt: skip
TARGETS: Final = (
    "/v1/documents/{}", "/v1/lineage/{}", "/v1/pushed/{}", "/v1/releases/{}", "/v1/releases?limit={}", "/v1/reviews?limit={}",
    "/v1/quality?days={}",
    "/v1/documents/wiki:01.md?offset={}&limit={}", "/v1/documents/wiki:01.md?as_of={}", "/v1/documents?source={}&path={}", "/v1/{}", "/{}",
    "/health/{}",
    "/metrics?{}", "/openapi.json?{}", "/mcp/{}", "/mcp?{}", "/v1/search/{}", "/v1/search?query={}", "/v1/quality?source={}&since={}",
    "/?{}",
)  # fmt: skip
SPELLINGS: Final = (
    "..", "%2e%2e", "%2e%2e%2f", "..%2f..%2fetc%2fpasswd", "..%5c", "%00", "%0d%0aSet-Cookie:%20a=b", ";a=b", "%3b", "//", "%2f%2f",
    "a//b", "./", "%", "%zz",
    "%ff", "%c0%af", "%ed%a0%80", "%F0%9F%98%80", "\u0661", "1", "0", "-1", "1e3", "9999999999999999999999", "1.0", "2020-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999-23:59", "0001-01-01T00:00:00%2B23:59", "wiki:01.md", "wiki%3A01.md", "WIKI:01.MD", "wiki:./01.md",
    "wiki:e%CC%81.md", "boardroom:hidden.md", "null",
    "true", "a" * 5000, "%41" * 2000, "search", "search/", "Search", "search%20", "live", "ready", "20260101-" + "0" * 32,
    "20260101-..%2f..%2f" + "0" * 20,
    "wiki", "tickets0", "boardroom", "' OR 1=1 --", "{{7*7}}", "\\", "\x00", "\u202e", "?", "#", "&limit=1&limit=2", "NaN", "Infinity",
)  # fmt: skip
METHODS: Final = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "CONNECT", "get", "G\u00c9T", "M-SEARCH")


def drawn(draw: random.Random, credentials: tuple[Header | None, ...]) -> Asked:
    """One request, made by whoever holds one of the credentials, None being nobody."""
    headers: list[Header] = [(b"host", b"127.0.0.1:8000")]
    credential = draw.choice(credentials)
    if credential is not None:
        headers.append(credential)
    if draw.random() < 0.12:
        return _of_path(draw, headers)
    method, path, body = valid(draw)
    content = bent(draw, body)
    headers.append((b"content-type", b"application/json" if draw.random() < 0.9 else draw.choice(CONTENT_TYPES)))
    headers.append((b"accept", b"application/json, text/event-stream"))
    if draw.random() < 0.2:
        headers += draw.sample(HEADERS, draw.choice((1, 1, 2, 5)))
    if draw.random() < 0.01:
        content = gzip.compress(b"{" + b" " * 5_000_000 + b"}")
        headers.append((b"content-encoding", b"gzip"))
    if draw.random() < 0.7:
        wrong = draw.random() < 0.03
        headers.append((b"content-length", str(max(0, len(content) + (draw.choice((-3, 7, 10**9)) if wrong else 0))).encode()))
    if draw.random() < 0.02:
        path += draw.choice(("/", "//", "/.", "%2f", ";", "?query=x", "?" + "a=b&" * 500))
    draw.shuffle(headers)
    return Asked(method, path, tuple(headers), _pieces(draw, content), leaves=draw.random() < 0.01)


def _of_path(draw: random.Random, headers: list[Header]) -> Asked:
    target = draw.choice(TARGETS)
    while "{}" in target:
        target = target.replace("{}", draw.choice(SPELLINGS) if draw.random() < 0.85 else _noise(draw), 1)
    headers += draw.sample(HEADERS, draw.choice((0, 0, 0, 1, 3)))
    method = draw.choice(METHODS) if draw.random() < 0.4 else "DELETE" if "source=" in target and draw.random() < 0.5 else "GET"
    return Asked(method, target, tuple(headers))


def _noise(draw: random.Random) -> str:
    letters = string.printable + "\u00e9\u0130\u017f\u2028\ufeff\U0001f680"
    return "".join(draw.choice(letters) for _ in range(draw.randrange(1, 40)))


def _pieces(draw: random.Random, content: bytes) -> tuple[bytes, ...]:
    if draw.random() < 0.9 or not content:
        return (content,)
    size = draw.choice((1 + len(content) // 20, 1 + len(content) // 2, 1024))
    return tuple(content[at : at + size] for at in range(0, len(content), size))
