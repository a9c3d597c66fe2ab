"""The manifest step over sources that misbehave: what is known stays, what is broken has a reason, and nothing is read in vain."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.lane.documents import converge_documents
from pipelines.lane.manifest import converge_manifest
from pipelines.release.outcomes import StepReport
from pipelines.sources.local import LocalPlace
from pipelines.workspace import LogProgress, Workspace
from quality_checks.contract_terms import Website
from quality_checks.contracts import Contract, RecordMapping
from search_index.settings import Settings
from tests.pipelines.sources.contracts import contract
from tests.pipelines.sources.web import Site


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    made = Workspace(Settings(home=tmp_path / "home"), LogProgress(lambda _: None))
    yield made
    made.home.catalog.close()


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    (tmp_path / "docs" / "sub").mkdir(parents=True)
    (tmp_path / "docs" / "a.md").write_text("ay")
    (tmp_path / "docs" / "sub" / "b.md").write_text("bee")
    return tmp_path / "docs"


def rows(workspace: Workspace) -> dict[str, dict[str, object]]:
    return {row["path"]: row for row in workspace.lake.read_source("manifests", "s").to_pylist()}


def run(workspace: Workspace, of: Contract) -> StepReport:
    return converge_manifest(workspace, of, "run")


def test_what_cannot_be_taken_is_a_row_with_its_reason(workspace: Workspace, docs: Path) -> None:
    os.mkfifo(docs / "fifo")
    with open(docs / "sparse.pdf", "wb") as file:
        file.truncate(2 << 30)
    run(workspace, contract(docs))
    problems = {path: str(row["problem"]) for path, row in rows(workspace).items() if row["problem"]}
    assert ("FIFO" in problems["fifo"], "limits.file_bytes" in problems["sparse.pdf"]) == (True, True)
    assert rows(workspace).keys() - problems.keys() == {"a.md", "sub/b.md"}
    assert run(workspace, contract(docs)).unchanged


def test_a_second_run_reads_nothing(workspace: Workspace, docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(workspace, contract(docs))
    monkeypatch.setattr(LocalPlace, "read", lambda self, item: pytest.fail(f"{item.path} was read again"))
    assert run(workspace, contract(docs)).unchanged


def test_what_a_folder_hides_that_may_not_be_read_stays(workspace: Workspace, docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(workspace, contract(docs))
    real = os.scandir

    def scandir(path: str) -> object:
        if path.endswith("sub"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    with monkeypatch.context() as patched:
        patched.setattr(os, "scandir", scandir)
        run(workspace, contract(docs))
    assert set(rows(workspace)) == {"a.md", "sub/", "sub/b.md"}
    assert rows(workspace)["sub/"]["problem"] and not rows(workspace)["sub/b.md"]["problem"]
    run(workspace, contract(docs))
    assert set(rows(workspace)) == {"a.md", "sub/b.md"}


@pytest.mark.parametrize(
    "broken", [{"location": "/nowhere"}, {"server_type": "custom", "location": "none:x"}, {"location": "s3://a:b@c/d"}]
)
def test_a_source_that_cannot_be_opened_keeps_what_it_had(workspace: Workspace, docs: Path, broken: dict[str, str]) -> None:
    run(workspace, contract(docs))
    run(workspace, contract(docs).model_copy(update=broken))
    assert set(rows(workspace)) == {"a.md", "sub/b.md"}
    lane = workspace.home.catalog.lane("s", "manifest")
    assert lane is not None and lane.state["problem"]


def test_a_file_that_vanishes_before_it_is_read_has_a_reason(workspace: Workspace, docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = LocalPlace.read
    monkeypatch.setattr(LocalPlace, "read", lambda self, item: (docs / "a.md").unlink(missing_ok=True) or real(self, item))
    run(workspace, contract(docs))
    assert "cannot be read" in str(rows(workspace)["a.md"]["problem"])


def test_a_website_is_fetched_once_and_then_only_what_changed(workspace: Workspace, site: Site) -> None:
    site.sitemap(("/a", "2026-01-01"), "/b")
    site.html("/a", "ay")
    site.html("/b", "bee", ETag='"1"')
    of = contract(f"{site.url}/", format="website", website=Website(requests_per_second=100))
    run(workspace, of)
    assert sorted(site.asked) == sorted(["GET /robots.txt", "GET /sitemap.xml", "GET /a", "GET /b"])
    site.asked.clear()
    assert run(workspace, of).unchanged and "GET /a" not in site.asked
    before = rows(workspace)
    site.html("/b", "changed", ETag='"2"')
    run(workspace, of)
    after = rows(workspace)
    assert [path for path in after if after[path]["raw_sha256"] != before[path]["raw_sha256"]] == ["b.html"]


def test_bad_records_and_hostile_files_end_as_quarantined_documents(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "c.csv").write_text("id,text\n1,one\n2\n1,again\n3,three\n")
    os.mkfifo(tmp_path / "in" / "d.csv")
    of = contract(tmp_path / "in", format="records", records=RecordMapping(id="id", text="text"))
    for parsed in (5, 0):
        run(workspace, of)
        assert converge_documents(workspace, of, "run").counts["parsed"] == parsed
    documents = {row["path"]: row for row in workspace.lake.read_source("documents", "s").to_pylist()}
    assert {path: row["text"] for path, row in documents.items() if row["status"] == "ok"} == {"1": "one", "3": "three"}
    quarantined = {path: row for path, row in documents.items() if row["status"] == "quarantined"}
    assert set(quarantined) == {"c.csv#3", "c.csv#4", "d.csv"}
    assert "columns" in quarantined["c.csv#3"]["reason"] and "same id" in quarantined["c.csv#4"]["reason"]
    assert all(row["remedy"] and row["text"] == "" for row in quarantined.values())
