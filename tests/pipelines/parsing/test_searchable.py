"""Every file of the public examples that holds text is found by words that another program read in it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from pi_heif import register_heif_opener

from pipelines.tables import Lake
from quality_checks.default_contract import default_contract
from search_index.home import open_release
from search_index.model.document import document_uri
from search_index.model.search import Principal, SearchRequest
from tests.pipelines.parsing.test_phrases import FEW_ROUNDS, NOT_READ, phrase_of, plain, texts_of
from tests.project import Project

TOP = 10
WORDS = 9
"""Fewer are often words that many files share."""
LEFT_OUT = "book-war-and-peace-1225p.txt"
"""A book takes minutes to embed."""


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.usefixtures("needs_tesseract", "needs_soffice")
def test_files_are_found_by_a_phrase(tmp_path: Path, models_dir: Path, shared_data: Callable[[str], Path], rounds: int) -> None:
    examples = shared_data("file-formats")
    if shutil.which("pdftotext") is None:
        pytest.skip("needs pdftotext on the PATH (Debian: poppler-utils)")
    register_heif_opener()
    project = Project(tmp_path)
    files = sorted(path.relative_to(examples) for path in examples.rglob("*") if path.is_file() and path.name != LEFT_OUT)
    root = tmp_path / "files"
    for file in files[:: 3 if rounds <= FEW_ROUNDS else 1]:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(examples / file, root / file)
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts" / "formats.yaml").write_text(default_contract("formats", str(root)))
    outcome = project.ingest()
    assert outcome.success, outcome.failures
    rows = (
        Lake(project.settings.lake).read_source("documents", "formats", columns=["path", "status", "text", "reason", "remedy"]).to_pylist()
    )
    quarantined = {row["path"] for row in rows if row["status"] == "quarantined"}
    tried = {row["path"] for row in rows}
    assert quarantined == NOT_READ & tried
    assert all(row["reason"] and row["remedy"] for row in rows if row["status"] == "quarantined")
    texts = {document_uri("formats", row["path"]): plain(row["text"]) for row in rows}

    home = project.home
    loaded = open_release(home, home.catalog.resolve(None))
    missing, asked = [], 0
    try:
        for path in sorted(row["path"] for row in rows if row["status"] == "ok"):
            pieces = list(texts_of(root / path))
            phrase = phrase_of(pieces, WORDS)
            if len(phrase.split()) > WORDS:  # no piece is that long, and so all of the longest was taken
                phrase = phrase_of(pieces)
            if len(plain(phrase)) < 4 or len(phrase.split()) > WORDS or "<" in phrase:
                continue  # nothing, or lines that are no words: a mail's addresses
            asked += 1
            hits = loaded.searcher.search(SearchRequest(query=phrase, limit=TOP), loaded.ref, Principal()).hits
            found = [hit.uri for hit in hits]
            # Copies of one text in many formats may fill the page; each of them answers the question as well.
            saying = [uri for uri in found if plain(phrase) in texts[uri]]
            if document_uri("formats", path) not in found and len(saying) < TOP:
                missing.append(f"{path}: {phrase}")
    finally:
        loaded.close()
        home.catalog.close()
    assert missing == [], "\n".join(missing)
    assert asked >= 0.7 * len(tried)
