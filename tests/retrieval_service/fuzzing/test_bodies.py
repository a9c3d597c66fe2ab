"""Many requests that make no sense: each is answered, properly, by a service that is afterwards what it was."""

from __future__ import annotations

import asyncio
import gc
import json
import random
from collections import Counter
from collections.abc import Callable

import pytest
from fastapi import FastAPI

from tests.retrieval_service.fuzzing.asgi import Header, ask, json_request, running
from tests.retrieval_service.fuzzing.bodies import ROUTES
from tests.retrieval_service.fuzzing.conftest import Keys, Service, resident_mb
from tests.retrieval_service.fuzzing.judging import Defects, wrong_with
from tests.retrieval_service.fuzzing.requests import drawn

A_ROUND = 334
"""Requests for each of ``rounds``, with keys and without: 100,000 in 150 rounds."""
WITHIN_S = 60.0
"""Beyond this a request hangs."""
MORE_MB = 150.0
"""By which the process may grow once it has seen a fifth of the requests."""


async def fuzzed(app: FastAPI, number: int, seed: int, credentials: tuple[Header | None, ...]) -> tuple[Counter[str], list[str], float]:
    """Ask so many times, some at once; gives how often what was answered, what was wrong, and megabytes that memory grew by."""
    seen: Counter[str] = Counter()
    wrong: list[str] = []
    begun = resident = 0.0

    async def one(draw: random.Random) -> None:
        asked = drawn(draw, credentials)
        answered = await ask(app, asked, WITHIN_S)
        seen[str(int(answered.status))] += 1
        if reason := wrong_with(asked, answered):
            wrong.append(f"{reason}: {asked.method} {asked.target[:80]} {b''.join(asked.pieces)[:300]!r} {asked.headers!r:.300}")

    async def some(draw: random.Random, times: int) -> None:
        for _ in range(times):
            await one(draw)

    async with running(app):
        for part in range(10):
            if part == 2:
                begun = _settled_mb()
            await asyncio.gather(*(some(random.Random(f"{seed} {part} {at}"), number // 30) for at in range(3)))
        resident = _settled_mb()
        alive = await ask(
            app, json_request("POST", "/v1/search", {"query": "golden part"}, [one for one in credentials[:1] if one]), WITHIN_S
        )
        assert (alive.status, len(json.loads(alive.body)["hits"])) == (200, 10)
    return seen, wrong, resident - begun


def _settled_mb() -> float:
    gc.collect()
    return resident_mb()


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("mode", ["without keys", "with keys"])
def test_whatever_is_sent_is_answered_and_costs_nothing_that_stays(
    service: Service,
    defects: Defects,
    mode: str,
    rounds: int,
    request: pytest.FixtureRequest,
    record_property: Callable[[str, object], None],
) -> None:
    credentials: tuple[Header | None, ...] = (None,)
    if mode == "with keys":
        keys: Keys = request.getfixturevalue("keys")
        credentials = (*keys.headers(), None)
    number = max(900, A_ROUND * rounds)
    seen, wrong, grown = asyncio.run(fuzzed(service(), number, rounds, credentials))
    told = f"{sum(seen.values())} requests {mode}"
    record_property("fuzzed", json.dumps([told, dict(sorted(seen.items())), len(wrong) + len(defects.found), f"{max(grown, 0):.0f} MB"]))
    assert not wrong, "\n".join(wrong[:10])
    assert not defects.found, defects.found[:3]
    assert not seen["500"]
    assert grown < MORE_MB, f"memory grew by {grown:.0f} MB"


def test_every_route_that_reads_a_body_is_fuzzed(service: Service) -> None:
    paths = service().openapi()["paths"]
    reading = {(method.upper(), path) for path, of in paths.items() for method, told in of.items() if "requestBody" in told}
    assert reading | {("POST", "/mcp")} == {(method, path) for method, path, _ in ROUTES}
