"""Alerts reach a real HTTP server, signed and without text, and never hurt the run that sends them."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pipelines.alerts.messages import BUDGET_S, Alert, deliver, send, signature, undelivered
from pipelines.alerts.orders import alert_freeze, alert_override, alert_resumed, alert_rollback
from pipelines.alerts.sending import alert_decision, alert_failure, alert_freshness
from pipelines.automation.freshness import Freshness
from pipelines.release.outcomes import Decision
from search_index.model.operating import Freeze, Override
from search_index.settings import Settings
from tests.project import Project

REASONS = ["source_reachable: the folder does not exist."]


@dataclass
class Receiver:
    """What was posted, and with which statuses to answer; when those are used up, 204."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    posts: list[tuple[dict[str, str], str]] = field(default_factory=list)
    stalls_s: float = 0.0

    @property
    def kinds(self) -> list[str]:
        return [json.loads(body)["type"] for _, body in self.posts]

    @property
    def data(self) -> list[dict[str, object]]:
        return [json.loads(body)["data"] for _, body in self.posts]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    got = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            time.sleep(got.stalls_s)
            status = got.statuses.pop(0) if got.statuses else 204
            if status < 300:
                got.posts.append(({k.lower(): v for k, v in self.headers.items()}, body))
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    got.url = f"http://127.0.0.1:{server.server_address[1]}/hook/secret-path"
    yield got
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def settings(project: Project, receiver: Receiver) -> Settings:
    return project.settings.model_copy(update={"webhook_url": receiver.url, "webhook_secret": "whsec_c2VjcmV0"})


@pytest.fixture
def log() -> list[str]:
    return []


def decision(status: str, held: dict[str, list[str]] | None = None) -> Decision:
    reasons = ["golden_ndcg: nDCG@10 is 0.1"] if status == "refused" else []
    return Decision(status, 3, 3 if status == "published" else 2, held or {}, reasons, {}, {"documents": 7, "chunks": 9})


def a_message() -> Alert:
    return Alert(kind="failed", subject="animals/documents", what="It failed.", remedy="Mend it.")


def test_the_signature_is_that_of_the_specification() -> None:
    """The example that the specification's own libraries are tested with."""
    body = '{"test": 2432232314}'
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body) == expected


def test_published_refused_and_failed_are_told_with_what_to_do(settings: Settings, receiver: Receiver, log: list[str]) -> None:
    alert_decision(settings, decision("published"), log.append)
    alert_decision(settings, decision("refused"), log.append)
    alert_failure(settings, "animals/vectors", "run-1", "animals/vectors failed: the disk is full.", "Make room.", log.append)
    assert receiver.kinds == ["plumbline.published", "plumbline.refused", "plumbline.failed"]
    published, refused, failed = receiver.data
    assert published["what"] == "Release 3 is live with 7 documents and 9 passages."
    assert "plumbline releases show 3" in str(refused["remedy"])
    assert failed["remedy"] == "Make room."
    assert str(failed["link"]).endswith("/runs/run-1")
    headers, body = receiver.posts[0]
    stamp = int(headers["webhook-timestamp"])
    assert headers["webhook-signature"] == signature("whsec_c2VjcmV0", headers["webhook-id"], stamp, body)
    assert log == []


def test_a_source_is_told_to_be_held_once_for_each_reason(settings: Settings, receiver: Receiver, log: list[str]) -> None:
    for held in (REASONS, REASONS, ["contract_accepted: more may read it."]):
        alert_decision(settings, decision("held", {"animals": held}), log.append)
    assert receiver.kinds == ["plumbline.held", "plumbline.held"]
    alert_decision(settings, decision("unchanged"), log.append)
    alert_decision(settings, decision("held", {"animals": REASONS}), log.append)
    assert len(receiver.kinds) == 3, "held anew after it had not been"


def test_stale_is_told_once_and_its_end_too(settings: Settings, receiver: Receiver, log: list[str]) -> None:
    stale, fresh = (Freshness("animals", lag, 60.0, datetime.now(UTC)) for lag in (61.0, 59.0))
    never = Freshness("machines", None, 60.0, None)
    for state in (fresh, stale, stale, fresh, fresh):
        alert_freshness(settings, [state, never], log.append)
    assert receiver.kinds == ["plumbline.stale", "plumbline.fresh"]


def test_a_server_that_stumbles_gets_it_on_the_next_try(settings: Settings, receiver: Receiver, log: list[str]) -> None:
    receiver.statuses = [503, 500]
    assert send(settings, [a_message()], log.append) == 0
    assert receiver.kinds == ["plumbline.failed"]


def test_what_cannot_be_delivered_is_logged_kept_and_delivered_later(
    settings: Settings, receiver: Receiver, log: list[str], project: Project
) -> None:
    deaf = settings.model_copy(update={"webhook_url": f"http://127.0.0.1:9/token-in-path, {receiver.url}"})
    began = time.monotonic()
    assert send(deaf, [a_message(), a_message()], log.append) == 2
    assert time.monotonic() - began < BUDGET_S + 3
    assert receiver.kinds == ["plumbline.failed"] * 2, "one address does not stop the other"
    assert len(log) == 1
    assert "127.0.0.1" in log[0]
    assert "token-in-path" not in log[0]
    waiting = undelivered(deaf)
    assert "refused" in waiting[0].error.lower()
    (project.root / "home" / "alerts" / "outbox" / "torn.json").write_text("{")
    for path in (project.root / "home" / "alerts" / "outbox").glob("20*.json"):
        path.write_text(path.read_text().replace("http://127.0.0.1:9/token-in-path", receiver.url))
    ids = [m.id for m in waiting]
    assert deliver(settings, log.append) == 0
    assert [headers["webhook-id"] for headers, _ in receiver.posts[2:]] == ids, "oldest first, and under the id it had"
    assert undelivered(settings) == []


def test_a_server_that_stalls_costs_a_run_a_few_seconds_at_most(settings: Settings, receiver: Receiver, log: list[str]) -> None:
    receiver.stalls_s = 3.0
    began = time.monotonic()
    assert send(settings, [a_message()] * 5, log.append) == 5
    assert time.monotonic() - began < BUDGET_S + 3


def test_an_address_that_is_none_is_said_and_does_not_raise(settings: Settings, log: list[str]) -> None:
    assert send(settings.model_copy(update={"webhook_url": "mailto:someone"}), [a_message()], log.append) == 1
    assert "UnsupportedProtocol" in log[0]


def test_a_home_that_cannot_be_written_is_said_and_does_not_raise(settings: Settings, project: Project, log: list[str]) -> None:
    (project.root / "home").mkdir()
    (project.root / "home" / "alerts").write_text("in the way")
    alert_decision(settings, decision("published"), log.append)
    assert "lost" in log[0]


@pytest.mark.slow
def test_a_run_tells_what_it_published_and_held_without_a_word_of_text(project: Project, receiver: Receiver) -> None:
    project.options = {"webhook_url": receiver.url}
    project.ingest()
    assert receiver.kinds == ["plumbline.published"]
    folder = project.root / "sources" / "animals"
    folder.rename(folder.with_name("away"))
    project.ingest()
    assert receiver.kinds == ["plumbline.published", "plumbline.held"]
    assert receiver.data[1]["subject"] == "animals"
    assert "does not exist" in str(receiver.data[1]["what"])
    project.ingest()
    assert len(receiver.kinds) == 2, "nothing new"
    assert not any("eels" in body or "crankshaft" in body for _, body in receiver.posts)


@pytest.mark.slow
def test_a_step_that_fails_is_told_and_says_what_to_do(project: Project, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    project.options = {"webhook_url": receiver.url, "model": "no-such-model"}
    outcome = project.ingest()
    assert not outcome.success
    assert "plumbline.failed" in receiver.kinds
    told = next(d for d in receiver.data if d["subject"] == "embedding_model")
    assert "no-such-model" in str(told["what"])
    assert told["remedy"]
    said = next(f for f in outcome.failures if f.startswith("embedding_model"))
    assert str(told["remedy"]) in said
    assert "Traceback" not in said


def test_rolled_back_frozen_overridden_and_resumed_are_one_signed_alert_each(
    settings: Settings, receiver: Receiver, log: list[str]
) -> None:
    at = datetime.now(UTC)
    override = Override(id="3fa9", checks=["golden_floor"], reason="urgent", actor="ana", ordered_at=at, expires_at=at + timedelta(hours=2))
    alert_rollback(settings, 7, 6, "ana", "prices are wrong", log.append)
    alert_freeze(settings, Freeze(at=at, actor="ana", reason="moving house"), log.append)
    alert_override(settings, override, log.append)
    alert_resumed(settings, 7, "bo", "mended", log.append)
    assert receiver.kinds == ["plumbline.rolled_back", "plumbline.frozen", "plumbline.overridden", "plumbline.resumed"]
    told = [str(data["what"]) for data in receiver.data]
    assert told[0] == "ana rolled back from release 7 to release 6: prices are wrong. Publishing is paused."
    assert "frozen by ana" in told[1]
    assert "(golden_floor) by ana until" in told[2]
    assert "plumbline releases revoke" in str(receiver.data[2]["remedy"])
    assert all("webhook-signature" in headers for headers, _ in receiver.posts)


def test_a_release_that_went_live_by_override_says_so_in_its_alert(settings: Settings, receiver: Receiver, log: list[str]) -> None:
    at = datetime.now(UTC)
    override = Override(id="3fa9", reason="urgent", actor="ana", ordered_at=at, expires_at=at + timedelta(hours=2))
    alert_decision(settings, replace(decision("published"), override=override, overridden=["golden_floor: 0.1"]), log.append)
    assert "in spite of failed checks: gates are overridden" in str(receiver.data[0]["what"])
    assert receiver.data[0]["facts"]["overridden"] == ["golden_floor: 0.1"]  # type: ignore[index]
    alert_decision(settings, replace(decision("published"), override=override), log.append)
    assert "in spite" not in str(receiver.data[1]["what"]), "it stood, and was not needed"
