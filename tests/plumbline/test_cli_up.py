"""``plumbline up``: one a home, ports of its own, children that are minded and that never outlive it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from plumbline.cli.crew import Crew, Worker, spawn
from plumbline.cli.ready import address_of, answers
from plumbline.cli.runner import run
from plumbline.up import check_ports, up_state
from search_index.errors import Busy, WrongUsage
from search_index.settings import Settings
from tests.conftest import ROOT

FOREVER = "import time\nwhile True: time.sleep(60)"
STUBBORN = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('up', flush=True)\nwhile True: time.sleep(60)"


def wait_for(found: Callable[[], object], within_s: float = 20.0) -> None:
    until = time.monotonic() + within_s
    while not found():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def worker(tmp_path: Path, name: str, program: str) -> Worker:
    return Worker(name, [sys.executable, "-c", program], os.environ, tmp_path / "logs" / f"{name}.log")


@pytest.fixture
def said() -> list[str]:
    """What the crew says."""
    return []


@pytest.fixture
def crew(said: list[str]) -> Iterator[Callable[[list[Worker]], Crew]]:
    made: list[Crew] = []

    def make(workers: list[Worker]) -> Crew:
        made.append(Crew(workers, said.append))
        made[-1].start()
        return made[-1]

    yield make
    for each in made:
        each.stop()


class TestCrew:
    def test_a_worker_that_dies_is_reported_and_started_again(
        self, tmp_path: Path, crew: Callable[[list[Worker]], Crew], said: list[str]
    ) -> None:
        one = worker(tmp_path, "one", FOREVER)
        minded = crew([one])
        first = one.process
        assert first is not None
        first.kill()
        wait_for(lambda: first.poll() is not None)
        wait_for(lambda: minded.mind() or (one.process is not first))
        assert one.process is not None
        assert one.process.poll() is None
        assert "SIGKILL" in said[0]

    def test_it_waits_longer_each_time(self, tmp_path: Path, crew: Callable[[list[Worker]], Crew], said: list[str]) -> None:
        failing = worker(tmp_path, "failing", "raise SystemExit(1)")
        minded = crew([failing])
        wait_for(lambda: minded.mind() or failing.failures == 3)
        delays = [float(line.split(" in ")[1].split(" s")[0]) for line in said]
        assert delays == [0.5, 1.0, 2.0]

    def test_a_service_that_cannot_work_as_set_up_is_not_started_again(self, tmp_path: Path, crew: Callable[[list[Worker]], Crew]) -> None:
        service = worker(tmp_path, "service", "import sys; print('the host is wrong', file=sys.stderr); sys.exit(2)")
        minded = crew([service])
        with pytest.raises(WrongUsage, match="the host is wrong"):
            wait_for(minded.mind)

    @pytest.mark.slow
    def test_one_that_will_not_stop_is_killed_with_its_children(self, tmp_path: Path, crew: Callable[[list[Worker]], Crew]) -> None:
        program = f"import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', {STUBBORN!r}])\n{STUBBORN}"
        stubborn = worker(tmp_path, "stubborn", program)
        minded = crew([stubborn])
        wait_for(lambda: stubborn.log.exists() and stubborn.log.read_text().count("up") == 2)
        assert stubborn.process is not None
        family = psutil.Process(stubborn.process.pid).children(recursive=True)
        minded.stop()
        assert stubborn.process.returncode == -signal.SIGKILL
        _, alive = psutil.wait_procs(family, timeout=5)
        assert not [p for p in alive if p.status() != psutil.STATUS_ZOMBIE]


def test_a_child_dies_with_its_parent_even_when_that_is_killed_and_had_ignored_sigterm() -> None:
    start = (
        "from plumbline.cli.crew import spawn; import os, signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        f"c = spawn([sys.executable, '-c', {FOREVER!r}], os.environ, 2)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", f"{start}; print(c.pid, flush=True); time.sleep(600)"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
    finally:
        parent.kill()
        parent.communicate()
    _, alive = psutil.wait_procs([child], timeout=10)
    assert not [p for p in alive if p.status() != psutil.STATUS_ZOMBIE]


def test_a_child_does_not_get_the_terminals_ctrl_c() -> None:
    child = spawn([sys.executable, "-c", FOREVER], os.environ, 2)
    try:
        assert os.getpgid(child.pid) != os.getpgrp()
    finally:
        child.kill()
        child.wait()


def test_a_port_in_use_is_named_with_the_variable_that_changes_it(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Busy, match=str(port)) as busy:
            check_ports(Settings(home=tmp_path, port=port, dagster_port=free_port()))
        assert "PLUMBLINE_PORT" in busy.value.remedy
        with pytest.raises(Busy, match=str(port)) as busy:
            check_ports(Settings(home=tmp_path, port=free_port(), dagster_port=port))
        assert "PLUMBLINE_DAGSTER_PORT" in busy.value.remedy
    check_ports(Settings(home=tmp_path, port=port, dagster_port=free_port()))
    with pytest.raises(WrongUsage):
        check_ports(Settings(home=tmp_path, port=port, dagster_port=port))


@pytest.mark.slow
def test_up_serves_minds_and_stops(tmp_path: Path, child_env: dict[str, str], capfd: pytest.CaptureFixture[str]) -> None:
    home, contracts = tmp_path / "home", tmp_path / "contracts"
    contracts.mkdir()
    contract = (ROOT / "contracts" / "samples.yaml").read_text()
    (contracts / "samples.yaml").write_text(contract)
    settings = Settings(home=home, contracts=contracts, port=free_port(), dagster_port=free_port())
    told = {
        "PLUMBLINE_HOME": str(home),
        "PLUMBLINE_CONTRACTS": str(contracts),
        "PLUMBLINE_PORT": str(settings.port),
        "PLUMBLINE_DAGSTER_PORT": str(settings.dagster_port),
    }
    up = subprocess.Popen(
        [sys.executable, "-m", "plumbline.cli", "up", "--json"], cwd=ROOT, env={**child_env, **told}, stdout=subprocess.PIPE, text=True
    )
    try:
        assert up.stdout is not None
        said = ""
        while not said.endswith("\n}\n"):
            line = up.stdout.readline()
            assert line, f"it ended early with {up.wait()}"
            said += line
        document = json.loads(said)
        assert document["release"] == 1
        assert document["console"] == f"{address_of(settings)}/"
        assert len(document["examples"]) == 3
        assert all(example["uri"].startswith("samples:") for example in document["examples"])
        assert answers(f"http://127.0.0.1:{settings.dagster_port}/server_info", timeout_s=10)

        state = up_state(settings)
        assert state is not None
        assert state.pid == up.pid
        with pytest.MonkeyPatch.context() as patch:
            for name, value in told.items():
                patch.setenv(name, value)
            assert run(["up"]) == 4
        assert f"process {up.pid}" in capfd.readouterr().err

        family = psutil.Process(up.pid).children(recursive=True)
        service = next(p for p in family if p.cmdline()[-1:] == ["serve"])
        service.kill()
        wait_for(lambda: not answers(f"{address_of(settings)}/health/live"))
        wait_for(lambda: answers(f"{address_of(settings)}/health/live"), 60)

        family = psutil.Process(up.pid).children(recursive=True)
        up.send_signal(signal.SIGTERM)
        assert up.wait(20) == 0
        _, alive = psutil.wait_procs(family, timeout=5)
        assert not [p for p in alive if p.status() != psutil.STATUS_ZOMBIE]
        assert up_state(settings) is None
    finally:
        up.kill()
        up.communicate()


LEAVES_ONE_BEHIND = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {STUBBORN!r}], stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
child.wait()
"""
CREW_OF_ONE = """
import os, sys, time
from pathlib import Path
from plumbline.cli.crew import Crew, Worker
log = Path(sys.argv[1])
Crew([Worker("one", [sys.executable, "-c", sys.argv[2]], os.environ, log)], print).start()
print("started", flush=True)
time.sleep(600)
"""


@pytest.mark.slow
def test_what_a_worker_leaves_behind_ends_when_its_crew_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "one.log"
    parent = subprocess.Popen([sys.executable, "-c", CREW_OF_ONE, str(log), LEAVES_ONE_BEHIND], cwd=ROOT, stdout=subprocess.PIPE)
    try:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"started\n"
        wait_for(lambda: log.exists() and log.read_text().strip())
        left = psutil.Process(int(log.read_text()))
    finally:
        parent.kill()
        parent.communicate()
    _, alive = psutil.wait_procs([left], timeout=30)
    assert alive == []


@pytest.mark.slow
def test_killing_up_takes_everything_with_it(tmp_path: Path, child_env: dict[str, str]) -> None:
    ports = {"PLUMBLINE_PORT": str(free_port()), "PLUMBLINE_DAGSTER_PORT": str(free_port())}
    (tmp_path / "contracts").mkdir()
    env = {**child_env, **ports, "PLUMBLINE_HOME": str(tmp_path / "home"), "PLUMBLINE_CONTRACTS": str(tmp_path / "contracts")}
    up = subprocess.Popen([sys.executable, "-m", "plumbline.cli", "up", "--json"], cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True)
    try:
        assert up.stdout is not None
        assert up.stdout.readline() == "{\n"
        family = psutil.Process(up.pid).children(recursive=True)
        assert len(family) >= 3
    finally:
        up.kill()
        up.communicate()
    _, alive = psutil.wait_procs(family, timeout=30)
    assert not [p for p in alive if p.status() != psutil.STATUS_ZOMBIE]
