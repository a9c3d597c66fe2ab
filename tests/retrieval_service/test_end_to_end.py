"""The service over a real home: what it answers is what was evaluated, and a new release arrives without a failed request."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from plumbline.samples import write_samples
from quality_checks.golden import load_golden
from search_index.home import open_release
from search_index.model.search import Mode, Principal, SearchRequest
from tests.project import Project

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
MODES: tuple[Mode, ...] = ("hybrid", "dense", "sparse")

SERVE = (sys.executable, "-m", "plumbline.cli", "serve")


@contextmanager
def serving(project: Project, env: dict[str, str], command: Sequence[str] = SERVE) -> Iterator[str]:
    """The service as a process of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = env | {
        "PLUMBLINE_HOME": str(project.settings.root),
        "PLUMBLINE_CONTRACTS": str(project.root / "contracts"),
        "PLUMBLINE_PORT": str(port),
    }
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while not _ready(address):
            assert process.poll() is None, "the service ended by itself"
            assert time.monotonic() < deadline, "the service did not become ready"
            time.sleep(0.2)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=30)


def _ready(address: str) -> bool:
    try:
        return httpx.get(f"{address}/health/ready", timeout=2).status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Project:
    project = Project(tmp_path_factory.mktemp("samples"))
    write_samples(project.source("samples", {}, edit=str))
    outcome = project.ingest()
    assert outcome.decision is not None
    assert outcome.decision.status == "published", (outcome.decision, outcome.failures)
    return project


def test_fifty_answers_over_http_are_the_searchers_own(samples: Project, child_env: dict[str, str]) -> None:
    queries = [query.query for query in load_golden(ROOT / "contracts" / "golden" / "samples.yaml").queries]
    asked = [SearchRequest(query=queries[i % len(queries)], mode=MODES[i % 3], limit=10) for i in range(51)]
    home = samples.home
    loaded = open_release(home, home.catalog.resolve(None))
    with serving(samples, child_env) as address, httpx.Client(base_url=address, timeout=30) as client:
        for request in asked:
            here = json.loads(loaded.searcher.search(request, loaded.ref, Principal()).model_dump_json())
            response = client.post("/v1/search", json=request.model_dump(mode="json"))
            assert response.status_code == 200, response.text
            there = response.json()
            assert there["hits"] == here["hits"]
            assert there["hits"]
            assert response.headers["Plumbline-Release"] == "1"
    loaded.close()


def test_lineage_leads_from_a_hit_down_to_the_file_and_up_to_the_run(samples: Project, child_env: dict[str, str]) -> None:
    with serving(samples, child_env) as address, httpx.Client(base_url=address, timeout=30) as client:
        hit = client.post("/v1/search", json={"query": "which bridge was hit by an excavator"}).json()["hits"][0]
        graph = client.get(f"/v1/lineage/{hit['chunk_id']}").text
        for part in (hit["provenance"]["raw_sha256"], hit["provenance"]["run_id"], hit["uri"], "chunk_spans_exact"):
            assert part in graph
        assert hit["text"][:60] not in graph
        assert client.get("/v1/lineage/samples:no-such-file.pdf").headers["content-type"] == "application/problem+json"
        assert client.get("/v1/releases").json()["live"] == 1
        assert client.get("/v1/quality").status_code == 200
        assert "plumbline_live_revision 1.0" in client.get("/metrics").text


def test_new_releases_arrive_without_a_restart_and_without_a_failed_request(
    tmp_path: Path, models_dir: Path, child_env: dict[str, str]
) -> None:
    project = Project(tmp_path)
    folder = project.source("notes", {"a.txt": "The ferry leaves at six.", "b.txt": "The harbour master has the key."})
    project.ingest()
    seen: list[int] = []
    failed: list[str] = []
    stop = threading.Event()
    with serving(project, child_env) as address:

        def ask() -> None:
            with httpx.Client(base_url=address, timeout=30) as client:
                while not stop.is_set():
                    response = client.post("/v1/search", json={"query": "when does the ferry leave"})
                    if response.status_code != 200 or not response.json()["hits"]:
                        failed.append(response.text)
                    seen.append(int(response.headers.get("Plumbline-Release", 0)))

        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        for i in range(3):
            (folder / "a.txt").write_text(f"The ferry leaves at {i + 7} now.")
            assert project.ingest().decision.status == "published"  # type: ignore[union-attr]
        deadline = time.monotonic() + 30
        while 4 not in seen[-20:] and time.monotonic() < deadline:
            time.sleep(0.1)
        stop.set()
        for thread in threads:
            thread.join()
    assert failed == []
    assert {1, 4} <= set(seen)
    assert seen[-1] == 4
