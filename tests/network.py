"""Running a command with no network but loopback.

Where the kernel allows it (most Linux machines and CI runners) the command gets a network namespace of its own, which holds back native
code too and whose loopback is not the one outside: what talks to each other must run in one command. Elsewhere the guard in
``tests/guard`` stands in. Run as a script this file is the first process in the namespace: it switches loopback on and becomes the command.
"""

from __future__ import annotations

import fcntl
import functools
import os
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

GUARD = Path(__file__).resolve().parent / "guard"

# linux/sockios.h and linux/if.h; a struct ifreq is a name of 16 bytes and a union, 40 bytes in all.
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP, _IFREQ = 0x8913, 0x8914, 0x1, "16sh22x"


@dataclass(frozen=True)
class NoNetwork:
    """A way to start a command that reaches only its own machine: put ``prefix`` before it and give it ``env``."""

    means: Literal["namespace", "guard"]
    prefix: tuple[str, ...]
    env: Mapping[str, str]

    def run(self, command: Sequence[str], timeout_s: float = 60.0, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run ``command`` to its end and hand back what it printed; its exit status is the caller's to judge."""
        return subprocess.run(
            [*self.prefix, *command], env=dict(self.env), cwd=cwd, timeout=timeout_s, capture_output=True, text=True, check=False
        )


def guarded(env: Mapping[str, str]) -> dict[str, str]:
    """``env`` with the guard put first in ``PYTHONPATH``, for every Python process started with it."""
    before = env.get("PYTHONPATH")
    return {**env, "PYTHONPATH": os.pathsep.join([str(GUARD), before] if before else [str(GUARD)])}


@functools.cache
def namespace_prefix() -> tuple[str, ...]:
    """What to put before a command to give it a namespace of its own; empty where this machine does not allow that."""
    unshare = shutil.which("unshare")
    if unshare is None:
        return ()
    prefix = (unshare, "--map-root-user", "--net", sys.executable, str(Path(__file__).resolve()))
    tried = subprocess.run([*prefix, sys.executable, "-c", ""], capture_output=True, timeout=30, check=False)
    return prefix if tried.returncode == 0 else ()


def no_network(env: Mapping[str, str]) -> NoNetwork:
    """The strongest way this machine has; ``env`` is the environment to start commands with."""
    prefix = namespace_prefix()
    return NoNetwork("namespace", prefix, env) if prefix else NoNetwork("guard", (), guarded(env))


def _switch_loopback_on() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack(_IFREQ, b"lo", 0)
        flags = struct.unpack(_IFREQ, fcntl.ioctl(control, _SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack(_IFREQ, b"lo", flags | _IFF_UP))


if __name__ == "__main__":
    _switch_loopback_on()
    os.execvp(sys.argv[1], sys.argv[1:])
