"""The full counts, written down.  usage: python -m benchmarks.qualify [SECTION ...] [--kills N]

Writes ``docs/qualification.md``: what was tried, how often, and what came of it. Named sections alone are run again; the others
stay as they were written, each with its date. Exits with 1 where a test or a comparison failed; whether a figure is good enough is for
whoever reads it.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from lxml import etree

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
PAGE = ROOT / "docs" / "qualification.md"
HEAD = "# Qualification\n\nWhat was tried, how often, and what came of it. `make qualify` runs all of it and writes this page.\n"
Table = list[list[str]]
SMALL_EDITS = 50
ACCESS_CORPORA = 29  # of 700 requests each
IN_MEMORY = Path("/dev/shm")  # a killed process loses nothing that it has written, on any file system


@dataclass(frozen=True)
class Section:
    """Rows of a table, the first its head, and whether all of it held."""

    title: str
    table: Table
    held: bool

    def markdown(self, name: str) -> str:
        """The section as it stands on the page."""
        head, *rows = [f"| {' | '.join(row)} |" for row in self.table]
        lines = [head, "|" + "---|" * len(self.table[0]), *rows]
        return f"<!-- {name} -->\n## {self.title}\n\nRun on {datetime.now(UTC):%Y-%m-%d}.\n\n" + "\n".join(lines) + "\n"


def pytest_run(timeout_s: int, rounds: int, *arguments: str) -> tuple[bool, list[etree._Element]]:
    """Run tests, in memory where there is a file system in it; gives whether all passed, and their entries of the JUnit report."""
    with tempfile.TemporaryDirectory(dir=IN_MEMORY if IN_MEMORY.is_dir() else None) as scratch:
        report = Path(scratch, "report.xml")
        places = [f"--junitxml={report}", "-o", "junit_family=xunit1", f"--basetemp={scratch}/tests"]
        command = [sys.executable, "-m", "pytest", "-q", "--timeout", str(timeout_s), "-o", "faulthandler_timeout=0", *places, *arguments]
        done = subprocess.run(command, cwd=ROOT, env=os.environ | {"PLUMBLINE_ROUNDS": str(rounds)}, check=False)
        return done.returncode == 0, list(etree.parse(report).iter("testcase"))


def kills(rounds: int) -> Section:
    """An ingest killed at random moments, by the step it was in."""
    held, cases = pytest_run(120 * rounds + 600, rounds, "-n", "3", "tests/pipelines/test_kill.py")
    killed: Counter[str] = Counter()
    for case in cases:
        for entry in case.iter("property"):
            if entry.get("name") == "killed":
                killed.update(json.loads(entry.get("value") or "{}"))
    outcome = "the next run ended as the undisturbed one" if held else "**not all ended as the undisturbed run did**"
    late = killed.pop("too late: the run had ended", 0)
    rows = [[f"SIGKILL {where}", str(count), outcome] for where, count in sorted(killed.items())]
    title = "An ingest killed at a random moment, then run again"
    return Section(
        title,
        [
            ["what", "how often", "what came of it"],
            *rows,
            ["all kills", str(killed.total()), outcome],
            ["too late", str(late), "nothing was killed"],
        ],
        held,
    )


def rollback(rounds: int) -> Section:
    """Queries asked of five releases when each was live, by as-of and after a rollback; then a service rolled back under load."""
    tests = ["tests/pipelines/test_rollback.py", "tests/retrieval_service/test_rollback_under_load.py"]
    held, cases = pytest_run(7200, rounds, "-m", "", *tests)
    found: dict[str, list[str]] = {}
    for case in cases:
        for entry in case.iter("property"):
            found.setdefault(entry.get("name") or "", []).append(entry.get("value") or "")
    rows = [[name, min(values, key=_number), max(values, key=_number)] for name, values in sorted(found.items())]
    rows.append(["visible chunks and sparse hits, bit for bit", *["the same" if held else "**not all the same**"] * 2])
    title = "Rollback and as-of, against what each of five releases answered when it was live"
    return Section(title, [["what", "least", "most"], *rows], held)


def _number(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        return 0.0


def defects(_: int) -> Section:
    """Seeded defects, harmless changes, and small edits that must not be refused."""
    held, cases = pytest_run(3600, SMALL_EDITS, "-m", "", "tests/gates/test_defects.py", "tests/gates/test_harmless.py")
    rows: Table = [["what", "is to be", "by", "what came of it"]]
    for case in cases:
        told = {str(entry.get("name")): str(entry.get("value")) for entry in case.iter("property")}
        if "defect" in told:
            rows.append([*told["defect"].split("|"), _outcome(case)])
        elif "edits" in told:
            rows.append([f"{told['edits']} edits of 1% of the words", "published", "", f"{told['refused']} not published"])
        elif "[" in (case.get("name") or ""):
            rows.append([str(case.get("name")).partition("[")[2].rstrip("]"), "published", "", _outcome(case)])
    return Section("Seeded defects and harmless changes", rows, held)


def hostile(_: int) -> Section:
    """Hostile files and sources, a test each."""
    held, cases = pytest_run(600, 1, "-m", "", "tests/pipelines/parsing/test_hostile.py", "tests/pipelines/sources")
    rows = [[_words(case), f"{float(case.get('time') or 0):.1f}", _outcome(case)] for case in cases]
    return Section("Hostile and broken input", [["what", "seconds", "what came of it"], *rows], held)


def searchable(_: int) -> Section:
    """Every real file found by words that another program read in it."""
    held, cases = pytest_run(1800, 100, "-m", "", "tests/pipelines/parsing/test_searchable.py", "tests/pipelines/parsing/test_phrases.py")
    rows = [[_words(case), f"{float(case.get('time') or 0):.1f}", _outcome(case)] for case in cases]
    return Section("Real files, read and found", [["what", "seconds", "what came of it"], *rows], held)


def _words(case: etree._Element) -> str:
    return (case.get("name") or "").removeprefix("test_").replace("_", " ").replace("|", "/")


def _outcome(case: etree._Element) -> str:
    for tag, said in (("failure", "**failed**"), ("error", "**failed**"), ("skipped", "not run here")):
        if case.find(tag) is not None:
            return said
    return "held"


def faults(_: int) -> Section:
    """Faults in a running service, under load."""
    held, cases = pytest_run(1800, 5, "-m", "", "tests/retrieval_service/test_faults.py")
    rows: Table = [["fault", "requests while it lasted", "what callers saw, how often", "wrong answers", "whole again after, s"]]
    for case in cases:
        for entry in case.iter("property"):
            if entry.get("name") == "fault":
                name, requests, told, wrong, whole_s = json.loads(entry.get("value") or "")
                rows.append([name, str(requests), "; ".join(f"{what} ({n})" for what, n in told.items()), str(wrong), str(whole_s)])
    return Section("Faults in a service that is being asked", rows, held)


def access(_: int) -> Section:
    """Requests by random principals over random documents, and what they were told that they may not know."""
    held, cases = pytest_run(7200, ACCESS_CORPORA, "-m", "", "-n", "2", "tests/retrieval_service/access_property/test_access_property.py")
    asked: Counter[str] = Counter()
    refused = leaks = 0
    for case in cases:
        for entry in case.iter("property"):
            if entry.get("name") == "access":
                ways, without_scope, told = json.loads(entry.get("value") or "")
                asked.update(ways)
                refused, leaks = refused + without_scope, leaks + told
    table = [["way", "cases"], *([way, str(count)] for way, count in sorted(asked.items()))]
    table += [["all", str(asked.total())], ["of these refused for want of a scope", str(refused)], ["leaks", str(leaks)]]
    return Section("Access: what was told that may not be known", table, held)


def fuzzing(_: int) -> Section:
    """100,000 requests that make no sense, and schemathesis over the whole API."""
    bent, cases = pytest_run(7200, 150, "-n", "2", "-m", "", "tests/retrieval_service/fuzzing/test_bodies.py")
    schema, more = pytest_run(7200, 30, "-n", "2", "-m", "", "tests/retrieval_service/fuzzing/test_schema.py")
    rows: Table = [["what was sent", "status, how often", "defects, hangs, errors without a class", "memory grew by"]]
    for case in [*cases, *more]:
        for entry in case.iter("property"):
            if entry.get("name") == "fuzzed":
                what, seen, wrong, grown = json.loads(entry.get("value") or "")
                rows.append([what, ", ".join(f"{status}: {n}" for status, n in seen.items()), str(wrong), str(grown)])
    return Section("Requests that make no sense", rows, bent and schema)


def measured(title: str, *command: str) -> Callable[[int], Section]:
    """A section that is the table a benchmark prints."""

    def run(_: int) -> Section:
        done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
        lines = [line for line in done.stdout.splitlines() if line.startswith("|") and not line.startswith("|---")]
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
        return Section(title, rows or [["nothing was printed"]], done.returncode == 0)

    return run


def retrieval(_: int) -> Section:
    """nDCG@10 of each mode on every BEIR folder of the public data."""
    rows: Table = [["collection", "judged queries", "hybrid", "dense", "sparse"]]
    for dataset in sorted(d for d in DATA.glob("*") if (d / "corpus.jsonl").is_file() and (d / "qrels.tsv").is_file()):
        command = [sys.executable, "-m", "plumbline.cli", "evaluate", "--dataset", str(dataset), "--json"]
        found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)["modes"]
        with (dataset / "queries.jsonl").open() as queries:
            asked = sum(1 for _ in queries)
        scores = [found[mode]["ndcg@10"] for mode in ("hybrid", "dense", "sparse")]
        rows.append([dataset.name, str(asked), *(f"{s['value']:.3f} ({s['ci95'][0]:.3f} to {s['ci95'][1]:.3f})" for s in scores)])
    return Section("Retrieval, nDCG@10 with 95 % intervals", rows, held=True)


SECTIONS: dict[str, Callable[[int], Section]] = {
    "kills": kills,
    "rollback": rollback,
    "hostile": hostile,
    "defects": defects,
    "searchable": searchable,
    "formats": measured("Formats", "benchmarks.formats", str(DATA / "file-formats")),
    "labels": measured("Judgements after the documents were cut otherwise", "benchmarks.labels"),
    "versions": measured("A documentation site from release to release", "benchmarks.versions"),
    "growth": measured("Ten times the documents", "benchmarks.growth"),
    "memory": measured("Memory", "benchmarks.memory"),
    "ingest": measured("Ingest beside embedding alone", "benchmarks.ingest"),
    "gates": measured("What gates cost of an ingest", "benchmarks.gates"),
    "faults": faults,
    "access": access,
    "fuzzing": fuzzing,
    "load": measured("The service under load", "benchmarks.load", "--dataset", str(DATA / "nfcorpus")),
    "peers": measured("Ingest beside other libraries", "benchmarks.peers"),
    "retrieval": retrieval,
    "tuning": measured("Rankings: defaults, tuned on half of the queries, adapted", "benchmarks.tuning"),
}


def main() -> int:
    """Run the sections and write the page after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"one of {', '.join(SECTIONS)}; all without")
    parser.add_argument("--kills", type=int, default=300)
    args = parser.parse_args()
    if unknown := [name for name in args.sections if name not in SECTIONS]:
        parser.error(f"there is no section {', '.join(unknown)}; there are {', '.join(SECTIONS)}")
    held = True
    for name in args.sections or SECTIONS:
        sys.stderr.write(f"== {name}\n")
        section = SECTIONS[name](args.kills)
        write(name, section.markdown(name))
        held = held and section.held
    sys.stderr.write(f"Written: {PAGE.relative_to(ROOT)}\n")
    return int(not held)


def write(name: str, text: str) -> None:
    """Put a section on the page, in place of the one it had."""
    page = PAGE.read_text() if PAGE.is_file() else HEAD
    parts = {part.split(" ", 1)[0]: f"<!-- {part}" for part in re.split(r"<!-- ", page)[1:]} | {name: text}
    PAGE.write_text("\n".join([HEAD, *(parts[known].rstrip() + "\n" for known in SECTIONS if known in parts)]))


if __name__ == "__main__":
    sys.exit(main())
