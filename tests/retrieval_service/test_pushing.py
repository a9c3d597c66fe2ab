"""Documents that applications push: who may, what lies on the disk afterwards, and what the receipt tells."""

from __future__ import annotations

import base64
import errno
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response
from pydantic import JsonValue as Json

from quality_checks.contracts import load_contracts
from search_index import pushing
from search_index.model.document import document_id, sha256
from search_index.model.release import Verdict, now
from search_index.model.state import LaneState
from tests.retrieval_service.access.conftest import Services, bearer, issue, problem
from tests.retrieval_service.fakes import FakeIndex, Passage, manifest_of, wait_until, wait_until_served

TEXT: dict[str, Json] = {"path": "2026/4711.txt", "title": "Pump 3", "text": "The gland leaks.", "metadata": {"open": True}}


@dataclass(frozen=True)
class Keys:
    """Headers of whoever has which groups; made before the service starts, which reads keys twice a second only."""

    support: dict[str, str]
    sales: dict[str, str]
    both: dict[str, str]
    reader: dict[str, str]


@pytest.fixture
def keys(index: FakeIndex) -> Keys:
    def made(*groups: str, scopes: tuple[str, ...] = ("push",)) -> dict[str, str]:
        return bearer(issue(index, scopes, groups).secret)

    index.publish()
    others = ("search", "feedback", "governance", "operate", "history")
    return Keys(made("support"), made("sales"), made("support", "sales"), made("support", scopes=others))


@pytest.fixture
def support(keys: Keys) -> dict[str, str]:
    return keys.support


@pytest.fixture
def service(keys: Keys, index: FakeIndex) -> Iterator[TestClient]:
    with Services(index).client() as client:
        yield client


def push(client: TestClient, key: dict[str, str], *documents: Json, source: str = "tickets", **more: Json) -> Response:
    return client.put("/v1/documents", json={"source": source, "documents": list(documents), **more}, headers=key)


def state(client: TestClient, key: dict[str, str], receipt: str) -> Json:
    answer = client.get(f"/v1/pushed/{receipt}", headers=key)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()["documents"][0]
    return found


def folder(index: FakeIndex, source: str = "tickets") -> Path:
    return index.settings.root / "pushed" / source / "documents"


class TestTaking:
    def test_a_first_push_makes_a_source_and_its_contract(self, service: TestClient, support: dict[str, str], index: FakeIndex) -> None:
        answer = push(service, support, TEXT, access=["support"])
        assert answer.status_code == 202, answer.text
        receipt = answer.json()
        line = (folder(index) / f"{document_id('tickets', '2026/4711.txt')}.jsonl").read_bytes()
        assert json.loads(line) == {"id": "2026/4711.txt", "title": "Pump 3", "text": "The gland leaks.", "metadata": {"open": True}}
        assert receipt["documents"] == [
            {"uri": "tickets:2026/4711.txt", "document_id": document_id("tickets", "2026/4711.txt"), "sha256": sha256(line.rstrip(b"\n"))}
        ]
        good, broken = load_contracts(index.settings.contract_folders, index.settings.contract_variables)
        assert not broken
        contract = good["tickets"]
        assert (contract.location, contract.access_groups, contract.tenant) == (str(folder(index)), ("support",), "default")
        assert contract.records is not None

    def test_files_stand_where_their_paths_say(self, service: TestClient, support: dict[str, str], index: FakeIndex) -> None:
        document: Json = {
            "path": "manuals/pump.pdf", "content": base64.b64encode(b"%PDF-1.7").decode(), "modified_at": "2026-03-01T09:30:00Z",
        }  # fmt: skip
        answer = push(service, support, document, access=["support", "everyone"])
        assert answer.json()["documents"][0]["sha256"] == sha256(b"%PDF-1.7")
        stored = folder(index) / "manuals" / "pump.pdf"
        assert stored.read_bytes() == b"%PDF-1.7"
        assert datetime.fromtimestamp(stored.stat().st_mtime, UTC) == datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
        assert problem(push(service, support, TEXT)) == "wrong-usage", "a source holds texts or files"

    def test_a_path_holds_what_was_pushed_to_it_last_and_the_same_bytes_are_left_alone(
        self, service: TestClient, support: dict[str, str], index: FakeIndex
    ) -> None:
        push(service, support, TEXT, access=["support"])
        stored = next(folder(index).iterdir())
        before = stored.stat()
        push(service, support, TEXT)
        assert stored.stat().st_mtime_ns == before.st_mtime_ns
        push(service, support, {**TEXT, "text": "Repaired."})
        assert json.loads(stored.read_bytes())["text"] == "Repaired."
        assert list((index.settings.root / "pushed" / "tickets" / "incoming").iterdir()) == []

    def test_what_is_taken_away_is_gone_from_the_disk(self, service: TestClient, support: dict[str, str], index: FakeIndex) -> None:
        push(service, support, TEXT, access=["support"])
        asked = {"source": "tickets", "path": ["2026/4711.txt", "never/there.txt"]}
        answer = service.delete("/v1/documents", params=asked, headers=support)
        assert answer.status_code == 202, answer.text
        assert [each["sha256"] for each in answer.json()["documents"]] == [None, None]
        assert list(folder(index).iterdir()) == []

    def test_a_full_disk_is_said_and_leaves_nothing_half(
        self, service: TestClient, support: dict[str, str], index: FakeIndex, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        push(service, support, TEXT, access=["support"])

        def full(_: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        answer = push(service, support, {**TEXT, "path": "other.txt"})
        assert (answer.status_code, problem(answer)) == (507, "disk-full")
        assert len(list(folder(index).iterdir())) == 1
        assert list((index.settings.root / "pushed" / "tickets" / "incoming").iterdir()) == []

    @pytest.mark.parametrize(
        "path",
        [
            "", "/etc/passwd", "../up.txt", "a/../../b", "a//b", "a/", "./a", "a\\b", "a\0b", "a\nb", ".hidden", "a/.git/b", "~$open.docx",
            "a.tmp", "node_modules/x.js", " a", "a ", "e\u0301.txt", "\u202etxt.exe", "x" * 300, "/".join("abcdefghijklm"), "Thumbs.db",
        ],
    )  # fmt: skip
    def test_a_path_that_leads_elsewhere_or_is_never_read_is_refused(
        self, service: TestClient, support: dict[str, str], index: FakeIndex, path: str
    ) -> None:
        answer = push(service, support, {**TEXT, "path": path}, access=["support"])
        assert (answer.status_code, problem(answer)) == (422, "invalid-request")
        asked = {"source": "tickets", "path": path}
        assert service.delete("/v1/documents", params=asked, headers=support).status_code == 422
        assert not (index.settings.root / "pushed").exists()

    @pytest.mark.parametrize(
        "document",
        [
            {"path": "a.txt"},
            {"path": "a.txt", "text": ""},
            {"path": "a.txt", "text": " \n"},
            {"path": "a.txt", "text": "x", "content": "eA=="},
            {"path": "a.pdf", "content": "not base64!"},
            {"path": "a.pdf", "content": ""},
            {"path": "a.pdf", "content": "eA==", "title": "x"},
            {"path": "a.txt", "text": "x", "metadata": {"access": "everyone"}},
            {"path": "a.txt", "text": "x", "metadata": {"a b": 1}},
            {"path": "a.txt", "text": "x", "metadata": {"a": {"deep": 1}}},
            {"path": "a.txt", "text": "x", "modified_at": "2026-03-01T09:30:00"},
            {"path": "a.txt", "text": "x", "modified_at": "0001-01-01T00:00:00Z"},
            {"path": "a.txt", "text": "x", "modified_at": "9999-12-31T23:59:59-12:00"},
            {"path": "a.txt", "text": "x", "metadata": {"a": "y" * 2001}},
            {"path": "a.txt", "text": "x", "groups": ["everyone"]},
        ],
    )  # fmt: skip
    def test_a_document_that_is_none_is_refused(self, service: TestClient, support: dict[str, str], document: Json) -> None:
        assert push(service, support, document, access=["support"]).status_code == 422

    def test_too_many_at_once_twice_the_same_and_both_kinds_are_refused(self, service: TestClient, support: dict[str, str]) -> None:
        many = [{**TEXT, "path": f"{number}.txt"} for number in range(101)]
        file: Json = {"path": "a.pdf", "content": "eA=="}
        for documents in (many, [TEXT, TEXT], [TEXT, file], []):
            assert push(service, support, *documents, access=["support"]).status_code == 422

    def test_a_path_through_a_document_is_refused(self, service: TestClient, support: dict[str, str]) -> None:
        def file(path: str) -> Json:
            return {"path": path, "content": "eA=="}

        assert push(service, support, file("a"), access=["support"]).status_code == 202
        assert push(service, support, file("a/b")).status_code == 400
        push(service, support, file("folder/b"))
        assert push(service, support, file("folder")).status_code == 400


class TestWhoMay:
    def test_a_key_without_the_scope_may_not(self, service: TestClient, keys: Keys) -> None:
        other = keys.reader
        assert push(service, other, TEXT, access=["support"]).status_code == 403
        assert service.delete("/v1/documents", params={"source": "tickets", "path": "a"}, headers=other).status_code == 403

    def test_a_new_source_says_who_may_read_it_and_never_more_than_its_maker_is_in(
        self, service: TestClient, support: dict[str, str], index: FakeIndex
    ) -> None:
        assert problem(push(service, support, TEXT)) == "wrong-usage"
        assert problem(push(service, support, TEXT, access=["support", "board"])) == "forbidden"
        assert push(service, support, TEXT, access=[]).status_code == 422
        assert not (index.settings.root / "pushed").exists()

    def test_others_may_not_push_there_nor_look_and_are_not_told_that_it_exists(
        self, service: TestClient, support: dict[str, str], keys: Keys
    ) -> None:
        receipt = push(service, support, TEXT, access=["support"]).json()["receipt"]
        stranger = keys.sales
        refused = push(service, stranger, TEXT)
        unknown = push(service, stranger, TEXT, source="nothing", access=["sales"])
        assert (refused.status_code, unknown.status_code) == (403, 202)
        taken = service.delete("/v1/documents", params={"source": "tickets", "path": "a"}, headers=stranger).json()
        absent = service.delete("/v1/documents", params={"source": "absent", "path": "a"}, headers=stranger).json()
        assert taken["detail"].replace("tickets", "absent") == absent["detail"]
        for name in (receipt, "20260101-" + "0" * 32, "../../signing.key", "x"):
            assert service.get(f"/v1/pushed/{name}", headers=stranger).status_code == 404
        assert push(service, keys.both, TEXT).status_code == 202, "who is in its groups may"

    def test_there_are_only_so_many_sources(self, service: TestClient, support: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("retrieval_service.pushing.MOST_SOURCES", 2)
        answers = [push(service, support, TEXT, source=f"tickets_{n}", access=["support"]).status_code for n in range(3)]
        assert answers == [202, 202, 409]

    def test_a_source_of_an_operator_is_not_pushed_to(self, service: TestClient, support: dict[str, str], index: FakeIndex) -> None:
        contracts = index.settings.root / "contracts"
        contracts.mkdir()
        (contracts / "theirs.yaml").write_text("name: handbook\n")
        for source in ("handbook", "candidate"):
            assert problem(push(service, support, TEXT, source=source, access=["support"])) == "forbidden"

    def test_access_is_not_changed_by_pushing(self, service: TestClient, support: dict[str, str]) -> None:
        push(service, support, TEXT, access=["support"])
        assert problem(push(service, support, TEXT, access=["everyone"])) == "wrong-usage"
        assert push(service, support, TEXT, access=["support"]).status_code == 202

    def test_a_contract_that_an_operator_took_away_is_not_written_again(
        self, service: TestClient, support: dict[str, str], index: FakeIndex
    ) -> None:
        push(service, support, TEXT, access=["support"])
        contract = index.settings.root / "contracts" / "tickets.yaml"
        contract.write_text(contract.read_text().replace("1.0.0", "1.1.0"))
        assert push(service, support, TEXT).status_code == 202
        assert "1.1.0" in contract.read_text()
        contract.unlink()
        assert problem(push(service, support, TEXT)) == "refused"
        assert not contract.exists()


class TestWhatBecameOfIt:
    @pytest.fixture
    def receipt(self, service: TestClient, support: dict[str, str]) -> dict[str, Json]:
        found: dict[str, Json] = push(service, support, TEXT, access=["support"]).json()
        return found

    @staticmethod
    def listed(index: FakeIndex, began: datetime, data_version: str = "00" * 32) -> None:
        index.home.catalog.record_lane(
            LaneState(
                source="tickets",
                stage="manifest",
                inputs="",
                data_version=data_version,
                state={"began": began.isoformat()},
                run_id="r",
                at=now(),
            )
        )

    def test_it_waits_until_a_run_has_begun_after_it(
        self, service: TestClient, support: dict[str, str], receipt: dict[str, Json], index: FakeIndex
    ) -> None:
        name = str(receipt["receipt"])
        pushed_at = datetime.fromisoformat(str(receipt["at"]))
        assert state(service, support, name)["state"] == "waiting"  # type: ignore[index, call-overload]
        self.listed(index, pushed_at - timedelta(seconds=1))
        assert state(service, support, name)["state"] == "waiting"  # type: ignore[index, call-overload]
        self.listed(index, pushed_at + timedelta(seconds=1))
        assert state(service, support, name)["state"] == "ingested"  # type: ignore[index, call-overload]

    def test_a_check_that_failed_since_is_named(
        self, service: TestClient, support: dict[str, str], receipt: dict[str, Json], index: FakeIndex
    ) -> None:
        self.listed(index, now())
        failed = Verdict(
            check="documents_complete", subject="tickets", inputs={}, outcome="failed", severity="error", summary="secret", run_id="r"
        )
        warned = failed.model_copy(update={"check": "language", "severity": "warning"})
        index.home.catalog.add_verdicts([failed, warned, failed.model_copy(update={"check": "other", "subject": "wiki"})])
        found = state(service, support, str(receipt["receipt"]))
        assert isinstance(found, dict)
        assert (found["state"], found["checks"]) == ("held", ["documents_complete"])
        assert "secret" not in json.dumps(found)

    def test_it_is_live_when_the_index_holds_just_these_bytes(
        self, service: TestClient, support: dict[str, str], receipt: dict[str, Json], index: FakeIndex
    ) -> None:
        class Pushed(Passage):
            raw = "11" * 32

            def payload(self) -> dict[str, Json]:
                return {**super().payload(), "raw_sha256": self.raw}

        passage = Pushed("The gland leaks.", "2026/4711.txt", "tickets", valid_from=2, groups=frozenset({"support"}))
        index.passages = [passage]
        wait_until_served(service, index.publish())
        assert state(service, support, str(receipt["receipt"]))["state"] == "waiting"  # type: ignore[index, call-overload]
        passage.raw = str(receipt["documents"][0]["sha256"])  # type: ignore[index, call-overload]
        answer = service.get(f"/v1/pushed/{receipt['receipt']}", headers=support).json()
        assert (answer["live"], answer["documents"][0]["state"], answer["documents"][0]["release"]) == (True, "live", 2)
        index.home.catalog.erase_documents({passage.document: "tickets"}, "ada")
        wait_until(lambda: state(service, support, str(receipt["receipt"]))["state"] != "live", "it is erased")  # type: ignore[index, call-overload]

    def test_what_the_live_release_was_made_with_and_does_not_show_is_unreadable_or_gone(
        self, service: TestClient, support: dict[str, str], receipt: dict[str, Json], index: FakeIndex, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked = {"source": "tickets", "path": "2026/4711.txt"}
        removed = service.delete("/v1/documents", params=asked, headers=support).json()["receipt"]
        pin = manifest_of(2, parent=1).sources["tickets"]
        wait_until_served(service, index.publish())
        self.listed(index, now(), data_version=pin.manifest.digest)
        assert state(service, support, str(receipt["receipt"]))["state"] == "unreadable"  # type: ignore[index, call-overload]
        found = state(service, support, removed)
        assert isinstance(found, dict)
        assert (found["state"], found["release"]) == ("live", 2)

    def test_receipts_go_after_thirty_days(
        self, service: TestClient, support: dict[str, str], receipt: dict[str, Json], monkeypatch: pytest.MonkeyPatch, index: FakeIndex
    ) -> None:
        later = now() + pushing.RECEIPTS_KEPT + timedelta(days=2)
        monkeypatch.setattr("retrieval_service.pushing.now", lambda: later)
        newer = push(service, support, TEXT).json()["receipt"]
        assert service.get(f"/v1/pushed/{receipt['receipt']}", headers=support).status_code == 404
        assert service.get(f"/v1/pushed/{newer}", headers=support).status_code == 200
