"""Arrows only point down: plumbline -> (pipelines | retrieval_service) -> quality_checks -> search_index.

The graph is read from the source, so an import inside a function counts like one at the top of its module.
"""

from __future__ import annotations

import subprocess
import sys

import grimp
import pytest

from tests.conftest import ROOT

ROOMS = ("plumbline", "pipelines", "retrieval_service", "quality_checks", "search_index")

MAY_IMPORT: dict[str, frozenset[str]] = {
    "plumbline": frozenset({"pipelines", "retrieval_service", "quality_checks", "search_index"}),
    "pipelines": frozenset({"quality_checks", "search_index"}),
    "retrieval_service": frozenset({"quality_checks", "search_index"}),
    "quality_checks": frozenset({"search_index"}),
    "search_index": frozenset(),
}
FORBIDDEN = [(room, other) for room in ROOMS for other in ROOMS if other != room and other not in MAY_IMPORT[room]]

# Each framework stays in the room (or the module) that wraps it.
LIVES_IN: dict[str, tuple[str, ...]] = {
    "dagster": ("plumbline", "pipelines"),
    "unstructured": ("pipelines.parsing",),
    "great_expectations": ("quality_checks.expectations",),
    "fastapi": ("retrieval_service",),
    "mcp": ("retrieval_service.mcp",),
    "qdrant_client": ("search_index.engine",),
    "qdrant_edge": ("search_index.engine",),
}

# What must not be in the memory of the service: seconds of start and hundreds of megabytes.
HEAVY = ("dagster", "great_expectations", "unstructured", "pandas", "torch", "sentence_transformers", "spacy")


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph(*ROOMS, include_external_packages=True, cache_dir=None)


def _inside(module: str, homes: tuple[str, ...]) -> bool:
    return any(module == home or module.startswith(f"{home}.") for home in homes)


@pytest.mark.parametrize(("room", "other"), FORBIDDEN)
def test_no_arrow_points_up_or_sideways(graph: grimp.ImportGraph, room: str, other: str) -> None:
    chains = graph.find_shortest_chains(importer=room, imported=other, as_packages=True)
    assert not chains, "\n".join(" -> ".join(chain) for chain in sorted(chains))


@pytest.mark.parametrize("framework", LIVES_IN)
def test_a_framework_stays_in_its_room(graph: grimp.ImportGraph, framework: str) -> None:
    importers = graph.find_modules_that_directly_import(framework) if framework in graph.modules else set()
    strangers = sorted(module for module in importers if not _inside(module, LIVES_IN[framework]))
    assert not strangers, f"{framework} is imported outside {LIVES_IN[framework]}"


@pytest.mark.parametrize("heavy", HEAVY)
def test_no_module_of_the_service_imports_what_is_heavy(graph: grimp.ImportGraph, heavy: str) -> None:
    importers = graph.find_modules_that_directly_import(heavy) if heavy in graph.modules else set()
    assert not sorted(module for module in importers if _inside(module, ("retrieval_service",)))


def test_importing_the_service_loads_nothing_heavy(child_env: dict[str, str]) -> None:
    look = f"import sys, retrieval_service.app; print(*sorted(set({HEAVY!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", look], cwd=ROOT, env=child_env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []
