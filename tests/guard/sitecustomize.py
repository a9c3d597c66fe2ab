"""Python starts with this when its folder is in ``PYTHONPATH``: from then on a process reaches nothing but its own machine.

It answers with the errors of a machine whose cable is out, so that what is tested behaves as it would there. An audit hook sees every
call that goes through Python's sockets, whoever makes it and however it was imported, and cannot be taken off again; native code
that opens sockets by itself (uvloop, gRPC) is only held back by a network namespace, see ``tests/network.py``.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
import sys

_OWN_NAMES = frozenset({"", "localhost", "ip6-localhost", "ip6-loopback", socket.gethostname()})
_SENDING = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_NAMING = frozenset({"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"})


def _is_own(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host in _OWN_NAMES
    return address.is_loopback or address.is_unspecified


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _refuse_other_machines(event: str, arguments: tuple[object, ...]) -> None:
    if event in _SENDING:
        sender, target = arguments[0], arguments[1]
        internet = isinstance(sender, socket.SocketType) and sender.family in (socket.AF_INET, socket.AF_INET6)
        if internet and isinstance(target, tuple) and not _is_own(str(target[0])):
            raise OSError(errno.ENETUNREACH, f"the network is off in tests, and {target[0]} is another machine")
    elif event in _NAMING:
        host = arguments[0]
        name = host.decode() if isinstance(host, bytes) else host
        if isinstance(name, str) and not _is_own(name) and not _is_address(name):
            raise socket.gaierror(socket.EAI_AGAIN, f"the network is off in tests, and {name} is another machine")


sys.addaudithook(_refuse_other_machines)
