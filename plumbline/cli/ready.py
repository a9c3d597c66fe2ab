"""Whether a service answers, asked over HTTP on this machine."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import cast

from search_index.settings import Settings

_LOOK_EVERY_S = 0.2
_TIMEOUT_S = 10.0


def address_of(settings: Settings) -> str:
    """Where the service answers, as someone on this machine reaches it."""
    return settings.address


def dagster_address(settings: Settings) -> str:
    """Where the Dagster UI answers: on loopback alone, since it has no login."""
    return f"http://127.0.0.1:{settings.dagster_port}"


def answers(url: str, timeout_s: float = 1.0) -> bool:
    """Whether ``url`` answers with success."""
    try:
        with _direct().open(url, timeout=timeout_s):
            return True
    except (OSError, ValueError):
        return False


def wait_for_answer(url: str, *, within_s: float, give_up: threading.Event) -> bool:
    """Wait until ``url`` answers with success; false after ``within_s`` seconds or once ``give_up`` is set."""
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        if answers(url):
            return True
        if give_up.wait(_LOOK_EVERY_S):
            return False
    return False


def fetch(url: str, body: Mapping[str, object] | None = None) -> dict[str, object] | None:
    """The JSON object that ``url`` answers, also with an error status; None when it does not answer."""
    request = urllib.request.Request(url)  # noqa: S310 - the address is this service's own
    if body is not None:
        request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})  # noqa: S310 - as above
    try:
        with _direct().open(request, timeout=_TIMEOUT_S) as response:
            found = json.load(response)
    except urllib.error.HTTPError as error:
        try:
            found = json.load(error)
        except ValueError:
            return None
    except (OSError, ValueError):
        return None
    return cast("dict[str, object]", found) if isinstance(found, dict) else None


def _direct() -> urllib.request.OpenerDirector:
    """Asks without a proxy: what is asked is on this machine."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))
