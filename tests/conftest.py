"""What every test stands on: no network, no settings or caches of the person who runs them, and where the real data is."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.network import NoNetwork, guarded, no_network

if TYPE_CHECKING:
    from tests.postgresql import PostgreSQL
    from tests.project import Project

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared" / "data"

# No library may call home or look for a model elsewhere, in this process or in one a test starts.
_QUIET = {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DAGSTER_DISABLE_TELEMETRY": "yes",
    "GX_ANALYTICS_ENABLED": "false",
    "ANONYMIZED_TELEMETRY": "false",
    "HAYSTACK_TELEMETRY_ENABLED": "False",
    "SCARF_NO_ANALYTICS": "true",
    "DO_NOT_TRACK": "true",
    "SE_OFFLINE": "true",
    "SE_AVOID_STATS": "true",
    "TOKENIZERS_PARALLELISM": "false",
}
_HOMES = ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "HF_HOME")
_ROUNDS = "PLUMBLINE_ROUNDS"
REAL_QDRANT = "REAL_QDRANT_URL"
"""What ``PLUMBLINE_QDRANT_URL`` said: for the tests of the server engine alone, since any other would use that server too."""

_TRACED = "COVERAGE_PROCESS_CONFIG"
"""What a traced process hands on to those it starts."""

_home = pytest.StashKey[Path]()


def pytest_configure(config: pytest.Config) -> None:
    """Put the environment right before any library is imported, since some read it only then; workers of xdist inherit it."""
    if "PLUMBLINE_QDRANT_URL" in os.environ:
        os.environ[REAL_QDRANT] = os.environ["PLUMBLINE_QDRANT_URL"]
    for name in [name for name in os.environ if name.startswith(("PLUMBLINE_", "DAGSTER_", "QDRANT_")) and name != _ROUNDS]:
        del os.environ[name]
    home = Path(tempfile.mkdtemp(prefix="plumbline-tests-home-"))
    config.stash[_home] = home
    os.environ.update(_QUIET)
    os.environ.update(dict.fromkeys(_HOMES, str(home)))
    models = ROOT / ".pytest_cache" / "plumbline-models"
    models.mkdir(parents=True, exist_ok=True)
    os.environ["PLUMBLINE_MODELS"] = str(models)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the stand-in for the home folder."""
    shutil.rmtree(config.stash[_home], ignore_errors=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Slow tests are not traced: it would make them a third slower, and quick ones reach nine lines in ten without them."""
    plugin = item.config.pluginmanager.getplugin("_cov")
    tracing = getattr(plugin, "cov_controller", None)
    if tracing is None or item.get_closest_marker("slow") is None:
        return (yield)
    handed_on = os.environ.pop(_TRACED, None)  # processes that it starts are not traced either
    tracing.pause()
    try:
        return (yield)
    finally:
        tracing.resume()
        if handed_on is not None:
            os.environ[_TRACED] = handed_on


@pytest.fixture(scope="session")
def models_dir() -> Path:
    """Where exported model graphs lie: one folder for all workers of xdist, kept between runs, also in ``PLUMBLINE_MODELS``."""
    return Path(os.environ["PLUMBLINE_MODELS"])


@pytest.fixture(scope="session")
def _published_once(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Path:
    from tests.project import ANIMALS, MACHINES, Project

    project = Project(tmp_path_factory.mktemp("published"))
    project.source("animals", ANIMALS)
    project.source("machines", MACHINES)
    assert project.ingest().success
    return project.root


@pytest.fixture
def published(tmp_path: Path, _published_once: Path) -> Project:
    """A copy of a project of two sources that was ingested and published."""
    from tests.project import Project, copied

    return Project(copied(_published_once, tmp_path / "project"))


@pytest.fixture(scope="session")
def rounds() -> int:
    """How often a test of kills or load repeats: ``PLUMBLINE_ROUNDS``, 3 unless set."""
    return int(os.environ.get(_ROUNDS, "3"))


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """``shared_data("scifact")`` is the folder or file of that name in ``../shared/data``; the test is skipped where it is absent."""

    def find(name: str) -> Path:
        path = SHARED / name
        if not path.exists():
            pytest.skip(f"needs the public data {name!r}: put it at ../shared/data/{name}, beside the checkout, to run this")
        return path

    return find


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """A PostgreSQL server, started when first asked for; the test is skipped where Debian's package is not installed."""
    from tests.postgresql import started

    server = started()
    if isinstance(server, str):
        pytest.skip(server)
    yield server
    server.stop()


@pytest.fixture
def child_env() -> dict[str, str]:
    """The environment for processes a test starts and talks to: the test's own, with the network off in every Python among them."""
    return guarded(os.environ)


@pytest.fixture
def unmeasured_env(child_env: dict[str, str]) -> dict[str, str]:
    """The same for tests that start many processes, whose lines others cover: measuring coverage would take half their time."""
    return {name: value for name, value in child_env.items() if not name.startswith("COVERAGE_")}


@pytest.fixture
def no_network_env() -> NoNetwork:
    """Runs a command to its end with nothing reachable but its own loopback, native code included where the kernel allows it."""
    return no_network(os.environ)
