"""Two tenants and one service: each key is told of its own tenant's documents, on every route, and of nothing else."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from mcp.client import Client
from mcp.types import CallToolResult

from retrieval_service.access.scopes import SCOPE_OF
from retrieval_service.app import create_app
from retrieval_service.telemetry import Telemetry
from search_index.model.keys import KeyTerms
from search_index.model.release import Counts, Held, Manifest, Verdict, now
from search_index.model.state import LaneState
from tests.retrieval_service.access.conftest import bearer
from tests.retrieval_service.fakes import RUN, manifest_of, wait_until
from tests.retrieval_service.mcp.clients import ask as ask_mcp
from tests.retrieval_service.real_index import RealIndex
from tests.search_index.engine.points import BM25, OTHERS, Passage, published

NORTH = [
    Passage(f"{n}.md", f"golden north passage number{n} of {n % 2} parts", "northern", metadata={"north_field": n}, ordinal=0)
    for n in range(6)
]
SOUTH = [
    Passage(f"{n}.md", f"golden south passage number{n} south south", "southern", metadata={"south_field": "x"}, tenant=OTHERS)
    for n in range(5)
]
OF = {"default": NORTH, OTHERS: SOUTH}
WORDS = {"default": re.compile("north"), OTHERS: re.compile("south|'others'")}
"""By what each tenant's things are known: sources, texts, fields, checks, reasons, and the second one's own name."""


class TwoTenants(RealIndex):
    """Release 1 holds both tenants' sources, and one of each is held besides."""

    def release_of(self, *tenants: str) -> int:
        """Publish their documents."""
        added = [passage for tenant in tenants for passage in OF[tenant]]
        published(self.engine, None, 1, added)
        home = self.home
        catalog = home.catalog
        revision = catalog.begin(RUN)
        manifest = self.manifest(revision, *tenants)
        catalog.record_manifest(manifest, manifest.sign(home.signing_key()))
        catalog.record_scores(revision, {"by": {"source": {manifest.held[0].source: 0.5}}, "modes": {}})
        subjects = [*manifest.sources, *(held.source for held in manifest.held), "candidate"]
        verdicts = [
            Verdict(
                check="complete", subject=subject, inputs={"rows": subject}, outcome="passed", severity="error", run_id=RUN,
                summary="north and south are there" if subject == "candidate" else f"{subject} is there", evidence={"ids": [subject]},
            )
            for subject in subjects
        ]  # fmt: skip
        catalog.add_verdicts(verdicts)
        catalog.record_decision(revision, [v for s in subjects for v in catalog.verdicts_on(s, {each.inputs_digest for each in verdicts})])
        catalog.publish(revision, None, "test")
        catalog.close()
        return revision

    def manifest(self, revision: int, *tenants: str) -> Manifest:
        plain = manifest_of(revision, parent=None)
        pin = next(iter(plain.sources.values()))
        held = [
            Held(source=f"{name}_late", reasons=[f"{name} lost files"], tenant=of) for of, name in (("default", "north"), (OTHERS, "south"))
        ]
        sources = {OF[tenant][0].source: pin.model_copy(update={"tenant": tenant}) for tenant in tenants}
        tenanted = {tenant: Counts(documents=len(OF[tenant]), chunks=len(OF[tenant])) for tenant in tenants}
        of = [each for each in held if each.tenant in tenants]
        return plain.model_copy(update={"sources": sources, "held": of, "tenants": tenanted, "bm25": {"avgdl": dict(BM25.avgdl)}})


def key(index: RealIndex, tenant: str, *scopes: str) -> str:
    """A key of a tenant."""
    catalog = index.home.catalog
    try:
        return catalog.create_key(KeyTerms(name="a key", tenant=tenant, scopes=list(scopes) or ["admin"]), "tester").secret
    finally:
        catalog.close()


@pytest.fixture
def shared(tmp_path: Path) -> TwoTenants:
    index = TwoTenants(tmp_path)
    index.release_of("default", OTHERS)
    catalog = index.home.catalog
    for source in ("northern", "southern", "north_late", "south_late"):
        catalog.record_lane(
            LaneState(source=source, stage="documents", inputs="", at=now(), data_version="1", state={"quarantined": 2}, run_id=RUN)
        )
    catalog.close()
    return index


@contextmanager
def serving(index: RealIndex) -> Iterator[TestClient]:
    with TestClient(create_app(index.settings, telemetry=Telemetry(io.StringIO()), load=index.load)) as client:
        yield client


def asked(client: TestClient, secret: str, tenant: str) -> dict[str, Any]:
    """Every route but metrics and MCP, asked of things of both tenants: all that is told, by what was asked."""
    headers, told = bearer(secret), {}
    question = {"query": "golden passage number1", "limit": 50}
    for mode in ("hybrid", "dense", "sparse"):
        body = {**question, "mode": mode, "facets": ["source", "modified_at.year"], "explain": True, "neighbours": 2, "highlight": True}
        told[f"POST /v1/search {mode}"] = client.post("/v1/search", json=body, headers=headers).json()
    told["POST /v1/search nothing"] = client.post(
        "/v1/search", json={"query": "x", "filters": {"documents": ["none:x"]}}, headers=headers
    ).json()
    told["POST /v1/search field"] = client.post("/v1/search", json={"query": "x", "facets": ["metadata.nope"]}, headers=headers).json()
    told["POST /v1/search/batch"] = client.post("/v1/search/batch", json={"requests": [question]}, headers=headers).json()
    told["POST /v1/context"] = client.post("/v1/context", json={"query": question["query"], "budget": 4000}, headers=headers).json()
    told["POST /v1/agent/search"] = client.post("/v1/agent/search", json={"query": question["query"]}, headers=headers).json()
    for passages in OF.values():
        for route in ("documents", "lineage"):
            for id in (passages[0].document, passages[0].uri, passages[0].chunk):
                answer = client.get(f"/v1/{route}/{id}", headers=headers)
                assert answer.status_code == (200 if passages is OF[tenant] and (route, id) != ("documents", passages[0].chunk) else 404)
                if passages is OF[tenant]:
                    told[f"GET /v1/{route} {id}"] = answer.json()
    answer = told["POST /v1/search hybrid"]
    for passages in OF.values():
        said = {
            "answer": answer["id"],
            "kind": "not_relevant",
            "chunk_id": passages[-1].chunk,
            "query": f"of {WORDS[tenant].pattern[:5]}",
        }
        corrected = {"answer": answer["id"], "kind": "correction", "uri": passages[0].uri, "quote": passages[0].text}
        for body in (said, corrected):
            given = client.post("/v1/feedback", json=body, headers=headers)
            assert given.status_code == (201 if passages is OF[tenant] else 404)
    wait_until(lambda: bool(client.get("/v1/reviews", headers=headers).json()), "no answer waits to be looked at")
    for path in ("/v1/releases", "/v1/releases/1", "/v1/quality", "/v1/lineage/1", "/v1/reviews"):
        told[f"GET {path}"] = client.get(path, headers=headers).json()
    return told


@pytest.mark.parametrize(("tenant", "other"), [("default", OTHERS), (OTHERS, "default")])
def test_nothing_of_the_other_tenant_is_told_on_any_route(shared: TwoTenants, tenant: str, other: str) -> None:
    mine, theirs = key(shared, tenant), key(shared, other)
    with serving(shared) as client:
        asked(client, theirs, other)
        told = asked(client, mine, tenant)
    for what, answer in told.items():
        text = str(answer)
        leaked = {found[0] for found in WORDS[other].finditer(text)}
        assert not leaked, f"{what} tells {leaked}"
        assert not any(passage.chunk in text or passage.document in text for passage in OF[other]), what
    elsewhere = {"GET /metrics", "POST /mcp", *(route.split("{")[0].rstrip("/") for route, scope in SCOPE_OF.items() if scope == "push")}
    reached = {route.split("{")[0].rstrip("/") for route in SCOPE_OF} - elsewhere
    assert {route for route in reached if not any(what.startswith(route) for what in told)} == {"POST /v1/feedback"}, (
        "a route was not asked"
    )
    assert {hint["code"] for hint in told["POST /v1/search nothing"]["hints"]} == {"all_filtered_out", "held", "quarantined"}
    assert {hit["source"] for hit in told["POST /v1/search sparse"]["hits"]} == {OF[tenant][0].source}
    assert told["GET /v1/releases"]["releases"][0]["counts"]["documents"] == len(OF[tenant])
    assert told["GET /v1/releases/1"]["manifest"]["sources"].keys() == {OF[tenant][0].source}
    assert told["GET /v1/quality"]["quarantined"] == {OF[tenant][0].source: 2, f"{OF[tenant][0].source[:5]}_late": 2}
    assert [held["source"] for held in told["GET /v1/quality"]["held"]] == [f"{OF[tenant][0].source[:5]}_late"]
    assert told["GET /v1/quality"]["online"][0]["queries"] >= 1
    assert len(told["GET /v1/reviews"]) >= 1


def test_counts_and_scores_are_those_of_a_home_of_ones_own(shared: TwoTenants, tmp_path: Path) -> None:
    alone = TwoTenants(tmp_path / "alone")
    alone.release_of("default")
    found = []
    for index in (shared, alone):
        secret = key(index, "default")
        with serving(index) as client:
            body = {"query": "golden passage number3", "limit": 50, "facets": ["source", "metadata.north_field"], "explain": True}
            answers = [
                client.post("/v1/search", json={**body, "mode": mode}, headers=bearer(secret)).json()
                for mode in ("hybrid", "dense", "sparse")
            ]
            answers.append(client.post("/v1/context", json={"query": "golden passage number3"}, headers=bearer(secret)).json())
        found.append([{name: part for name, part in answer.items() if name not in ("id", "took_ms", "release")} for answer in answers])
    assert found[0] == found[1]


def test_a_language_models_tools_are_the_callers_too(shared: TwoTenants) -> None:
    secret = key(shared, OTHERS)

    async def calls(client: Client) -> list[CallToolResult]:
        return [
            await client.call_tool("search", {"query": "golden passage", "limit": 50}),
            await client.call_tool("context", {"query": "golden passage"}),
            await client.call_tool("fetch_document", {"id": NORTH[0].uri}),
            await client.call_tool("lineage", {"id": NORTH[0].document}),
            await client.call_tool("fetch_document", {"id": SOUTH[0].uri}),
        ]

    def app() -> FastAPI:
        return create_app(shared.settings, telemetry=Telemetry(io.StringIO()), load=shared.load)

    search, context, *strange, document = ask_mcp(app, calls, secret)
    for result in (search, context, document):
        assert not result.is_error
        assert "southern:" in str(result.structured_content)
        assert "north" not in str(result.structured_content)
    for result in strange:
        assert result.is_error
        assert "golden north" not in str(result.content)


def test_feedback_is_taken_from_whoever_was_answered_as_a_tenant(shared: TwoTenants) -> None:
    mine, theirs = key(shared, "default"), key(shared, OTHERS)
    with serving(shared) as client:
        answer = client.post("/v1/search", json={"query": "golden passage"}, headers=bearer(mine)).json()
        said = {"answer": answer["id"], "kind": "click", "chunk_id": answer["hits"][0]["chunk_id"]}
        assert client.post("/v1/feedback", json=said, headers=bearer(theirs)).status_code == 404
        assert client.post("/v1/feedback", json=said, headers=bearer(mine)).status_code == 201


def test_a_whole_release_is_told_whole(tmp_path: Path) -> None:
    index = TwoTenants(tmp_path)
    index.release_of(OTHERS)
    secret = key(index, OTHERS)
    with serving(index) as client:
        release = client.get("/v1/releases/1", headers=bearer(secret)).json()
    assert release["signature"] is not None
    assert release["scores"]
    assert {verdict["summary"] for verdict in release["verdicts"]} >= {"southern is there", "north and south are there"}
