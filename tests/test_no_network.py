"""The network is off in tests: in this process, in the ones it starts, and in the namespace that stronger proofs run in."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest
from pytest_socket import SocketConnectBlockedError

from tests.network import NoNetwork, guarded, namespace_prefix

# An address kept for documentation (RFC 5737): nobody answers there, so that a guard with a hole makes a test wait and not talk.
ELSEWHERE = "192.0.2.1"

REACH_OUT = f"""
import socket
for family, kind in ((socket.AF_INET, socket.SOCK_STREAM), (socket.AF_INET, socket.SOCK_DGRAM)):
    s = socket.socket(family, kind)
    s.settimeout(2)
    try:
        s.connect(("{ELSEWHERE}", 80))
    except OSError as error:
        print("refused", error.errno)
    else:
        print("connected")
try:
    socket.getaddrinfo("example.org", 80)
except socket.gaierror as error:
    print("unknown")
"""
REFUSED = ["refused 101", "refused 101", "unknown"]

STAY_HOME = """
import socket
for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "localhost")):
    with socket.socket(family) as server:
        server.bind((host, 0))
        server.listen()
        with socket.create_connection((host, server.getsockname()[1]), timeout=5) as client:
            print("connected")
"""


def test_this_process_cannot_connect_to_another_machine() -> None:
    with socket.socket() as sender, pytest.raises(SocketConnectBlockedError):
        sender.connect((ELSEWHERE, 80))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_this_process_can_connect_to_itself(host: str) -> None:
    with socket.socket() as server:
        server.bind((host, 0))
        server.listen()
        with socket.create_connection(server.getsockname(), timeout=5) as client:
            assert client.getpeername() == server.getsockname()


@pytest.fixture(params=["guard", "namespace"])
def cut_off(request: pytest.FixtureRequest) -> NoNetwork:
    """Each way of cutting a command off, whichever of them this machine prefers."""
    if request.param == "guard":
        return NoNetwork("guard", (), guarded(os.environ))
    if not namespace_prefix():
        pytest.skip("needs a kernel that lets this user make a network namespace: unshare --map-root-user --net true")
    return NoNetwork("namespace", namespace_prefix(), os.environ)


def test_a_command_cut_off_reaches_no_other_machine_and_resolves_no_name(cut_off: NoNetwork) -> None:
    done = cut_off.run([sys.executable, "-c", REACH_OUT])
    assert done.stdout.splitlines() == REFUSED, done.stderr


def test_a_command_cut_off_still_reaches_itself(cut_off: NoNetwork) -> None:
    done = cut_off.run([sys.executable, "-c", STAY_HOME])
    assert done.stdout.splitlines() == ["connected", "connected"], done.stderr


def test_a_grandchild_is_cut_off_too(cut_off: NoNetwork) -> None:
    start_another = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {REACH_OUT!r}], check=True)"
    done = cut_off.run([sys.executable, "-c", start_another])
    assert done.stdout.splitlines() == REFUSED, done.stderr


def test_a_namespace_holds_programs_that_are_not_python() -> None:
    if not namespace_prefix():
        pytest.skip("needs a kernel that lets this user make a network namespace: unshare --map-root-user --net true")
    reach_out = f"exec 3<>/dev/tcp/{ELSEWHERE}/80"
    done = NoNetwork("namespace", namespace_prefix(), os.environ).run(["bash", "-c", reach_out], timeout_s=10)
    assert done.returncode != 0
    assert "unreachable" in done.stderr


def test_the_exit_status_of_a_command_comes_through(no_network_env: NoNetwork) -> None:
    assert no_network_env.run([sys.executable, "-c", "raise SystemExit(7)"]).returncode == 7


def test_children_started_with_the_shared_environment_are_cut_off(child_env: dict[str, str]) -> None:
    done = subprocess.run([sys.executable, "-c", REACH_OUT], env=child_env, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == REFUSED, done.stderr


def test_no_setting_of_the_person_at_the_keyboard_is_left() -> None:
    product = {name for name in os.environ if name.startswith("PLUMBLINE_")}
    assert product <= {"PLUMBLINE_MODELS", "PLUMBLINE_ROUNDS"}
    assert os.environ["HF_HUB_OFFLINE"] == "1"
    assert os.environ["HOME"] == os.environ["XDG_CACHE_HOME"] == os.environ["HF_HOME"]
