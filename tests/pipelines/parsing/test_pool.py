from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import docx
import psutil
import pytest

from pipelines.parsing.partition import parse
from pipelines.parsing.pool import ParseOutcome, ParserPool, ParseTask
from quality_checks.contract_terms import FormatLimit, Parsing
from tests.conftest import ROOT

ENDLESS = b"word *and* `code` [link](x) \n\n" * 600_000
"""Markdown that takes minutes."""
QUICK = b"%PDF-1.4 no"
"""Refused in no time, by a worker that need not import unstructured."""


def workers() -> list[psutil.Process]:
    """Processes of this test that parse, or could."""
    return [child for child in psutil.Process().children(recursive=True) if "forkserver" in " ".join(child.cmdline())]


def until(holds: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)


def by_key(outcomes: Iterator[ParseOutcome]) -> dict[str, ParseOutcome]:
    return {outcome.key: outcome for outcome in outcomes}


def word_bomb(size: int) -> bytes:
    """A small Word file whose text is ``size`` bytes once unpacked."""
    ordinary, bomb = io.BytesIO(), io.BytesIO()
    docx.Document().save(ordinary)
    with ZipFile(ordinary) as source, ZipFile(bomb, "w", ZIP_DEFLATED, compresslevel=1) as target:
        for name in source.namelist():
            with target.open(name, "w") as member:
                if name == "word/document.xml":
                    for _ in range(size >> 20):
                        member.write(b" " * (1 << 20))
                member.write(source.read(name))
    return bomb.getvalue()


@pytest.mark.slow
def test_the_pool_gives_what_parse_gives() -> None:
    files = {"a.md": b"# A\n\nThe parser reads it.", "b.html": b"<h1>B</h1><p>It was read.</p>", "c.txt": b"Some text was written here."}
    with ParserPool(workers=2) as pool:
        outcomes = by_key(pool.parse_all(ParseTask(name, name, data) for name, data in files.items()))
    assert {key: outcome.document for key, outcome in outcomes.items()} == {name: parse(data, name) for name, data in files.items()}


def test_reasons_and_remedies_come_back() -> None:
    def gone() -> bytes:
        raise FileNotFoundError(2, "No such file or directory")

    tasks = [ParseTask("empty", "e.md", b""), ParseTask("gone", "g.md", gone), ParseTask("pdf", "p.pdf", lambda: QUICK)]
    with ParserPool() as pool:
        outcomes = by_key(pool.parse_all(tasks))
    assert outcomes["empty"].reason == "e.md is empty."
    assert outcomes["gone"].reason == "g.md could not be read (No such file or directory)."
    assert outcomes["pdf"].reason == "p.pdf is not a PDF that can be opened."
    assert all(outcome.document is None and outcome.remedy for outcome in outcomes.values())


def test_nothing_to_parse_starts_nothing() -> None:
    before = len(workers())
    with ParserPool() as pool:
        assert list(pool.parse_all([])) == []
        assert len(workers()) == before


def test_files_are_loaded_only_as_fast_as_they_are_parsed() -> None:
    loaded = 0

    def load() -> bytes:
        nonlocal loaded
        loaded += 1
        return QUICK

    with ParserPool(workers=2) as pool:
        for done, _ in enumerate(pool.parse_all(ParseTask(str(n), f"{n}.pdf", load) for n in range(40)), 1):
            assert loaded - done < 2 * 2 + 2
    assert loaded == 40


@pytest.mark.slow
def test_a_file_that_takes_too_long_is_given_up_and_the_others_go_on() -> None:
    tasks = [ParseTask("slow", "slow.md", ENDLESS), *(ParseTask(str(n), f"{n}.pdf", QUICK) for n in range(6))]
    with ParserPool(workers=1, parsing=Parsing(limits={"md": FormatLimit(seconds=6)})) as pool:
        outcomes = by_key(pool.parse_all(tasks))
    assert "took longer than 6 s" in outcomes["slow"].reason
    assert [outcomes[str(n)].reason for n in range(6)] == [f"{n}.pdf is not a PDF that can be opened." for n in range(6)]


@pytest.mark.slow
def test_a_file_that_wants_too_much_memory_is_given_up_and_the_others_go_on() -> None:
    bomb = word_bomb(96 << 20)
    assert len(bomb) < 1 << 20
    tasks = [ParseTask("large", "large.docx", bomb), ParseTask("small", "small.md", b"# Small\n\nIt was read.")]
    with ParserPool(workers=1, parsing=Parsing(limits={"docx": FormatLimit(memory_mb=400)})) as pool:
        outcomes = by_key(pool.parse_all(tasks))
    assert outcomes["large"].document is None
    assert outcomes["large"].reason == "large.docx takes more memory to parse than allowed."
    assert outcomes["small"].document is not None


@pytest.mark.slow
def test_a_worker_that_dies_costs_one_file() -> None:
    with ParserPool(workers=1) as pool:
        started = pool.parse_all([ParseTask("first", "first.pdf", QUICK)])
        assert next(started).key == "first"
        [worker] = [process for process in workers() if process.parent() != psutil.Process()]

        def kill_then_load() -> bytes:
            until(lambda: worker.cpu_times().user > 1.0)
            worker.send_signal(signal.SIGSEGV)
            return b"# After\n\nIt was read."

        outcomes = by_key(pool.parse_all([ParseTask("crashing", "crashing.md", ENDLESS), ParseTask("after", "after.md", kill_then_load)]))
    assert outcomes["crashing"].reason == "crashing.md crashed its parser (exit code -11)."
    assert outcomes["after"].document is not None


@pytest.mark.slow
def test_no_worker_outlives_a_killed_run(tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    script.write_text(
        "from pipelines.parsing.pool import ParserPool, ParseTask\n"
        "if __name__ == '__main__':\n"
        "    with ParserPool(workers=2) as pool:\n"
        "        list(pool.parse_all([ParseTask(str(n), f'{n}.md', b'word *and* `code` ' * 900_000) for n in range(2)]))\n"
    )
    with subprocess.Popen([sys.executable, str(script)], env={**os.environ, "PYTHONPATH": str(ROOT)}) as run:
        try:
            process = psutil.Process(run.pid)
            until(lambda: sum(child.cpu_times().user > 1.0 for child in process.children(recursive=True)) >= 2)
            children = process.children(recursive=True)
        finally:
            run.kill()
    until(lambda: not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children), 10)
