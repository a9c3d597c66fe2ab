"""Bodies that are almost right: valid ones of every route that takes one, bent in ways that people and scanners have thought of."""

from __future__ import annotations

import base64
import copy
import json
import random
from collections.abc import Callable
from typing import Final

from pydantic import JsonValue as Json

MOST: Final = 64 * 1024
"""The limit of the service that is fuzzed: some bodies are larger."""

WORDS: Final = (
    "golden part", "How did Sand Bridge change between 2015 and 2023?", "what does each manual say in Q2 2021, and who signs?", "secret",
    "\u017fep 2023", "\u017fecond quarter of fiscal 2022", "f\u0131rst quarter 2020", "1\u017ft quarter", "v1.2.3 versus v1.2.4",
    "2023-02-31", "12/31/2020",
    "\u0661\u0662\u0663", "compare PR-7 and PR-8 over the years", "K\u00e4se caf\u00e9", "\ufdfa" * 60, "a\u0301" * 300, "ﬁ" * 50,
    "\u202eevil", "\x00", "\u0000golden\x1b[31m",
    "\U0001f469\u200d\U0001f680", "golden" * 600, "from " * 700, "(" * 500, "\\" * 100, "' OR 1=1 --", "${jndi:ldap://127.0.0.1/a}",
    "{{7*7}}", "%s%n%00",
    "../../../etc/passwd", "http://169.254.169.254/latest/meta-data/", "<script>alert(1)</script>", "golden\r\nSet-Cookie: a=b", "*",
    "a*" * 200,
    "1." * 900, "x_" * 1500, "9" * 3000, " and how " * 300,
)  # fmt: skip

SEARCH: Final[dict[str, Json]] = {
    "query": "golden part", "mode": "hybrid", "limit": 3, "offset": 0, "group_by": "document", "group_size": 2, "highlight": True,
    "explain": True, "facets": ["source", "modified_at.year", "metadata.lang"], "facet_limit": 5, "neighbours": 1, "diversity": 0.3,
    "deadline_ms": 30000, "as_of": 1,
    "filters": {
        "sources": ["wiki", "manual"], "documents": ["wiki:01.md"], "modified_from": "2000-01-01T00:00:00Z",
        "modified_to": "2030-01-01T00:00:00Z",
        "metadata": {"lang": ["en", "de"], "pages": {"gte": 1, "lt": 18}, "draft": True, "on": {"gte": "2011-01-01"},
        "tags": {"any": ["x"]}},
    },
}  # fmt: skip
QUESTION: Final[dict[str, Json]] = {
    name: SEARCH[name] for name in ("query", "mode", "filters", "as_of", "diversity", "neighbours", "deadline_ms")
}
CONTEXT: Final[dict[str, Json]] = {**QUESTION, "budget": 300, "order": "document", "passages": 10}
AGENT: Final[dict[str, Json]] = {**QUESTION, "limit": 4, "steps": 4, "budget": 500}
PUSH: Final[dict[str, Json]] = {
    "source": "tickets", "access": ["everyone"],
    "documents": [{"path": "2026/1.txt", "title": "One", "text": "A golden part.", "metadata": {"open": True, "n": 3},
    "modified_at": "2026-01-01T00:00:00Z"}],
}  # fmt: skip
FILES: Final[dict[str, Json]] = {
    "source": "faxes",
    "access": ["everyone"],
    "documents": [{"path": "a/b.pdf", "content": base64.b64encode(b"%PDF-1.4").decode()}],
}
FEEDBACK: Final[dict[str, Json]] = {
    "answer": "5f0c3d7a9e1b42d8a6c4f001", "kind": "correction", "chunk_id": "0b9f6c1e-5c6f", "uri": "wiki:01.md", "quote": "golden",
    "query": "q",
    "note": "n",
}  # fmt: skip


def _call(tool: str, arguments: Json) -> dict[str, Json]:
    return {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}


ROUTES: Final[list[tuple[str, str, dict[str, Json]]]] = [
    ("POST", "/v1/search", SEARCH),
    ("POST", "/v1/search", {"query": "golden part", "cursor": "WzEsMSwxMCwxXQ.00"}),
    ("POST", "/v1/search/batch", {"requests": [{"query": "golden part", "limit": 2}, {"query": "secret", "mode": "sparse"}], "as_of": 1}),
    ("POST", "/v1/context", CONTEXT),
    ("POST", "/v1/agent/search", AGENT),
    ("PUT", "/v1/documents", PUSH),
    ("PUT", "/v1/documents", FILES),
    ("POST", "/v1/feedback", FEEDBACK),
    ("POST", "/mcp", _call("search", {"query": "golden part", "limit": 2})),
    ("POST", "/mcp", _call("context", {"query": "golden part", "budget": 100})),
    ("POST", "/mcp", _call("agent_search", {"query": "golden part", "steps": 2})),
    ("POST", "/mcp", _call("fetch_document", {"id": "wiki:01.md", "limit": 2, "as_of": 1})),
    ("POST", "/mcp", _call("lineage", {"id": "wiki:01.md"})),
    ("POST", "/mcp", {"jsonrpc": "2.0", "id": "a", "method": "tools/list", "params": {}}),
    ("POST", "/mcp", {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-06-18", "capabilities": {}}}),
]
"""Every route that reads a body; a test holds it against the service."""

ODD: Final[tuple[Json, ...]] = (
    None, True, False, 0, -1, 1, 2**31, 2**53, 2**63, 2**64, -(2**63), 10**30, 10**400, 0.1, -0.0, 1e308, 5e-324, "", " ", "\x00", "null",
    "1", "NaN", [], {},
    [[]], [None], {"": ""}, {"$ne": 1}, {"must": []}, {"gte": 1, "lt": 0}, {"gte": "0001-01-01", "lt": "9999-12-31"}, {"any": []},
    {"none": [1, "x", True]},
    {"exists": None}, "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999-23:59", "0000-00-00", "2026-02-30", "\ud800", "\udfff\ud800",
    "x" * 5000,
    "wiki:../../etc/passwd", "wiki:\x00", ":", "file:///etc/passwd", "http://127.0.0.1:1/", "..", "../x", "C:\\x", "a" * 300 + "/b",
    "a/" * 400 + "b", ".hidden",
    "e\u0301veryone", "\uff45veryone", "everyone\u200b", "EVERYONE", "metadata.lang", "metadata.", "metadata.\"lang\"", "lang\"",
    "lang].x[", "a.b", "a[]", "a[0]", "\u0130",
)  # fmt: skip
"""Values that stand where others are expected."""


class Raw(str):
    """JSON that ``json.dumps`` would not write."""

    __slots__ = ()


RAW: Final = (
    "NaN",
    "Infinity",
    "-Infinity",
    "1e999",
    "9" * 5000,
    "-" + "9" * 4000 + ".5",
    '"\\ud800"',
    '"\\udc00\\ud800"',
    '"\\u0000"',
    "0x10",
    "'x'",
    "01",
)


def valid(draw: random.Random) -> tuple[str, str, dict[str, Json]]:
    """A route and a body that it takes, with some of the fields that may be left out left out, asking something else each time."""
    method, path, body = draw.choice(ROUTES)
    body = copy.deepcopy(body)
    asked = _questions(body)
    for question in asked:
        question["query"] = draw.choice(WORDS) if draw.random() < 0.6 else "golden part"
    if len(asked) == 1 and path != "/mcp":
        for name in [name for name in body if name != "query" and draw.random() < 0.5]:
            del body[name]
    if path == "/v1/documents":
        body["source"] = f"{body['source']}{draw.randrange(4)}"
    return method, path, body


def _questions(body: dict[str, Json]) -> list[dict[str, Json]]:
    found = [body] if "query" in body else []
    for value in body.values():
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, dict):
                found += _questions(each)
    return found


def bent(draw: random.Random, body: dict[str, Json]) -> bytes:
    """What is sent instead."""
    places = dict[str, str]()
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        draw.choice(_BENDS)(draw, body, places)
    text = json.dumps(body, ensure_ascii=draw.random() < 0.5)
    for name, raw in places.items():
        text = text.replace(f'"{name}"', raw)
    if draw.random() < 0.06:
        return _broken(draw, text)
    return text.encode("utf-8", draw.choice(("replace", "surrogatepass")))


def _spots(body: Json) -> list[tuple[dict[str, Json] | list[Json], str | int]]:
    found: list[tuple[dict[str, Json] | list[Json], str | int]] = []
    if isinstance(body, dict):
        for name, value in body.items():
            found += [(body, name), *_spots(value)]
    elif isinstance(body, list):
        for number, value in enumerate(body):
            found += [(body, number), *_spots(value)]
    return found


def _put(where: dict[str, Json] | list[Json], at: str | int, value: Json) -> None:
    if isinstance(where, dict):
        where[str(at)] = value
    else:
        where[int(at)] = value


def _get(where: dict[str, Json] | list[Json], at: str | int) -> Json:
    return where[str(at)] if isinstance(where, dict) else where[int(at)]


def _replace(draw: random.Random, body: dict[str, Json], _: dict[str, str]) -> None:
    where, at = draw.choice(_spots(body) or [(body, "query")])
    _put(where, at, copy.deepcopy(draw.choice(ODD)))


def _raw(draw: random.Random, body: dict[str, Json], places: dict[str, str]) -> None:
    where, at = draw.choice(_spots(body) or [(body, "query")])
    name = f"@@{len(places)}@@"
    places[name] = draw.choice(RAW)
    _put(where, at, name)


def _rename(draw: random.Random, body: dict[str, Json], _: dict[str, str]) -> None:
    named = [(where, at) for where, at in _spots(body) if isinstance(where, dict)]
    if named:
        where, at = draw.choice(named)
        assert isinstance(where, dict)
        where[draw.choice([str(each) for each in ODD if isinstance(each, str)])] = where.pop(str(at))


def _many(draw: random.Random, body: dict[str, Json], _: dict[str, str]) -> None:
    where, at = draw.choice(_spots(body) or [(body, "query")])
    one = draw.choice([_get(where, at) if isinstance(where, dict) and at in where else "x", *ODD[:40]])
    number = draw.choice((2, 40, 400, 2000))
    items: list[Json] = [copy.deepcopy(one) for _ in range(number)]
    _put(where, at, items if draw.random() < 0.6 else {f"k{n}": value for n, value in enumerate(items)})


def _deep(draw: random.Random, body: dict[str, Json], places: dict[str, str]) -> None:
    where, at = draw.choice(_spots(body) or [(body, "query")])
    name, levels = f"@@{len(places)}@@", draw.choice((10, 200, 900, 1100, 5000, 30_000))
    opening, closing = draw.choice((("[", "]"), ('{"a":', "}"), ('{"filters":', "}"), ('[{"any":', "}]")))
    places[name] = opening * levels + "1" + (closing * levels if draw.random() < 0.7 else "")
    _put(where, at, name)


def _twice(draw: random.Random, body: dict[str, Json], places: dict[str, str]) -> None:
    named = [(where, str(at)) for where, at in _spots(body) if isinstance(where, dict)]
    if named:
        where, at = draw.choice(named)
        assert isinstance(where, dict)
        name = f"@@{len(places)}@@"
        places[name] = f"1, {json.dumps(at)}: {json.dumps(where[at]) if not str(where[at]).startswith('@@') else 2}"
        where[at] = name


def _remove(draw: random.Random, body: dict[str, Json], _: dict[str, str]) -> None:
    where, at = draw.choice(_spots(body) or [(body, "query")])
    if isinstance(where, dict):
        where.pop(str(at), None)
    else:
        where.pop(int(at))


def _huge(draw: random.Random, body: dict[str, Json], _: dict[str, str]) -> None:
    where, at = draw.choice(_spots(body) or [(body, "query")])
    size = draw.choice((4000, 4001, 16_000, MOST - 600, MOST, MOST + 1))
    _put(where, at, (draw.choice(WORDS) or "x") * (size // max(1, len(draw.choice(WORDS)))) if draw.random() < 0.5 else "a" * size)


_BENDS: Final[tuple[Callable[[random.Random, dict[str, Json], dict[str, str]], None], ...]] = (
    _replace, _replace, _replace, _replace, _raw, _rename, _rename, _many, _deep, _twice, _remove, _huge,
)  # fmt: skip


def _broken(draw: random.Random, text: str) -> bytes:
    """No JSON, or not in UTF-8."""
    plain = text.encode("utf-8", "replace")
    at = draw.randrange(len(plain) + 1)
    return draw.choice(
        (
            plain[:at],
            plain[:at] + draw.choice((b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\x00", b"\x1b", b"\xf4\x90\x80\x80")) + plain[at:],
            b"\xef\xbb\xbf" + plain,
            text.encode("utf-16", "replace"),
            text.encode("utf-32", "replace"),
            plain + plain,
            plain + b"/* */",
            b"",
            b"[" + plain + b"]",
            b" " * draw.choice((10, MOST)),
            bytes(draw.randrange(256) for _ in range(200)),
        )
    )
