"""Dagster under ``plumbline up``: its processes, and telling it when the contracts change."""

from __future__ import annotations

import json
import sys
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from plumbline.cli.crew import Worker
from plumbline.cli.ready import dagster_address
from search_index.settings import Settings

LOCATION = "plumbline"
_MODULE = "pipelines.definitions"
_RELOAD_WITHIN_S = 15.0
_RELOAD = "mutation($name: String!) { reloadRepositoryLocation(repositoryLocationName: $name) { __typename } }"


def dagster_workers(settings: Settings, environment: Mapping[str, str]) -> list[Worker]:
    """The code server, the UI and the daemon that minds sensors, schedules and freshness.

    UI and daemon share one code server: each would start its own otherwise, and the daemon's anew every minute.
    """
    logs, python = settings.root / "logs", sys.executable
    socket = _socket(settings)
    workspace = settings.dagster_home / "workspace.yaml"
    # JSON is YAML.
    workspace.write_text(json.dumps({"load_from": [{"grpc_server": {"socket": str(socket), "location_name": LOCATION}}]}))
    socket.unlink(missing_ok=True)
    code = ["code-server", "start", "-m", _MODULE, "-s", str(socket), "--location-name", LOCATION, "--log-level", "warning"]
    code += ["--use-python-environment-entry-point", "--inject-env-vars-from-instance"]
    here = ["-h", "127.0.0.1", "-p", str(settings.dagster_port)]
    told = {**environment, "DAGSTER_SENSOR_GRPC_TIMEOUT_SECONDS": "300"}

    def worker(name: str, command: Sequence[str]) -> Worker:
        return Worker(name, [python, "-m", *command], told, logs / f"{name}.log")

    return [
        worker("dagster-code", ["dagster", *code]),
        worker("dagster-webserver", ["dagster_webserver", "-w", str(workspace), *here]),
        worker("dagster-daemon", ["dagster._daemon", "run", "-w", str(workspace)]),
    ]


def _socket(settings: Settings) -> Path:
    """Where the code server listens. A socket's path may have about a hundred bytes, which a home's may exceed."""
    path = settings.dagster_home / "code.sock"
    if len(str(path).encode()) < 100:
        return path
    import hashlib
    import tempfile

    return Path(tempfile.gettempdir()) / f"plumbline-{hashlib.sha256(str(path).encode()).hexdigest()[:16]}.sock"


class ContractWatch:
    """Notices contracts and golden sets that come, go or change, and has Dagster load them."""

    def __init__(self, settings: Settings, say: Callable[[str], None]) -> None:
        self._settings, self._say = settings, say
        self._seen = self._look()

    def mind(self) -> None:
        """Look once. Dagster that does not answer is asked again at the next look."""
        found = self._look()
        if found != self._seen and self._reload():
            self._seen = found
            self._say("The contracts changed; Dagster has loaded them.")

    def _look(self) -> dict[str, tuple[int, int]]:
        found = {}
        for folder in self._settings.contract_folders:
            for path in [*folder.glob("*.y*ml"), *folder.glob("golden/*.y*ml")]:
                try:
                    stat = path.stat()
                except OSError:  # it went away between the two looks
                    continue
                found[str(path)] = (stat.st_mtime_ns, stat.st_size)
        return found

    def _reload(self) -> bool:
        body = json.dumps({"query": _RELOAD, "variables": {"name": LOCATION}}).encode()
        address = f"{dagster_address(self._settings)}/graphql"
        request = urllib.request.Request(address, body, {"content-type": "application/json"})  # noqa: S310 - our own address
        try:
            with urllib.request.urlopen(request, timeout=_RELOAD_WITHIN_S) as answer:  # noqa: S310 - as above
                return "WorkspaceLocationEntry" in answer.read().decode()
        except OSError:
            return False
