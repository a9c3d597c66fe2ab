from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.parsing.pool import ParseOutcome, ParserPool, ParseTask
from quality_checks.contract_terms import FormatLimit, Parsing
from tests.pipelines.parsing.hostile import cases

# What is said of each; a case that is not here is read, or given up at its limit.
REASONS = {
    "bomb.docx": "which no ordinary file does",
    "bomb.xlsx": "which no ordinary file does",
    "laughs.xml": "goes beyond what is safe to read as XML",
    "blowup.xml": "goes beyond what is safe to read as XML",
    "deep.xml": "goes beyond what is safe to read as XML",
    "deep.html": "is nested too deeply",
    "tables.html": "is nested too deeply",
    "deep.json": "is nested too deeply",
    "locked.docx": "is encrypted",
    "locked.xlsx": "is encrypted",
    "locked.pptx": "is encrypted",
    "locked.pdf": "is encrypted",
    "locked.epub": "is encrypted",
    "half.docx": "is broken or not docx",
    "half.xlsx": "is broken or not xlsx",
    "half.pdf": "is not a PDF that can be opened",
    "loop.pdf": "is not a PDF that can be opened",
    "bomb.png": "more than 100,000,000 pixels",
    "nul.md": "is empty",
}
READ = {
    "entity.xml": "Before it.", "entity.docx": "An", "include.rst": "Text.", "include.org": "Text.", "report.docx": "sentence stands here",
    "nul.txt": "Some text was", "far.xlsx": "Bolt | 2", "deep.eml": "level", "laughs.md": "The text was written here.",
}  # fmt: skip
LARGE = {"long.pdf", "line.txt", "line.csv"}
NEEDS_TESSERACT = {"bomb.png", "scan.pdf"}
SECRET = "not-for-the-index"
LIMITS = {"default": FormatLimit(seconds=6), **dict.fromkeys(("pdf", "txt", "csv"), FormatLimit(seconds=250))}


@pytest.fixture(scope="module")
def pool() -> Iterator[ParserPool]:
    with ParserPool(workers=1, parsing=Parsing(limits=LIMITS)) as pool:
        # the import of the parsers is not to count against a limit of seconds
        first = next(iter(pool.parse_all([ParseTask("first.txt", "first.txt", b"Some text was here.")])))
        assert first.document is not None
        yield pool


def outcome_of(pool: ParserPool, case: str, folder: Path) -> ParseOutcome:
    secret = folder / "secret.txt"
    secret.write_text(SECRET)
    path, make = cases(str(secret))[case]
    [outcome] = pool.parse_all([ParseTask(case, path, make())])
    return outcome


@pytest.mark.slow
@pytest.mark.parametrize("case", cases(""))
def test_a_hostile_file_ends_in_a_clear_state(case: str, pool: ParserPool, tmp_path: Path, tesseract: str | None) -> None:
    path = cases("")[case][0]
    if path in NEEDS_TESSERACT and tesseract is None:
        pytest.skip("needs tesseract on the PATH (Debian: tesseract-ocr)")
    outcome = outcome_of(pool, case, tmp_path)
    if path in REASONS:
        assert REASONS[path] in outcome.reason
    elif path in READ or path in LARGE:
        assert outcome.document is not None, outcome.reason
        assert READ.get(path, "") in outcome.document.text
    assert outcome.document is not None or (outcome.reason and outcome.remedy)
    assert SECRET not in (outcome.document.text if outcome.document else outcome.reason)


@pytest.mark.slow
def test_the_pool_reads_on_after_all_of_them(pool: ParserPool) -> None:
    [outcome] = pool.parse_all([ParseTask("after.md", "after.md", b"# After\n\nThe text was read.")])
    assert outcome.document is not None
