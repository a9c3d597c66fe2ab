"""The hourly probe of a real service: what it measures and compares with, and what it makes of one that is ill, another's or gone."""

from __future__ import annotations

import io
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import httpx
import pytest
import uvicorn
from pydantic import SecretStr

from pipelines.alerts.messages import undelivered
from pipelines.alerts.sending import alert_probe
from pipelines.definitions import build_definitions
from pipelines.reports.service_probe import probe_service, reader_of
from pipelines.workspace import LogProgress, Workspace
from retrieval_service.app import create_app
from retrieval_service.telemetry import Telemetry
from search_index.model.keys import KeyTerms
from search_index.model.release import now
from search_index.model.service_probe import ServiceProbe
from search_index.searcher import Searcher
from tests.pipelines.test_gates import GOLDEN
from tests.project import ANIMALS, Project, copied

AT = datetime(2026, 3, 2, 6, 15, tzinfo=UTC)
NOWHERE = "http://127.0.0.1:9/hook"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def _evaluated_once(tmp_path_factory: pytest.TempPathFactory, _published_once: Path) -> Path:
    """Release 2 is live, and was evaluated on four golden queries."""
    project = Project(copied(_published_once, tmp_path_factory.mktemp("evaluated") / "project"))
    project.golden(GOLDEN)
    project.source("animals", {**ANIMALS, "mole.md": "# The mole\n\nThe mole stores earthworms in a larder beside its nest.\n"})
    assert project.ingest().success
    return project.root


@pytest.fixture
def evaluated(tmp_path: Path, _evaluated_once: Path) -> Project:
    return Project(copied(_evaluated_once, tmp_path / "project"))


@contextmanager
def serving(project: Project) -> Iterator[str]:
    """The real service on a port of its own; gives its address."""
    app = create_app(project.settings, telemetry=Telemetry(io.StringIO()))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="on"))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def probed(project: Project, address: str, **settings: object) -> ServiceProbe:
    """What a probe of the service at an address finds."""
    settings_of_it = project.settings.model_copy(update={"service_url": address, **settings})
    workspace = Workspace(settings_of_it, LogProgress(lambda _: None))
    try:
        return probe_service(workspace, AT)
    finally:
        workspace.home.catalog.close()


def played(answer: Callable[[httpx.Request], httpx.Response]) -> httpx.Client:
    """A client of a service that a test plays."""
    return httpx.Client(base_url="http://service", transport=httpx.MockTransport(answer))


class TestProbe:
    def test_what_is_served_is_what_was_measured(self, evaluated: Project) -> None:
        recorded = evaluated.home.catalog.release(2).scores
        with serving(evaluated) as address:
            found = probed(evaluated, address)
        assert (found.reachable, found.revision, found.asked, found.answered, found.compared) == (True, 2, 4, 4, 4)
        assert (found.failed, found.degraded, found.problems) == ({}, 0, {})
        assert found.measures.keys() == {"ndcg@10", "recall@100", "mrr@10"}
        for measure, value in found.measures.items():
            assert value == pytest.approx(recorded["modes"]["hybrid"][measure]["value"], abs=1e-5), measure  # type: ignore[index,call-overload]
        assert found.recorded == pytest.approx(found.measures["ndcg@10"], abs=1e-5)
        assert found.p95_ms is not None
        assert found.p50_ms is not None
        assert 0 < found.p50_ms <= found.p95_ms
        assert not any(word in found.model_dump_json() for word in ("otter", "badger", "heron", "swift")), "no query's text"

    def test_it_leaves_no_trace_in_the_query_log(self, evaluated: Project) -> None:
        with serving(evaluated) as address:
            probed(evaluated, address)
            httpx.post(f"{address}/v1/search", json={"query": "what a person asks"}, trust_env=False)
        logged = evaluated.home.catalog.queries_between(datetime(2020, 1, 1, tzinfo=UTC), now())
        assert len(logged) == 1

    def test_a_service_that_ranks_worse_than_its_release_did_is_told_of(self, evaluated: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        search = Searcher.search

        def backwards(self: Searcher, *given: object, **named: object) -> object:
            answer = search(self, *given, **named)  # type: ignore[arg-type]
            return answer.model_copy(update={"hits": answer.hits[::-1]})

        monkeypatch.setattr(Searcher, "search", backwards)
        with serving(evaluated) as address:
            found = probed(evaluated, address)
        assert found.problems.keys() == {"worse"}
        assert found.recorded is not None
        assert found.recorded - found.measures["ndcg@10"] > 0.3

    def test_a_service_that_does_without_an_arm_is_told_of(self, evaluated: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        with serving(evaluated) as address:

            def broken(self: object, texts: list[str]) -> None:
                raise RuntimeError("the model is ill")

            monkeypatch.setattr("search_index.embedding.encoder.Encoder.encode_queries", broken)
            found = probed(evaluated, address)
        assert found.degraded == found.answered == 4
        assert "degraded" in found.problems

    def test_a_key_asks_as_whom_it_is_of(self, evaluated: Project) -> None:
        issued = evaluated.home.catalog.create_key(KeyTerms(name="probe", scopes=["search"]), "tester")
        with serving(evaluated) as address:
            without = probed(evaluated, address)
            found = probed(evaluated, address, probe_key=SecretStr(issued.secret))
        assert (without.answered, list(without.problems)) == (0, ["failing"])
        assert without.failed == {"401 unauthorized": 4}
        assert (found.answered, found.problems) == (4, {})

    def test_a_key_of_another_tenant_is_asked_nothing_of_this_one(self, evaluated: Project) -> None:
        issued = evaluated.home.catalog.create_key(KeyTerms(name="probe", tenant="others", scopes=["search"]), "tester")
        with serving(evaluated) as address:
            found = probed(evaluated, address, probe_key=SecretStr(issued.secret))
        assert (found.tenant, found.asked, found.problems) == ("others", 0, {})
        assert "no golden query" in found.why


class TestNotThere:
    def test_nothing_that_answers_is_no_error(self, evaluated: Project) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            found = probed(evaluated, f"http://127.0.0.1:{free.getsockname()[1]}")
        assert (found.reachable, found.problems, found.asked) == (False, {}, 0)
        assert "ConnectError" in found.why

    @pytest.mark.parametrize("text", ["<html>another program</html>", '{"revision": "x"}', "[]"])
    def test_another_program_on_the_port_is_no_service(self, evaluated: Project, text: str) -> None:
        found = self.asking(evaluated, lambda _: httpx.Response(200, text=text))
        assert (found.reachable, found.problems) == (False, {})
        assert "no search service" in found.why

    def test_a_service_of_another_home_is_asked_nothing(self, evaluated: Project) -> None:
        ready = {"status": "ready", "revision": 2, "index": "another"}
        found = self.asking(evaluated, lambda _: httpx.Response(200, json=ready))
        assert (list(found.problems), found.asked) == (["elsewhere"], 0)
        assert self.asking(evaluated, lambda _: httpx.Response(200, json={**ready, "revision": 99})).problems.keys() == {"elsewhere"}

    def test_a_service_that_serves_nothing_says_why(self, evaluated: Project) -> None:
        problem = {"type": "urn:plumbline:problem:starting", "title": "t", "status": 503, "detail": "d", "request_id": "r"}
        found = self.asking(evaluated, lambda _: httpx.Response(503, json=problem))
        assert (found.reachable, found.problems) == (True, {"not_ready": "it answers no search (503 starting)"})

    def test_requests_that_fail_are_counted_by_what_they_failed_with(self, evaluated: Project) -> None:
        index = evaluated.home.catalog.release(2).manifest
        assert index is not None
        ready = {"status": "ready", "revision": 2, "index": index.index}
        problem = {"type": "urn:plumbline:problem:overloaded", "title": "t", "status": 503, "detail": "d", "request_id": "r"}
        fates: Iterator[httpx.Response | httpx.ReadTimeout] = iter(
            [
                httpx.Response(503, json=problem),
                httpx.Response(200, text="{}"),
                httpx.ReadTimeout("x"),
                httpx.Response(502, text="bad gateway"),
            ]
        )

        def answer(request: httpx.Request) -> httpx.Response:
            if request.url.path == "/health/ready":
                return httpx.Response(200, json=ready)
            fate = next(fates)
            if isinstance(fate, httpx.Response):
                return fate
            raise fate

        found = self.asking(evaluated, answer)
        assert found.failed == {"200 not an answer": 1, "502 no search service": 1, "503 overloaded": 1, "ReadTimeout": 1}
        assert (found.asked, found.answered, found.measures, list(found.problems)) == (4, 0, {}, ["failing"])

    def test_an_older_release_than_the_live_one_is_told_of(self, evaluated: Project) -> None:
        with serving(evaluated) as address:
            (evaluated.root / "sources" / "animals" / "mole.md").unlink()
            ready = httpx.get(f"{address}/health/ready", trust_env=False).json()
            assert ready["revision"] == 2
            evaluated.home.catalog.move_live(1, "rollback", "ada", "a test", None)
            found = self.asking(
                evaluated, lambda request: httpx.Response(200, json=ready) if request.url.path == "/health/ready" else httpx.Response(502)
            )
        assert found.problems["behind"] == "release 2 answers, and 1 is live"

    @staticmethod
    def asking(project: Project, answer: Callable[[httpx.Request], httpx.Response]) -> ServiceProbe:
        workspace = Workspace(project.settings, LogProgress(lambda _: None))
        try:
            return probe_service(workspace, AT, played(answer))
        finally:
            workspace.home.catalog.close()


class TestAsset:
    def test_a_click_asks_keeps_and_shows_it(self, evaluated: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        with serving(evaluated) as address, dg.DagsterInstance.ephemeral() as instance:
            result = self.job(evaluated, monkeypatch, address).execute_in_process(instance=instance)
            quality = httpx.get(f"{address}/v1/quality", trust_env=False).json()
        shown = result.asset_materializations_for_node("service_probe")[0].metadata
        assert (shown["reachable"].value, shown["release"].value, shown["answered"].value) == (True, 2, 4)
        assert result.get_asset_check_evaluations()[0].passed
        kept = evaluated.home.catalog.last_probe()
        assert kept is not None
        assert kept.measures["ndcg@10"] == shown["ndcg@10"].value
        (day,) = quality["probes"]
        assert (day["release"], day["probes"], day["asked"], day["failed"], day["unreachable"], day["problems"]) == (2, 1, 4, 0, 0, {})
        assert day["ndcg"] == kept.measures["ndcg@10"]
        assert "probed" not in json.dumps(quality["series"])

    def test_a_service_that_stopped_is_told_of_once_and_one_that_never_ran_is_not(
        self, evaluated: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with socket.socket() as free, dg.DagsterInstance.ephemeral() as instance:
            free.bind(("127.0.0.1", 0))
            job = self.job(evaluated, monkeypatch, f"http://127.0.0.1:{free.getsockname()[1]}")
            assert job.execute_in_process(instance=instance).success
            assert told(evaluated) == []
            evaluated.home.catalog.add_probe(ServiceProbe(at=now(), reachable=True, revision=2))
            for _ in range(2):
                assert job.execute_in_process(instance=instance).success
        (alert,) = told(evaluated)
        assert "nothing answers" in alert

    @staticmethod
    def job(project: Project, monkeypatch: pytest.MonkeyPatch, address: str) -> dg.JobDefinition:
        monkeypatch.setenv("PLUMBLINE_HOME", str(project.settings.root))
        monkeypatch.setenv("PLUMBLINE_CONTRACTS", str(project.root / "contracts"))
        monkeypatch.setenv("PLUMBLINE_WEBHOOK_URL", NOWHERE)
        monkeypatch.setenv("PLUMBLINE_SERVICE_URL", address)
        return build_definitions(project.settings).resolve_job_def("probe_hourly_job")


def test_each_change_is_told_once(project: Project) -> None:
    well = ServiceProbe(at=AT, reachable=True, revision=1)
    worse = well.model_copy(update={"problems": {"worse": "0.3 less"}})
    gone = ServiceProbe(at=AT, reachable=False, why="nothing answers")
    settings = project.settings.model_copy(update={"webhook_url": NOWHERE})
    before: ServiceProbe | None = None
    for found in (gone, well, well, worse, worse, gone, gone, worse, well, gone, well):
        alert_probe(settings, found, before, lambda _: None)
        before = found
    alert_probe(project.settings, worse, well, lambda _: None)
    said = ["worse" if "0.3" in what else "gone" if "nothing" in what else "well" for what in told(project)]
    assert said == ["worse", "gone", "worse", "well", "gone", "well"]


def test_without_a_key_it_asks_as_anybody(project: Project) -> None:
    workspace = Workspace(project.settings.model_copy(update={"probe_key": SecretStr("not one of ours")}), LogProgress(lambda _: None))
    assert (reader_of(workspace).tenant, sorted(reader_of(workspace).groups)) == ("default", ["everyone"])
    workspace.home.catalog.close()


def told(project: Project) -> list[str]:
    """What each alert says, oldest first."""
    messages = undelivered(project.settings.model_copy(update={"webhook_url": NOWHERE}))
    bodies = [json.loads(message.body) for message in messages]
    return [body["data"]["what"] for body in bodies if body["type"] == "plumbline.probe"]
