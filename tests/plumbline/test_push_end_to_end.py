"""What an application pushes goes through the gates of any source, and its receipt tells when it is live."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from pydantic import JsonValue as Json

from pipelines.sources.names import Wanted, clean_path
from retrieval_service.app import create_app
from search_index.model.document import sha256
from search_index.model.pushing import pushable_path
from tests.project import MACHINES, Project
from tests.retrieval_service.fakes import wait_until

MANUAL = b"# The manual\n\nTighten the gland nut by a quarter turn, then watch the drip rate for an hour before leaving the pump house.\n"
TICKET: dict[str, Json] = {
    "path": "2026/4711.txt",
    "title": "Pump three",
    "text": "The gland packing of pump three leaks whenever the frost returns to the valley.",
    "modified_at": "2026-03-01T09:30:00Z",
    "metadata": {"open": True, "priority": 2},
}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_texts_and_files_that_were_pushed_go_live_and_go_away_again(tmp_path: Path, models_dir: Path) -> None:
    project = Project(tmp_path)
    project.source("machines", MACHINES)
    (tmp_path / "home").mkdir()
    with TestClient(create_app(project.settings), client=("127.0.0.1", 5000), base_url="http://127.0.0.1") as client:

        def states(receipt: str) -> list[str]:
            return [each["state"] for each in client.get(f"/v1/pushed/{receipt}").json()["documents"]]

        def pushed(**body: Json) -> dict[str, Json]:
            answer = client.put("/v1/documents", json={"access": ["everyone"], **body})
            assert answer.status_code == 202, answer.text
            found: dict[str, Json] = answer.json()
            return found

        tickets = pushed(source="tickets", documents=[TICKET, {"path": "blank.txt", "text": "\u200b"}])
        files: list[Json] = [{"path": name, "content": base64.b64encode(MANUAL).decode()} for name in ("pump.md", "kiln.md", "lathe.md")]
        manuals = pushed(source="manuals", documents=files)
        assert states(str(tickets["receipt"])) == ["waiting", "waiting"]
        decision = project.ingest().decision
        assert decision is not None
        assert decision.status == "published"
        wait_until(lambda: states(str(manuals["receipt"])) == ["live"] * 3, "the manual is not live")
        assert states(str(tickets["receipt"]))[0] == "live"

        body = {"query": "which gland leaks?", "filters": {"sources": ["tickets"], "metadata": {"priority": {"gte": 2}}}}
        hit = client.post("/v1/search", json=body).json()["hits"][0]
        assert (hit["uri"], hit["title"], hit["metadata"]["open"]) == ("tickets:2026/4711.txt", "Pump three", True)
        assert hit["modified_at"].startswith("2026-03-01T09:30:00")
        assert hit["provenance"]["raw_sha256"] == tickets["documents"][0]["sha256"]  # type: ignore[index, call-overload]
        document = client.get("/v1/documents/manuals:pump.md").json()
        assert "quarter turn" in document["passages"][0]["text"]
        assert manuals["documents"][0]["sha256"] == sha256(MANUAL)  # type: ignore[index, call-overload]

        mended = pushed(source="tickets", documents=[{**TICKET, "text": "The packing was renewed; pump three is dry."}])
        gone = client.delete("/v1/documents", params={"source": "manuals", "path": "pump.md"}).json()["receipt"]
        assert client.get("/v1/documents/manuals:pump.md").status_code == 200, "it is there until the release without it"
        project.ingest()
        wait_until(lambda: states(str(mended["receipt"])) == ["live"], "the new text is not live")
        wait_until(lambda: states(gone) == ["live"], "the manual is not gone")
        assert client.get("/v1/documents/manuals:pump.md").status_code == 404
        assert "renewed" in client.get("/v1/documents/tickets:2026/4711.txt").json()["passages"][0]["text"]

        asked = {"source": "manuals", "path": ["kiln.md", "lathe.md"]}
        everything = client.delete("/v1/documents", params=asked).json()["receipt"]
        project.ingest()
        left = client.get(f"/v1/pushed/{everything}").json()["documents"]
        assert {(each["state"], *each["checks"]) for each in left} == {("held", "removal_accepted", "source_not_empty")}
        assert client.get("/v1/documents/manuals:kiln.md").status_code == 200


@pytest.mark.parametrize(
    "path", ["a.txt", "2026/4711.txt", "ü/日本.md", "a b/c (1).pdf", "..a", "a..b/c", "a:b.txt", "~a", "tmp", "x" * 200, "a~$b"]
)
def test_whatever_can_be_pushed_is_listed(path: str) -> None:
    if path.startswith("."):
        with pytest.raises(ValueError, match="hidden"):
            pushable_path(path)
        return
    assert pushable_path(path) == path
    assert clean_path(path) == path
    assert Wanted((), ())(path)
