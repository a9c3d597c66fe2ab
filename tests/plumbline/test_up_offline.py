"""`plumbline up`, cut off from every network: samples are ingested, a release is served, and Ctrl-C ends it.

The whole first hour in one process tree that has a loopback of its own and nothing else, the model's export included.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.network import NoNetwork

FIRST_HOUR = """
import json, os, signal, subprocess, sys, time, urllib.request

up = subprocess.Popen([sys.executable, "-m", "plumbline.cli", "up"])
deadline = time.monotonic() + 240
def ready(url):
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False
while not (ready("http://127.0.0.1:8000/health/ready") and ready("http://127.0.0.1:3000/server_info")):
    assert up.poll() is None, "up ended by itself"
    assert time.monotonic() < deadline, "nothing was served in time"
    time.sleep(0.5)
question = json.dumps({"query": "which bridge was hit by an excavator"}).encode()
asked = urllib.request.Request("http://127.0.0.1:8000/v1/search", question, {"content-type": "application/json"})
found = json.load(urllib.request.urlopen(asked, timeout=30))
print("FOUND", found["release"]["revision"], found["hits"][0]["uri"], flush=True)
time.sleep(5)
os.kill(up.pid, signal.SIGINT)
print("LEFT WITH", up.wait(timeout=60), flush=True)
"""


@pytest.mark.slow
def test_the_first_hour_needs_no_network(no_network_env: NoNetwork, tmp_path: Path) -> None:
    env = dict(no_network_env.env) | {
        "PLUMBLINE_HOME": str(tmp_path / "home"),
        "PLUMBLINE_CONTRACTS": str(ROOT / "contracts"),
        "PLUMBLINE_MODELS": str(tmp_path / "models"),
    }
    if no_network_env.means == "guard":
        pytest.skip("needs a network namespace, in which ports 8000 and 3000 are free and nothing leaves: allow unshare --net")
    done = NoNetwork(no_network_env.means, no_network_env.prefix, env).run([sys.executable, "-c", FIRST_HOUR], timeout_s=400, cwd=ROOT)
    assert "FOUND 1 samples:" in done.stdout, done.stdout[-3000:] + done.stderr[-3000:]
    assert "LEFT WITH 0" in done.stdout
