"""The service as a process of its own: it listens, answers and ends in good order."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from retrieval_service.app import serve
from search_index.errors import Busy, WrongUsage
from search_index.settings import Settings
from tests.conftest import ROOT


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield int(other.getsockname()[1])


def test_a_port_in_use_is_said_with_what_to_do(tmp_path: Path, taken: int) -> None:
    with pytest.raises(Busy, match=rf"{taken}.*PLUMBLINE_PORT"):
        serve(Settings(home=tmp_path / "home", port=taken))


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 70000), ("127.0.0.1", -1), ("::1%nowhere", 8000)])
def test_an_address_that_cannot_be_listened_on_is_wrong_usage(tmp_path: Path, host: str, port: int) -> None:
    with pytest.raises(WrongUsage):
        serve(Settings(home=tmp_path / "home", host=host, port=port))


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_it_answers_and_ends_when_asked_to(tmp_path: Path, child_env: dict[str, str], ending: signal.Signals) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = child_env | {"PLUMBLINE_HOME": str(tmp_path / "home"), "PLUMBLINE_PORT": str(port)}
    program = "from retrieval_service.app import serve; from search_index.settings import Settings; serve(Settings())"
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if '"event": "listening"' in line:
                break
        answer = _get(f"http://127.0.0.1:{port}/health/ready")
        os.kill(process.pid, ending)
        rest = process.stderr.read()
        assert process.wait(timeout=30) in (0, -ending)
    assert answer.status_code == 503
    assert answer.json()["type"] == "urn:plumbline:problem:nothing-published"
    assert "Traceback" not in rest


def _get(url: str) -> httpx.Response:
    until = time.monotonic() + 60
    while True:
        try:
            return httpx.get(url, timeout=30)
        except httpx.TransportError:
            assert time.monotonic() < until, "the service does not answer"
            time.sleep(0.05)
