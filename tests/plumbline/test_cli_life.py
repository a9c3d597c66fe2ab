"""A home's life from the command line: ingest, search, change, roll back, damage, rebuild. Real parts, one home for the file."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.network import guarded

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("models_dir")]


@dataclass(frozen=True)
class Done:
    """A command that ended."""

    code: int
    out: str
    err: str

    def json(self) -> dict[str, object]:
        """Its one document."""
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found


@dataclass(frozen=True)
class Shell:
    """Runs ``plumbline`` as a person would, on one home."""

    folder: Path
    env: Mapping[str, str]

    def __call__(self, *words: str) -> Done:
        done = subprocess.run(
            [sys.executable, "-m", "plumbline.cli", *words],
            cwd=ROOT,
            env=dict(self.env),
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr[-3000:]
        return Done(done.returncode, done.stdout, done.stderr)

    @property
    def docs(self) -> Path:
        """The folder that is ingested."""
        return self.folder / "docs"


PAGES = {
    "bob.md": "# Plumb bobs\n\nA plumb bob hangs on a line and shows what is upright. Let it settle for four minutes before reading.",
    "tea.md": "# Tea\n\nGreen tea wants water of eighty degrees and two minutes. Black tea wants boiling water.",
    "bees.txt": "Bees dance to tell one another where flowers are. The angle of the dance is the angle to the sun.",
}


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A home in which three pages and a file that cannot be read were ingested: release 1."""
    folder = tmp_path_factory.mktemp("life")
    env = guarded(
        {**os.environ, "PLUMBLINE_HOME": str(folder / "home"), "PLUMBLINE_CONTRACTS": str(folder / "contracts"), "PLUMBLINE_PORT": "1"}
    )
    made = Shell(folder, env)
    made.docs.mkdir()
    for name, text in PAGES.items():
        (made.docs / name).write_text(text)
    (made.docs / "torn.pdf").write_bytes(b"%PDF-1.7\nnothing")
    done = made("ingest", str(made.docs), "--json")
    assert done.code == 0, done.err[-3000:]
    document = done.json()
    assert (document["status"], document["release"], document["held"]) == ("published", 1, {})
    sources = document["sources"]
    assert isinstance(sources, dict)
    counts = sources["docs"]
    assert (counts["seen"], counts["added"], counts["parsed"], counts["quarantined"]) == (4, 4, 4, 1)
    assert counts["staged"] == counts["chunks"] >= 3
    return made


def test_an_unchanged_source_is_nothing_to_do(shell: Shell) -> None:
    document = shell("ingest", "--json").json()
    assert (document["status"], document["release"]) == ("unchanged", 1)
    sources = document["sources"]
    assert isinstance(sources, dict)
    assert {sources["docs"][name] for name in ("added", "changed", "removed", "parsed", "embedded", "staged", "retired")} == {0}


def test_what_was_ingested_is_found_and_cited(shell: Shell) -> None:
    shown = shell("search", "how long must a plumb bob settle", "-n", "1")
    assert shown.code == 0
    assert "docs:bob.md" in shown.out
    assert "four minutes" in shown.out
    hits = shell("search", "how long must a plumb bob settle", "--json").json()["hits"]
    assert isinstance(hits, list)
    assert hits[0]["uri"] == "docs:bob.md"
    for mode in ("dense", "sparse"):
        assert (
            shell("search", "dancing bees", "--mode", mode, "--source", "docs", "-n", "1", "--json").json()["hits"][0]["uri"]
            == "docs:bees.txt"
        )  # type: ignore[index]


def test_a_search_is_narrowed_counted_and_explained(shell: Shell) -> None:
    shown = shell("search", "how long must a plumb bob settle", "-n", "1", "--facet", "source", "--explain", "--neighbours", "1")
    assert shown.code == 0
    assert "source: docs " in shown.out
    assert "rank 1" in shown.out
    assert "more with --offset 1" in shown.out
    more = ("--group", "2", "--diversity", "0.3", "--highlight", "--facet", "modified_at.year")
    document = shell("search", "plumb bob", *more, "--json").json()
    assert document["groups"]
    assert document["hits"][0]["highlights"]  # type: ignore[index]
    second = shell("search", "plumb bob", "--offset", "1", "-n", "1", "--json").json()["hits"]
    assert second[0]["rank"] == 2  # type: ignore[index]
    refused = shell("search", "plumb bob", "--filter", "colour=red", "--json")
    assert refused.code == 2
    assert "filter-invalid" in refused.out + refused.err
    assert shell("search", "plumb bob", "--until", "1999-01-01", "--json").json()["hits"] == []


def test_an_empty_answer_says_what_could_not_be_read(shell: Shell) -> None:
    answer = shell("search", "xylophonist", "--mode", "sparse", "--json")
    assert answer.code == 0
    document = answer.json()
    assert document["hits"] == []
    assert "quarantined" in [hint["code"] for hint in document["hints"]]  # type: ignore[attr-defined]


def test_status_names_what_is_in_quarantine_and_what_helps(shell: Shell) -> None:
    shown = shell("status")
    assert shown.code == 0
    assert "docs:torn.pdf" in shown.out
    assert "plumbline up" in shown.out
    facts = shell("status", "--json").json()
    live = facts["live"]
    assert isinstance(live, dict)
    assert live["revision"] == 1
    assert (facts["head"], facts["paused"], facts["held"], facts["service"]) == (1, None, [], None)


def test_lineage_leads_from_a_passage_to_its_file_and_the_checks(shell: Shell) -> None:
    hits = shell("search", "tea", "-n", "1", "--json").json()["hits"]
    assert isinstance(hits, list)
    for id in (hits[0]["chunk_id"], hits[0]["document_id"], "docs:tea.md"):
        nodes = shell("lineage", id, "--json").json()["nodes"]
        assert isinstance(nodes, list)
        assert {"file", "document", "chunk", "model", "release", "check", "run"} <= {node["kind"] for node in nodes}
    assert shell("lineage", "1").code == 0
    assert shell("lineage", "docs:no-such-file").code == 2
    assert shell("lineage", "99").code == 2


def test_golden_questions_are_suggested_checked_and_found_stale(shell: Shell) -> None:
    path = shell.folder / "silver.jsonl"
    done = shell("golden", "suggest", "--source", "docs", "--output", str(path), "--json")
    assert done.code == 0, done.err
    assert "silver" in str(done.json()["author"])
    assert shell("golden", "suggest", "--source", "docs", "--output", str(path)).code == 2, "nothing is written over"
    folder = shell.folder / "home" / "contracts" / "golden"
    folder.mkdir()
    (folder / "silver.jsonl").write_text(path.read_text())
    assert shell("golden", "check").code == 0
    stale = '{"id": "x", "query": "where?", "relevant": [{"document": "docs:tea.md", "quote": "coffee wants a filter"}]}\n'
    (folder / "silver.jsonl").write_text(path.read_text() + stale)
    found = shell("golden", "check")
    assert found.code == 1
    assert "coffee" not in found.out
    assert "x: docs:tea.md: quote not found" in found.out
    (folder / "silver.jsonl").unlink()


class TestReleases:
    @pytest.fixture(scope="class", autouse=True)
    def changed(self, shell: Shell) -> None:
        """Release 2: a page added, one changed, one gone."""
        (shell.docs / "clay.md").write_text("# Clay\n\nClay shrinks by a tenth when it is fired in a kiln.")
        (shell.docs / "tea.md").write_text(PAGES["tea.md"].replace("two minutes", "three minutes"))
        (shell.docs / "bees.txt").unlink()
        document = shell("ingest", "--json").json()
        assert (document["status"], document["release"]) == ("published", 2)

    def test_they_are_listed_and_shown(self, shell: Shell) -> None:
        listed = shell("releases", "list", "--json").json()["releases"]
        assert isinstance(listed, list)
        assert [(r["revision"], r["status"]) for r in listed[:2]] == [(2, "live"), (1, "retired")]
        shown = shell("releases", "show", "2", "--json").json()
        verdicts = shown["verdicts"]
        assert isinstance(verdicts, list)
        assert "index_reconciled" in {verdict["check"] for verdict in verdicts}
        assert shell("releases", "show", "2").code == shell("releases", "list").code == 0
        assert shell("releases", "show", "77").code == 2

    def test_their_difference_is_by_document_and_chunk(self, shell: Shell) -> None:
        found = shell("releases", "diff", "1", "2", "--json").json()
        assert found["documents"] == {"added": ["docs:clay.md"], "removed": ["docs:bees.txt"], "changed": ["docs:tea.md"]}
        back = shell("releases", "diff", "2", "1", "--json").json()
        assert back["documents"] == {"added": ["docs:bees.txt"], "removed": ["docs:clay.md"], "changed": ["docs:tea.md"]}
        assert shell("releases", "diff", "1", "2").code == 0

    def test_a_rollback_answers_as_before_and_pauses_until_resumed(self, shell: Shell) -> None:
        assert shell("releases", "rollback", "77", "--reason", "x").code == 2
        assert shell("releases", "rollback", "1", "--reason", "the kiln page is wrong").code == 0
        answer = shell("search", "dancing bees", "-n", "1", "--json").json()
        assert answer["release"]["revision"] == 1  # type: ignore[index]
        assert answer["hits"][0]["uri"] == "docs:bees.txt"  # type: ignore[index]
        paused = shell("ingest", "--json")
        assert paused.code == 3
        assert "the kiln page is wrong" in str(paused.json()["reasons"])
        resumed = shell("releases", "resume")
        assert resumed.code == 0
        assert "Release 2" in resumed.out
        assert shell("releases", "resume", "--json").json()["moved"] is False
        assert shell("search", "clay kiln", "-n", "1", "--json").json()["hits"][0]["uri"] == "docs:clay.md"  # type: ignore[index]
        old = shell("search", "clay kiln", "--as-of", "1", "--json").json()
        assert "docs:clay.md" not in [hit["uri"] for hit in old["hits"]]  # type: ignore[attr-defined]

    def test_a_healthy_home_has_no_fault_and_rebuilds_identically(self, shell: Shell) -> None:
        examined = shell("doctor", "--json")
        assert examined.code == 0, examined.out
        assert examined.json()["ok"] is True
        for revision in ("1", "2"):
            rebuilt = shell("releases", "rebuild", revision, "--json")
            assert rebuilt.code == 0, rebuilt.out
            assert rebuilt.json()["identical"] is True

    @pytest.mark.parametrize("harm", ["flip", "remove"])
    def test_a_damaged_index_is_found_and_rebuilt_as_it_was_signed(self, shell: Shell, harm: str) -> None:
        _harm(shell.folder / "home" / "index", 2, harm)
        examined = shell("doctor")
        assert examined.code == 1
        assert "plumbline releases rebuild 2" in examined.out
        rebuilt = shell("releases", "rebuild", "2", "--json")
        assert rebuilt.code == 0, rebuilt.out + rebuilt.err
        assert rebuilt.json()["replaced"] is True
        assert shell("doctor").code == 0
        assert shell("search", "clay kiln", "-n", "1", "--json").json()["hits"][0]["uri"] == "docs:clay.md"  # type: ignore[index]

    def test_a_mass_removal_waits_to_be_accepted(self, shell: Shell) -> None:
        kept = {path.name: path.read_bytes() for path in shell.docs.iterdir()}
        for path in shell.docs.iterdir():
            path.unlink()
        held = shell("ingest", "--json")
        assert held.code == 3
        assert "docs" in held.json()["held"]  # type: ignore[operator]
        waiting = shell("sources", "list", "--json").json()["waiting"]
        assert isinstance(waiting, list)
        assert "plumbline sources accept docs --change" in shell("status").out
        assert shell("sources", "accept", "docs", "--change", "nosuch", "--reason", "x").code == 2
        assert shell("sources", "accept", "docs", "--change", waiting[0]["change"], "--reason", "we moved").code == 0
        assert shell("sources", "list", "--json").json()["waiting"] == []
        for name, content in kept.items():
            (shell.docs / name).write_bytes(content)


def _harm(index: Path, revision: int, harm: str) -> None:
    folder = next(index.glob(f"*/r{revision:07d}"))
    if harm == "remove":
        folder.rename(index.parent / "taken-away")
        return
    ledger = folder / "points.arrow"
    content = bytearray(ledger.read_bytes())
    content[len(content) // 2] ^= 0xFF
    ledger.write_bytes(content)


def test_a_second_writer_waits_or_leaves_with_4(shell: Shell) -> None:
    from filelock import FileLock

    lock = FileLock(shell.folder / "home" / "lease.lock")
    with lock:
        left = shell("ingest", "--no-wait", "--json")
        assert left.code == 4
        assert left.json()["error"]["type"] == "busy"  # type: ignore[index]
        assert shell("status", "--json").json()["writer"] is not None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_an_interrupted_ingest_leaves_with_130_and_the_next_one_finishes(shell: Shell, number: signal.Signals) -> None:
    (shell.docs / f"{number.name}.md").write_text("# Interrupted\n\n" + "A page that takes a moment to be embedded. " * 400)
    # As from a script's background, where the shell has SIGINT ignored.
    command = ["sh", "-c", 'trap "" INT; exec "$@"', "sh", sys.executable, "-m", "plumbline.cli", "ingest"]
    with subprocess.Popen(command, cwd=ROOT, env=dict(shell.env), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as running:
        holder = shell.folder / "home" / "lease.holder"
        until = time.monotonic() + 60
        while holder.read_text() != f"process {running.pid}":
            assert time.monotonic() < until
            time.sleep(0.05)
        running.send_signal(number)
        _, said = running.communicate(timeout=60)
        assert running.returncode == 130, said
        assert "Interrupted" in said
        assert "Traceback" not in said
    assert shell("ingest").code == 0
    assert shell("search", "a page that takes a moment", "-n", "1", "--json").json()["hits"][0]["title"] == "Interrupted"  # type: ignore[index]
