"""A planner model that answers well is followed; whatever else it does changes nothing but a note."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler

import pytest
from pydantic import JsonValue as Json
from pydantic import SecretStr, ValidationError

from retrieval_service.agent.planner_model import LARGEST_ANSWER, PlannerModel
from search_index.deadline import NEVER, Deadline
from search_index.model.agent import AgentStep
from search_index.settings import Settings
from tests.retrieval_service.agent.library import BOARD, Library, documents, done
from tests.retrieval_service.agent.planner_server import Misbehave, PlannerServer, playing, respond

QUESTION = "How did the load on Sand Bridge change over time?"
PATIENCE_S = 0.5
"""For one that never answers; any other has time enough on the busiest machine."""
LONG_S = 30.0
LATE = "no answer in time"


def hang(_: BaseHTTPRequestHandler, over: threading.Event) -> None:
    over.wait(30)


def drip(handler: BaseHTTPRequestHandler, over: threading.Event) -> None:
    handler.send_response(200)
    handler.end_headers()
    while not over.wait(0.05):
        handler.wfile.write(b" ")
        handler.wfile.flush()


def pour(handler: BaseHTTPRequestHandler, over: threading.Event) -> None:
    handler.send_response(200)
    handler.end_headers()
    while not over.is_set():
        handler.wfile.write(b" " * LARGEST_ANSWER)


def go_round(handler: BaseHTTPRequestHandler, _: threading.Event) -> None:
    respond(handler, b"", 307, location=handler.path)


def fail(handler: BaseHTTPRequestHandler, _: threading.Event) -> None:
    respond(handler, b"out of memory", 500)


def gibberish(handler: BaseHTTPRequestHandler, _: threading.Event) -> None:
    respond(handler, b"\xff\xfe no json")


def deep(handler: BaseHTTPRequestHandler, _: threading.Event) -> None:
    respond(handler, b"[" * 60_000)


def hang_up(handler: BaseHTTPRequestHandler, _: threading.Event) -> None:
    handler.close_connection = True


ONE = {"query": "load of the bridge"}
BAD: list[tuple[str, PlannerServer | Misbehave | Json, str]] = [
    ("hangs", hang, LATE),
    ("drips", drip, LATE),
    ("pours", pour, "its answer is longer than 65536 bytes"),
    ("redirects for ever", go_round, "answered with status 307"),
    ("fails", fail, "answered with status 500"),
    ("answers no JSON", gibberish, "its answer is no plan"),
    ("answers without end", deep, "its answer is no plan"),
    ("hangs up", hang_up, "cannot be asked (RemoteProtocolError)"),
    ("answers in prose", "I would search for bridges.", "its answer is no plan"),
    ("answers nonsense", {"searches": "bridges"}, "its answer is no plan"),
    ("plans nothing", {"searches": []}, "its answer is no plan"),
    ("asks nothing", {"searches": [{"query": "  "}]}, "its answer is no plan"),
    ("asks for another tenant", {"searches": [{**ONE, "tenant": "other"}]}, "its answer is no plan"),
    ("asks for another's groups", {"searches": [ONE], "groups": ["board"]}, "its answer is no plan"),
    ("makes up a filter", {"searches": [{**ONE, "metadata": {"secret": True}}]}, "its answer is no plan"),
    ("gives an address to ask", {"searches": [{**ONE, "url": "http://169.254.169.254/"}]}, "its answer is no plan"),
    ("makes up a document", {"searches": [ONE, {**ONE, "documents": ["reports:1999/none.pdf"]}]}, "its plan names what it was not shown"),
    (
        "asks for a hidden document",
        {"searches": [{**ONE, "documents": ["vault:2024/sand-bridge.pdf"]}]},
        "its plan names what it was not shown",
    ),
    ("asks for a hidden source", {"searches": [{**ONE, "sources": ["vault"]}]}, "its plan names what it was not shown"),
    ("goes round in circles", {"searches": [ONE, ONE]}, "its plan repeats itself"),
    ("asks too much", {"searches": [{"query": f"bridge {number}"} for number in range(200)]}, "its answer is no plan"),
    ("asks at length", {"searches": [{"query": "bridge " * 100}]}, "its answer is no plan"),
]


def planned(trace: list[AgentStep]) -> AgentStep:
    (step,) = [step for step in trace if step.action == "plan"]
    return step


@pytest.mark.parametrize(("how", "does", "note"), BAD, ids=[how for how, _, _ in BAD])
def test_one_that_misbehaves_changes_nothing_but_the_note(library: Library, how: str, does: Misbehave | Json, note: str) -> None:
    server = PlannerServer(misbehave=does) if callable(does) else PlannerServer(content=does)
    without, its = library.explore(QUESTION)
    with playing(server):
        model = PlannerModel(server.url, "planner", None, PATIENCE_S if note == LATE else LONG_S)
        found, trace = library.explore(QUESTION, propose=model.within(NEVER, 10))
    assert planned(trace).why == f"{planned(its).why}; the planner model's was not taken: {note}"
    planned(trace).why = planned(its).why
    assert done(trace) == done(its)
    assert [hit.model_dump() for hit in found.hits] == [hit.model_dump() for hit in without.hits]
    assert (found.aspects, found.stopped, found.tokens) == (without.aspects, without.stopped, without.tokens)
    assert len(server.asked) == 1, "one try"


def test_one_that_is_not_there_changes_nothing_either(library: Library) -> None:
    found, trace = library.explore(QUESTION, propose=PlannerModel("http://127.0.0.1:9/v1", "planner", None, LONG_S).within(NEVER, 10))
    assert "cannot be asked (ConnectError)" in planned(trace).why
    assert found.hits


def test_it_gets_half_of_the_time_there_is(library: Library) -> None:
    with playing(PlannerServer(misbehave=hang)) as server:
        model = PlannerModel(server.url, "planner", None)
        found, trace = library.explore(QUESTION, propose=model.within(Deadline.after(3000), 10))
    assert LATE in planned(trace).why
    assert planned(trace).took_ms < 3000
    assert found.hits


def test_a_good_plan_is_followed_and_sees_only_what_the_caller_sees(library: Library) -> None:
    plan: Json = {
        "searches": [
            {"query": "how heavy may carts be", "documents": ["reports:2022/sand-bridge.pdf"]},
            {"query": "who pays a toll", "sources": ["manual"]},
        ]
    }
    with playing(PlannerServer(content=plan)) as server:
        model = PlannerModel.of(Settings(planner_url=f"{server.url}/", planner_model="small", planner_key=SecretStr("k")))
        assert model is not None
        found, trace = library.explore(QUESTION, propose=model.within(NEVER, 10))
        library.explore(QUESTION, BOARD, propose=model.within(NEVER, 10))
    assert planned(trace).why.startswith("by the planner model")
    assert [each.name for each in found.aspects] == ["search 1", "search 2"]
    searched = {step.query: step.filters for step in trace if step.filters}
    assert len(searched["how heavy may carts be"].documents) == 1
    assert searched["who pays a toll"].sources == ["manual"]
    assert documents(found)[0] == "2022/sand-bridge.pdf"
    assert server.keys == ["Bearer k"] * 2
    assert server.asked[0]["model"] == "small"
    shown, boards = (json.dumps(asked["messages"]) for asked in server.asked)
    assert "vault" not in shown and "2024" not in shown and "sand-bridge.pdf" in shown
    assert "vault:2024/sand-bridge.pdf" in boards


def test_a_plan_in_a_fence_is_read(library: Library) -> None:
    with playing(PlannerServer(content="```json\n" + json.dumps({"searches": [ONE]}) + "\n```")) as server:
        _, trace = library.explore(QUESTION, propose=PlannerModel(server.url, "planner", None).within(NEVER, 10))
    assert planned(trace).why.startswith("by the planner model")


def test_it_is_off_by_default_and_takes_http_alone() -> None:
    assert PlannerModel.of(Settings()) is None
    with pytest.raises(ValidationError):
        Settings(planner_url="file:///etc/passwd")
