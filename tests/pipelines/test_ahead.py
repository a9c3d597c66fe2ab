"""Embedding beside parsing: the same index, the same counts, and no harm when it fails."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.lane import ahead, documents
from pipelines.lane.ahead import LEAST_DOCUMENTS
from tests.project import Project

FILES = {
    f"note{i}.md": f"# Note {i}\n\nThe crane numbered {i} lifts {i * 3} tonnes over the northern quay.\n"
    for i in range(LEAST_DOCUMENTS + 8)
}


def ingested(root: Path) -> tuple[Project, dict[str, int]]:
    project = Project(root)
    project.source("notes", FILES)
    outcome = project.ingest()
    assert outcome.success, outcome.failures
    reports = outcome.reports["notes"]
    return project, {**reports["chunks"].counts, **reports["vectors"].counts}


def test_what_is_done_ahead_is_what_the_steps_would_do(
    tmp_path: Path, models_dir: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    took: list[int] = []
    embed = ahead.embed_missing

    def counted(texts: dict[str, str], *rest: object) -> object:
        took.append(len(texts))
        return embed(texts, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(ahead, "embed_missing", counted)
    parsed = documents.parsed_rows

    def parsed_slowly(*arguments: object) -> Iterator[object]:
        """The last files come when something was embedded."""
        for at, row in enumerate(parsed(*arguments)):  # type: ignore[arg-type]
            deadline = time.monotonic() + 60
            while at == LEAST_DOCUMENTS and not took and time.monotonic() < deadline:
                time.sleep(0.05)
            yield row

    monkeypatch.setattr(documents, "parsed_rows", parsed_slowly)
    # One place for both, since ids come from the source's path.
    project, counts = ingested(tmp_path)
    assert sum(took) > 0, "nothing was embedded while files were still being parsed"
    assert counts["cut"] == len(FILES)
    assert counts["embedded"] == counts["chunks"]
    assert counts["reused"] == 0
    beside = project.visible()

    def fails(*_: object) -> None:
        raise OSError("no")

    monkeypatch.setattr(ahead, "embed_missing", fails)
    (tmp_path / "home").rename(tmp_path / "earlier")
    project, counts = ingested(tmp_path)
    assert "notes: embedding beside parsing ended early" in caplog.text
    assert counts["embedded"] == counts["chunks"]
    assert project.visible() == beside


def test_few_files_are_parsed_before_the_encoder_is_loaded(tmp_path: Path, models_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "embed_missing", lambda *_: pytest.fail("embedded ahead"))
    project = Project(tmp_path)
    project.source("notes", dict(list(FILES.items())[:3]))
    assert project.ingest().success
