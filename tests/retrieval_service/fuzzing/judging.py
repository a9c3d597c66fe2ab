"""What an answer to a request that makes no sense has to be."""

from __future__ import annotations

import io
import json

from retrieval_service.blame import class_of
from tests.retrieval_service.fuzzing.asgi import PROBLEM, Answered, Asked

LONGEST_PROBLEM = 64 * 1024
"""An error is not larger than the largest body there is."""


class Defects(io.StringIO):
    """A service's log of which only the lines are kept that tell of a defect."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.lines = 0

    def write(self, text: str) -> int:
        """Take one line; it has to be one, and JSON."""
        for line in filter(None, text.split("\n")):
            told = json.loads(line)
            self.lines += 1
            if told["event"] == "defect":
                self.found.append(line)
        return len(text)


def wrong_with(asked: Asked, answered: Answered) -> str | None:
    """Why it is not a proper answer; None where it is one."""
    if answered.status == 0:
        return None if asked.leaves else "no answer"
    if answered.status < 400:
        return _wrong_inside(asked, answered)
    kind = answered.headers.get("content-type", "")
    if asked.method == "HEAD" or (asked.target.startswith("/mcp") and kind == "application/json" and answered.status < 500):
        return None  # errors of MCP's own protocol are JSON-RPC
    if kind != PROBLEM:
        return f"{answered.status} as {kind or 'nothing'}"
    if len(answered.body) > LONGEST_PROBLEM:
        return f"a problem of {len(answered.body)} bytes"
    told = answered.json()
    if not isinstance(told, dict) or told.get("status") != answered.status or not str(told.get("type", "")).startswith("urn:plumbline:"):
        return "a problem that is none"
    return _blamed(answered.status, str(told["type"]).rpartition(":")[2])


def _blamed(status: int, slug: str) -> str | None:
    whose = class_of(status, slug)
    return f"{status} {slug}, which is {whose}" if whose == "ours" or whose is None or slug == "internal" else None


def _wrong_inside(asked: Asked, answered: Answered) -> str | None:
    if answered.status == 200 and asked.target.startswith("/v1/search/batch"):
        told = answered.json()
        for item in told["answers"] if isinstance(told, dict) else []:
            if (problem := item["problem"]) and (wrong := _blamed(problem["status"], problem["type"].rpartition(":")[2])):
                return f"in a batch: {wrong}"
    if asked.target.startswith("/mcp") and b"internal: A defect" in answered.body:
        return "a tool's defect"
    return None
