"""``plumbline up``: starts the service and Dagster, minds them, and stops them all when it is told to, or dies."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Literal

from filelock import FileLock, Timeout

from plumbline.cli.crew import Crew, Worker, spawn
from plumbline.cli.ready import address_of, answers, dagster_address
from plumbline.up_dagster import ContractWatch, dagster_workers
from search_index.errors import Busy, HomeDamaged, PlumblineError, WrongUsage
from search_index.settings import Settings

Say = Callable[[str], None]
Announce = Callable[[Settings], None]

SERVICE_READY_S, DAGSTER_READY_S = 60.0, 120.0
_MIND_EVERY_S = 0.25
_CONTRACTS_EVERY = 12
"""Looks at the processes between two looks at the contracts."""


def run_up(settings: Settings, say: Say, announce: Announce, *, ingest_first: bool) -> Literal["stopped", "interrupted"]:
    """Run everything in the foreground until SIGINT or SIGTERM.

    Args:
        say: told what happens, a line each.
        announce: called once when everything answers.

    Errors:
        Busy: this home is up already, or a port is in use.
        WrongUsage: settings cannot work together.
        HomeDamaged: the home cannot be written.
    """
    with _signals_noted() as stop, _up_lock(settings):
        check_ports(settings)
        environment = _prepare(settings, say)
        if ingest_first and _contracts(settings):
            _ingest(environment, say, stop)
        if stop.is_set():
            return "interrupted"
        say("Starting the service and Dagster.")
        crew = Crew(_workers(settings, environment), say)
        try:
            crew.start()
            _wait_until_ready(settings, crew, say, stop)
            if stop.is_set():
                return "interrupted"
            announce(settings)
            contracts, minded = ContractWatch(settings, say), 0
            while not stop.wait(_MIND_EVERY_S):
                crew.mind()
                minded += 1
                if minded % _CONTRACTS_EVERY == 0:
                    contracts.mind()
        finally:
            crew.stop()
    return "stopped"


def check_ports(settings: Settings) -> None:
    """Make sure that both ports can be had.

    Errors:
        Busy: another process listens on one.
        WrongUsage: they are the same.
    """
    if settings.port == settings.dagster_port:
        raise WrongUsage(f"The service and Dagster cannot both have port {settings.port}.", "Set PLUMBLINE_PORT or PLUMBLINE_DAGSTER_PORT.")
    for host, port, name in (
        (settings.host, settings.port, "PLUMBLINE_PORT"),
        ("127.0.0.1", settings.dagster_port, "PLUMBLINE_DAGSTER_PORT"),
    ):
        try:
            family, kind, _, _, address = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)[0]
            with socket.socket(family, kind) as tried:
                tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                tried.bind(address)
        except socket.gaierror as error:
            raise WrongUsage(f"{host} is no address of this machine.", "Correct PLUMBLINE_HOST.") from error
        except OSError as error:
            raise Busy(
                f"Port {port} on {host} cannot be had: {error.strerror}.", f"Stop what listens there, or choose another with {name}."
            ) from error


@dataclass(frozen=True)
class UpState:
    """A running ``plumbline up``."""

    pid: int
    service: str
    dagster: str


def up_state(settings: Settings) -> UpState | None:
    """The ``plumbline up`` that runs on this home, None when none does."""
    path = settings.root / "up.lock"
    if not path.exists():
        return None
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return _noted_state(settings)
    except OSError:
        return None
    lock.release()
    return None


def _noted_state(settings: Settings) -> UpState:
    try:
        return UpState(**json.loads((settings.root / "up.json").read_text()))
    except (OSError, ValueError, TypeError):
        return UpState(0, address_of(settings), dagster_address(settings))


@contextlib.contextmanager
def _up_lock(settings: Settings) -> Iterator[None]:
    """One ``up`` a home. The kernel holds the lock as long as the process lives."""
    try:
        settings.root.mkdir(parents=True, exist_ok=True)
        lock = FileLock(settings.root / "up.lock")
        lock.acquire(timeout=0)
    except Timeout as error:
        running = _noted_state(settings)
        raise Busy(
            f"`plumbline up` runs on {settings.root} already: process {running.pid}, {running.service}.",
            f"Open {running.service}, or stop it first: kill {running.pid}",
        ) from error
    except OSError as error:
        raise HomeDamaged(
            f"The home {settings.root} cannot be written: {error.strerror}.", "Check its owner, its mode and the disk."
        ) from error
    note = settings.root / "up.json"
    try:
        note.write_text(json.dumps({"pid": os.getpid(), "service": address_of(settings), "dagster": dagster_address(settings)}))
        yield
    finally:
        note.unlink(missing_ok=True)
        lock.release()


@contextlib.contextmanager
def _signals_noted() -> Iterator[threading.Event]:
    """SIGINT and SIGTERM set the event; nothing is torn out of what it does. Asked three times, it stops asking back."""
    stop, asked = threading.Event(), 0

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked += 1
        stop.set()
        if asked >= 3:
            raise KeyboardInterrupt

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _prepare(settings: Settings, say: Say) -> dict[str, str]:
    """Sample documents where a contract asks for them, Dagster's settings, and the environment for the children."""
    samples = settings.root / "samples"
    if any(location == str(samples) for location in _contracts(settings).values()):
        from plumbline.samples import write_samples

        say(f"Sample documents: {len(write_samples(samples))} files in {samples}")
    from pipelines.dagster_home import dagster_environment

    return {
        **os.environ,
        "PLUMBLINE_HOME": str(settings.root),
        "PLUMBLINE_CONTRACTS": str(settings.contract_folders[0]),
        **dagster_environment(settings),
        "DAGSTER_DISABLE_TELEMETRY": "yes",
        "PYTHONUNBUFFERED": "1",
    }


def _contracts(settings: Settings) -> dict[str, str]:
    """Location by source; empty for a contract that does not validate, which its lane reports."""
    from quality_checks.contracts import load_contracts

    good, broken = load_contracts(settings.contract_folders, settings.contract_variables)
    return {name: contract.location for name, contract in good.items()} | dict.fromkeys(broken, "")


def _ingest(environment: dict[str, str], say: Say, stop: threading.Event) -> None:
    """Ingest in a process of its own, so that what it loads is not kept. However it ends, the last release is served."""
    process = spawn([sys.executable, "-m", "plumbline.cli", "ingest"], environment, output=2)
    while process.poll() is None:
        if stop.wait(_MIND_EVERY_S):
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
            process.wait()
            return
    if process.returncode == PlumblineError.exit_code:
        say("The ingest failed; what was published before is served.")
    elif process.returncode != 0:
        say("Not everything was published; what was published before is served.")


def _workers(settings: Settings, environment: dict[str, str]) -> list[Worker]:
    serve = [sys.executable, "-m", "plumbline.cli", "serve"]
    return [Worker("service", serve, environment, settings.root / "logs" / "service.log"), *dagster_workers(settings, environment)]


def _wait_until_ready(settings: Settings, crew: Crew, say: Say, stop: threading.Event) -> None:
    """Until the service and the Dagster UI answer, or it takes too long, which is said and lived with.

    Errors:
        Busy, WrongUsage: the service will not start as it is set up; starting it again would not help.
    """
    for name, url, within_s in (
        ("service", f"{address_of(settings)}/health/live", SERVICE_READY_S),
        ("dagster-webserver", f"{dagster_address(settings)}/server_info", DAGSTER_READY_S),
    ):
        until = time.monotonic() + within_s
        while not answers(url):
            crew.mind()
            if stop.wait(_MIND_EVERY_S):
                return
            if time.monotonic() > until:
                say(f"{name} does not answer after {within_s:.0f} s; see {crew.log_of(name)}")
                break
