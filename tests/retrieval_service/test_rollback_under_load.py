"""A rollback and back again while a real service is asked without a pause: no request fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from plumbline.cli.rollback import check_servable
from tests.project import Project
from tests.retrieval_service.test_end_to_end import serving

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
PATIENCE_S = 60


def test_no_request_fails_while_it_is_rolled_back_and_resumed(
    tmp_path: Path, models_dir: Path, child_env: dict[str, str], rounds: int, record_property: Callable[[str, object], None]
) -> None:
    project = Project(tmp_path)
    folder = project.source("notes", {"a.txt": "The ferry leaves at six.", "b.txt": "The harbour master has the key."})
    project.ingest()
    (folder / "a.txt").write_text("The ferry leaves at seven now.")
    assert project.ingest().decision.status == "published"  # type: ignore[union-attr]
    failed: list[str] = []
    seen: list[tuple[float, int]] = []
    stop = threading.Event()
    catalog = project.home.catalog

    with serving(project, child_env) as address:

        def ask() -> None:
            with httpx.Client(base_url=address, timeout=30) as client:
                while not stop.is_set():
                    response = client.post("/v1/search", json={"query": "when does the ferry leave"})
                    revision = int(response.headers.get("Plumbline-Release", 0))
                    right = {1: "six", 2: "seven"}.get(revision, "?")
                    if response.status_code != 200 or right not in response.json()["hits"][0]["text"]:
                        failed.append(response.text)
                    seen.append((time.monotonic(), revision))

        def answered_by(revision: int, since: float) -> float:
            """Seconds until the first answer of a release."""
            until = time.monotonic() + PATIENCE_S
            while time.monotonic() < until:
                first = next((at for at, found in list(seen) if at > since and found == revision), None)
                if first is not None:
                    return first - since
                time.sleep(0.01)
            raise AssertionError(f"release {revision} never answered")

        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(min(max(rounds, 1), 20)):
                began = time.monotonic()
                check_servable(project.home, 1)
                catalog.move_live(1, "rollback", "tester", "try", paused="try")
                record_property("seconds until a service answers from the older release", round(answered_by(1, began), 3))
                began = time.monotonic()
                catalog.move_live(2, "resume", "tester", "", paused=None)
                answered_by(2, began)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
    assert failed == []
    record_property("requests while it was rolled back and forth, none failed", len(seen))
