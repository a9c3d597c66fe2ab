"""``POST /v1/agent/search`` as a caller meets it, the tool of the same name, and the client's method."""

from __future__ import annotations

import asyncio
import io
import json

import anyio
import pytest
from fastapi.testclient import TestClient

from retrieval_service.app import create_app
from retrieval_service.client.testing import InMemoryPlumbline
from retrieval_service.client.testing import Passage as Remembered
from retrieval_service.routes.agent import COUNTS_AS
from retrieval_service.telemetry import Telemetry
from retrieval_service.withheld import FollowedOverlay
from search_index.deadline import Deadline
from search_index.model.agent import AgentAnswer, AgentRequest
from search_index.model.feedback import FeedbackRequest
from search_index.model.search import Principal
from tests.retrieval_service.access.conftest import bearer, issue, problem
from tests.retrieval_service.agent.library import HIDDEN, OPEN, SECRET_PLACES
from tests.retrieval_service.agent.planner_server import PlannerServer, playing
from tests.retrieval_service.fakes import wait_until_served
from tests.retrieval_service.mcp.clients import inside, text_of
from tests.retrieval_service.real_index import RealIndex

PATH = "/v1/agent/search"
QUESTION = {"query": "How did the load on Sand Bridge change between 2021 and 2024?"}


@pytest.fixture
def filled(searching: TestClient, real: RealIndex) -> TestClient:
    """The service with the library in its second release."""
    wait_until_served(searching, real.add(*OPEN, *HIDDEN))
    return searching


def without_times(answer: dict[str, object]) -> dict[str, object]:
    kept = {name: value for name, value in answer.items() if name not in ("id", "took_ms")}
    kept["trace"] = [{**step, "took_ms": 0} for step in answer["trace"]]  # type: ignore[union-attr, attr-defined]
    return kept


def test_it_answers_with_hits_aspects_and_a_trace(filled: TestClient) -> None:
    answered = filled.post(PATH, json=QUESTION)
    assert answered.status_code == 200, answered.text
    answer = AgentAnswer.model_validate(answered.json())
    assert answered.headers["Plumbline-Release"] == "2" == str(answer.release.revision)
    assert answer.hits[0].provenance.release == 2
    assert {hit.uri for hit in answer.hits} >= {f"reports:{year}/sand-bridge.pdf" for year in (2021, 2022, 2023)}
    assert "Sand Bridge, 2021, 2022, 2023" in {each.name.removesuffix(", 2024") for each in answer.aspects}
    assert [step.action for step in answer.trace][:2] == ["search", "facets"] or answer.trace[1].action == "look up"
    assert answer.stopped == "complete"
    assert answer.tokens == sum(len(hit.text.split()) for hit in answer.hits)


def test_what_is_asked_along_is_in_every_hit(filled: TestClient) -> None:
    answer = filled.post(PATH, json={**QUESTION, "neighbours": 1, "limit": 4}).json()
    assert len(answer["hits"]) == 4
    assert all("neighbours" in hit for hit in answer["hits"])


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"query": " "},
        {"query": "x", "limit": 51},
        {"query": "x", "steps": 0},
        {"query": "x", "steps": 33},
        {"query": "x", "budget": 15},
        {"query": "x", "planner_url": "http://127.0.0.1/"},
        {"query": "x", "cursor": "c"},
        {"query": "x", "filters": {"metadata": {"absent": 1}}},
    ],
)
def test_what_makes_no_sense_is_refused(filled: TestClient, wrong: dict[str, object]) -> None:
    assert filled.post(PATH, json=wrong).status_code == 422


def test_the_header_sets_a_deadline_too(filled: TestClient) -> None:
    assert filled.post(PATH, json=QUESTION, headers={"Plumbline-Deadline-Ms": "60000"}).json()["stopped"] == "complete"


def test_a_deadline_that_is_over_before_anything_began_is_a_timeout(filled: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Deadline, "passed", property(lambda self: True))
    late = filled.post(PATH, json=QUESTION)
    assert (late.status_code, problem(late)) == (504, "deadline-exceeded")


def test_older_releases_take_the_scope_history(real: RealIndex, log: io.StringIO) -> None:
    searcher, historian, other = (issue(real, scopes).secret for scopes in (["search"], ["search", "history"], ["feedback"]))
    with TestClient(create_app(real.settings, telemetry=Telemetry(log), load=real.load)) as client:
        real.add(*OPEN)
        wait_until_served(client, 2)
        old = {**QUESTION, "as_of": 1}
        assert client.post(PATH, json=QUESTION).status_code == 401
        assert problem(client.post(PATH, json=QUESTION, headers=bearer(other))) == "forbidden"
        assert problem(client.post(PATH, json=old, headers=bearer(searcher))) == "forbidden"
        answer = client.post(PATH, json=old, headers=bearer(historian)).json()
        assert answer["release"]["revision"] == 1
        assert not any("bridge" in hit["uri"] for hit in answer["hits"])


def test_it_counts_as_the_searches_that_it_makes(real: RealIndex, log: io.StringIO) -> None:
    key = issue(real, ["search"], requests_per_minute=2 * COUNTS_AS).secret
    with TestClient(create_app(real.settings, telemetry=Telemetry(log), load=real.load)) as client:
        statuses = [client.post(PATH, json={"query": "golden part"}, headers=bearer(key)).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]


def test_only_who_may_read_it_is_told(real: RealIndex, log: io.StringIO) -> None:
    anybody, board = issue(real, ["search"]).secret, issue(real, ["search"], ["board"]).secret
    with TestClient(create_app(real.settings, telemetry=Telemetry(log), load=real.load)) as client:
        wait_until_served(client, real.add(*OPEN, *HIDDEN))
        asked = {"query": "How did the load on Sand Bridge change over time?"}
        for key, readable in ((board, True), (anybody, False), (board, True)):
            said = client.post(PATH, json=asked, headers=bearer(key)).text
            assert (SECRET_PLACES[0] in said) is readable
            assert ("2024/sand-bridge" in said) is readable
    assert "Sand Bridge" not in log.getvalue()


def test_a_document_that_is_taken_back_meanwhile_is_in_no_part_of_the_answer(filled: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = next(passage for passage in OPEN if passage.path == "2022/sand-bridge.pdf").document
    looks = 0

    def withheld_from(self: FollowedOverlay, principal: Principal) -> frozenset[str]:
        nonlocal looks
        looks += 1
        return frozenset({taken}) if looks > 4 else frozenset()

    monkeypatch.setattr(FollowedOverlay, "withheld_from", withheld_from)
    said = filled.post(PATH, json=QUESTION)
    assert said.status_code == 200
    assert looks > 8, "begun anew"
    assert taken not in said.text and "2022/sand-bridge.pdf" not in said.text

    monkeypatch.setattr(FollowedOverlay, "withheld_from", lambda self, principal: frozenset({str(iter_looks())}))
    again = filled.post(PATH, json=QUESTION)
    assert (again.status_code, problem(again)) == (503, "overlay-unreadable")


_LOOKS = iter(range(10_000))


def iter_looks() -> int:
    """Another number each time."""
    return next(_LOOKS)


def test_feedback_takes_its_id_and_metrics_tell_of_it(filled: TestClient, real: RealIndex, log: io.StringIO) -> None:
    answer = filled.post(PATH, json=QUESTION).json()
    said = filled.post("/v1/feedback", json={"answer": answer["id"], "kind": "relevant", "chunk_id": answer["hits"][0]["chunk_id"]})
    assert said.status_code == 201, said.text
    asked = len([step for step in answer["trace"] if step["query"]])
    metrics = filled.get("/metrics").text
    assert 'plumbline_agent_stopped_total{reason="complete"} 1.0' in metrics
    assert "plumbline_agent_steps_count 1.0" in metrics and f"plumbline_agent_steps_sum {asked:.1f}" in metrics
    (line,) = [line for line in map(json.loads, log.getvalue().splitlines()) if line["event"] == "agent"]
    assert (line["steps"], line["stopped"], line["hits"]) == (asked, "complete", len(answer["hits"]))


def test_a_planner_that_the_operator_names_is_asked(real: RealIndex, log: io.StringIO) -> None:
    with playing(PlannerServer(content={"searches": [{"query": "golden part of the manual", "sources": ["manual"]}]})) as server:
        settings = real.settings.model_copy(update={"planner_url": server.url})
        with TestClient(create_app(settings, telemetry=Telemetry(log), load=real.load)) as client:
            answer = client.post(PATH, json={"query": "golden part"}).json()
        assert [each["name"] for each in answer["aspects"]] == ["search 1"]
    with TestClient(create_app(settings, telemetry=Telemetry(log), load=real.load)) as client:  # it is gone, and nobody waits for it
        assert client.post(PATH, json={"query": "golden part"}).json()["hits"]


def test_the_tool_answers_what_the_route_answers(real: RealIndex, log: io.StringIO) -> None:
    key = issue(real, ["search"]).secret

    async def both() -> None:
        app = create_app(real.settings, telemetry=Telemetry(log), load=real.load)
        async with app.router.lifespan_context(app), inside(app, key) as client:
            result = await client.call_tool("agent_search", {"query": "golden part of the manual and what the wiki says of it", "limit": 4})
            assert not result.is_error, text_of(result)
            structured = dict(result.structured_content)
            said = text_of(result)
            for hit in structured["hits"]:
                assert f"[{hit['rank']}] " in said and hit["text"] in said
            assert "What was done:\n1. search: the question as it is" in said
            answers.append(structured)
            refused = await client.call_tool("agent_search", {"query": "golden", "as_of": 1})
            assert refused.is_error and "`history`" in text_of(refused)

    answers: list[dict[str, object]] = []
    anyio.run(both)
    with TestClient(create_app(real.settings, telemetry=Telemetry(log), load=real.load)) as client:
        routed = client.post(
            PATH, json={"query": "golden part of the manual and what the wiki says of it", "limit": 4}, headers=bearer(key)
        )
    assert without_times(answers[0]) == without_times(routed.json())


def test_the_client_asks_it_and_its_double_answers() -> None:
    double = InMemoryPlumbline(
        [Remembered("reports:a.md", "the load of the bridge is nine tons"), Remembered("reports:b.md", "another bridge")]
    )
    with double.client() as client:
        answer = client.agent_search("load of the bridge")
        assert [hit.uri for hit in answer.hits] == ["reports:a.md", "reports:b.md"]
        assert client.agent_search(AgentRequest(query="load of the bridge", limit=1)).hits == answer.hits[:1]
        client.feedback(FeedbackRequest(answer=str(answer.id), kind="relevant", chunk_id=answer.hits[0].chunk_id))

    async def ask() -> AgentAnswer:
        async with double.async_client() as client:
            return await client.agent_search(AgentRequest(query="load of the bridge", budget=16))

    assert asyncio.run(ask()).tokens <= 16
    assert double.asked[0] == AgentRequest(query="load of the bridge")
