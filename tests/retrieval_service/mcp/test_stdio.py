"""``plumbline mcp`` as a process, before there is anything to serve: what a client meets, and how it ends."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from plumbline.cli.runner import run

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}},
}
SEARCH = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "search", "arguments": {"query": "x"}}}
COMMAND = [sys.executable, "-m", "plumbline.cli", "mcp"]


def lines(*messages: object) -> str:
    return "".join(json.dumps(message) + "\n" for message in messages)


def test_it_answers_until_its_input_ends_and_says_what_is_missing(tmp_path: Path, child_env: dict[str, str]) -> None:
    process = subprocess.Popen(
        COMMAND,
        env={**child_env, "PLUMBLINE_HOME": str(tmp_path / "none")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(lines(INITIALIZE, {"jsonrpc": "2.0", "method": "notifications/initialized"}, SEARCH))
    process.stdin.flush()
    answers = [json.loads(process.stdout.readline()) for _ in range(2)]
    rest, said = process.communicate(timeout=60)
    assert (process.returncode, rest) == (0, ""), said
    assert answers[0]["result"]["serverInfo"]["name"] == "plumbline"
    assert answers[1]["result"]["isError"] is True
    assert "nothing-published: There is no home" in answers[1]["result"]["content"][0]["text"]
    assert "plumbline ingest" in answers[1]["result"]["content"][0]["text"]
    assert "Traceback" not in said and '"event": "tool"' in said
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_it_while_it_waits_for_a_line(tmp_path: Path, child_env: dict[str, str], number: signal.Signals) -> None:
    process = subprocess.Popen(
        COMMAND,
        env={**child_env, "PLUMBLINE_HOME": str(tmp_path / "none")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    process.stdin.write(lines(INITIALIZE))
    process.stdin.flush()
    assert json.loads(process.stdout.readline())["id"] == 1
    process.send_signal(number)
    assert process.wait(timeout=30) == 0  # its input is open still
    with process.stdin, process.stdout, process.stderr:
        assert "Traceback" not in process.stderr.read()
        assert process.stdout.read() == ""


def test_stdout_is_the_protocols(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["mcp", "--json"]) == 2
    assert "--json" in json.loads(capfd.readouterr().out)["error"]["remedy"]
