"""Under ``plumbline up`` a file that is dropped into a folder is served without a click, and nothing runs when nothing changes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from quality_checks.default_contract import default_contract
from tests.conftest import ROOT
from tests.plumbline.test_cli_up import free_port
from tests.project import ANIMALS, MACHINES

pytestmark = pytest.mark.slow
_RUNS = "{ runsOrError { ... on Runs { results { status tags { key value } } } } }"
_ASSETS = "{ assetNodes { assetKey { path } freshnessPolicy { __typename } repository { location { name } } } }"


def wait_for(found: Callable[[], object], within_s: float) -> None:
    until = time.monotonic() + within_s
    while not found():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.5)


def post(url: str, body: dict[str, object]) -> dict[str, object]:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        found = json.load(answer)
    assert isinstance(found, dict)
    return found


@pytest.mark.timeout(900)
def test_a_dropped_file_is_found_by_itself_and_then_nothing_runs(tmp_path: Path, child_env: dict[str, str]) -> None:
    folder, contracts = tmp_path / "docs", tmp_path / "contracts"
    folder.mkdir()
    contracts.mkdir()
    for name, text in ANIMALS.items():
        (folder / name).write_text(text)
    (contracts / "animals.yaml").write_text(default_contract("animals", str(folder)))
    service, dagster = free_port(), free_port()
    told = {
        "PLUMBLINE_HOME": str(tmp_path / "home"),
        "PLUMBLINE_CONTRACTS": str(contracts),
        "PLUMBLINE_PORT": str(service),
        "PLUMBLINE_DAGSTER_PORT": str(dagster),
    }

    def finds(query: str, uri: str) -> bool:
        try:
            return uri in json.dumps(post(f"http://127.0.0.1:{service}/v1/search", {"query": query, "limit": 3}))
        except (urllib.error.URLError, TimeoutError):
            return False

    def ask(query: str) -> str:
        try:
            return json.dumps(post(f"http://127.0.0.1:{dagster}/graphql", {"query": query}))
        except (urllib.error.URLError, TimeoutError):
            return ""

    up = subprocess.Popen(
        [sys.executable, "-m", "plumbline.cli", "up", "--json"], cwd=ROOT, env={**child_env, **told}, stdout=subprocess.DEVNULL
    )
    try:
        wait_for(lambda: finds("otter eels", "animals:otter.md"), 240)
        wait_for(lambda: "SUCCESS" in ask(_RUNS), 120)
        (folder / "dipper.md").write_text("# The dipper\n\nThe dipper walks under water along the bed of the beck.\n")
        wait_for(lambda: finds("dipper walks under water", "animals:dipper.md"), 300)
        assert ask(_RUNS).count('"plumbline/started_by", "value": "automation"') == 1, "one run took it from the folder to the release"

        machines = tmp_path / "machines"
        machines.mkdir()
        for name, text in MACHINES.items():
            (machines / name).write_text(text)
        (contracts / "machines.yaml").write_text(default_contract("machines", str(machines)))
        wait_for(lambda: '["machines", "manifest"]' in ask(_ASSETS), 180)
        wait_for(lambda: finds("rotary kiln limestone", "machines:kiln.txt"), 420)

        wait_for(lambda: not any(status in ask(_RUNS) for status in ("QUEUED", "STARTED", "STARTING")), 120)
        before = ask(_RUNS)
        time.sleep(65)  # a round of every sensor, and then some
        assert ask(_RUNS) == before, "a run started although nothing had changed"
        assert "FAILURE" not in before
    finally:
        up.terminate()
        up.wait(60)
