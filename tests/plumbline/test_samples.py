"""The sample documents and the golden sets that ask about them."""

from __future__ import annotations

import csv
import hashlib
import os
import unicodedata
import zipfile
from collections import Counter
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import TypedDict

import pytest
from ruamel.yaml import YAML

from plumbline.samples import write_samples

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "contracts" / "golden"


class Relevant(TypedDict):
    document: str
    quote: str
    grade: int


class Query(TypedDict):
    id: str
    query: str
    tags: list[str]
    relevant: list[Relevant]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("samples")
    write_samples(folder)
    return folder


def test_every_format_is_there(folder: Path) -> None:
    formats = Counter(path.suffix for path in folder.rglob("*") if path.is_file())

    assert formats == {".pdf": 2, ".docx": 2, ".pptx": 1, ".xlsx": 2, ".html": 2, ".md": 3, ".eml": 3, ".csv": 1, ".txt": 1}


def test_two_writings_give_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    again = write_samples(tmp_path)

    assert again == [tmp_path / path.relative_to(tmp_path) for path in again]
    assert {p.relative_to(tmp_path): _digest(p) for p in again} == {
        p.relative_to(folder): _digest(p) for p in folder.rglob("*") if p.is_file()
    }


def test_office_files_carry_no_time_of_writing(folder: Path) -> None:
    for path in (*folder.glob("*.docx"), *folder.glob("*.pptx"), *folder.glob("*.xlsx")):
        with zipfile.ZipFile(path) as archive:
            assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}, path.name
            assert b"2026-09-01T08:00:00Z" in archive.read("docProps/core.xml"), path.name


def test_only_files_that_differ_are_written(tmp_path: Path) -> None:
    paths = write_samples(tmp_path)
    for path in paths:
        os.utime(path, (1_000_000_000, 1_000_000_000))
    paths[0].write_bytes(b"someone's edit")
    paths[1].unlink()

    write_samples(tmp_path)

    written = {path for path in paths if path.stat().st_mtime != 1_000_000_000}
    assert written == {paths[0], paths[1]}
    assert paths[0].read_bytes().startswith(b"%PDF")
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted(paths)  # nothing half-written stays behind


def test_every_sample_quote_stands_once_in_its_document(folder: Path) -> None:
    passages = [
        (query["id"], relevant["document"].removeprefix("samples:"), relevant["quote"])
        for query in _golden("samples.yaml")
        for relevant in query["relevant"]
    ]

    counts = {(id_, path, quote): sum(part.count(_folded(quote)) for part in _parts(folder / path)) for id_, path, quote in passages}

    assert {passage: count for passage, count in counts.items() if count != 1} == {}


def test_every_document_is_asked_about(folder: Path) -> None:
    asked = {relevant["document"] for query in _golden("samples.yaml") for relevant in query["relevant"]}

    assert asked == {f"samples:{path.relative_to(folder).as_posix()}" for path in folder.rglob("*") if path.is_file()}


def test_questions_do_not_copy_their_answers() -> None:
    for query in _golden("samples.yaml"):
        for relevant in query["relevant"]:
            assert _folded(relevant["quote"]) not in _folded(query["query"]), query["id"]


def test_every_handbook_quote_stands_once_in_its_page() -> None:
    for query in _golden("handbook.yaml"):
        for relevant in query["relevant"]:
            page = _folded(_html_text(_rendered(ROOT / relevant["document"].removeprefix("handbook:"))))
            assert page.count(_folded(relevant["quote"])) == 1, (query["id"], relevant["quote"])


def test_golden_sets_say_who_made_them_and_grade_from_one_to_three() -> None:
    for name in ("samples", "handbook"):
        golden = YAML(typ="safe").load(GOLDEN / f"{name}.yaml")
        ids = [query["id"] for query in golden["queries"]]

        assert golden["name"] == name and golden["version"] and golden["author"] and golden["date"]
        assert len(ids) == len(set(ids))
        assert {relevant["grade"] for query in golden["queries"] for relevant in query["relevant"]} <= {1, 2, 3}
        assert all(query["relevant"] and query["tags"] for query in golden["queries"])


def _golden(name: str) -> list[Query]:
    queries: list[Query] = YAML(typ="safe").load(GOLDEN / name)["queries"]
    return queries


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _folded(text: str) -> str:
    """As golden quotes are matched: NFKC, case folded, white space collapsed."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _parts(path: Path) -> list[str]:
    """A document's folded text by a library that had no hand in writing it; table cells stand apart, as a quote must not cross them."""
    match path.suffix:
        case ".pdf":
            texts = ["\n".join(_pdf_pages(path))]
        case ".docx":
            texts = _docx_texts(path)
        case ".pptx":
            texts = _pptx_texts(path)
        case ".xlsx":
            texts = _xlsx_texts(path)
        case ".html":
            texts = [_html_text(path.read_text())]
        case ".csv":
            with path.open(newline="") as lines:
                texts = [cell for row in csv.reader(lines) for cell in row]
        case ".eml":
            message = message_from_bytes(path.read_bytes(), policy=policy.default)
            assert isinstance(message, EmailMessage)
            texts = [message.get_content()]
        case ".md":
            texts = [_html_text(_rendered(path))]
        case _:
            texts = [path.read_text()]
    return [_folded(text) for text in texts]


def _pdf_pages(path: Path) -> list[str]:
    import pypdfium2

    with pypdfium2.PdfDocument(path) as document:
        return [page.get_textpage().get_text_bounded() for page in document]


def _docx_texts(path: Path) -> list[str]:
    import docx

    document = docx.Document(str(path))
    cells = (cell.text for table in document.tables for row in table.rows for cell in row.cells)
    return [*(paragraph.text for paragraph in document.paragraphs), *cells]


def _pptx_texts(path: Path) -> list[str]:
    from pptx import Presentation

    shapes = [shape for slide in Presentation(str(path)).slides for shape in slide.shapes]
    cells = (cell.text for shape in shapes if shape.has_table for row in shape.table.rows for cell in row.cells)
    return [*(shape.text_frame.text for shape in shapes if shape.has_text_frame), *cells]


def _xlsx_texts(path: Path) -> list[str]:
    import openpyxl

    book = openpyxl.load_workbook(path, read_only=True)
    return [str(value) for sheet in book for row in sheet.iter_rows(values_only=True) for value in row]


def _html_text(html: str) -> str:
    from bs4 import BeautifulSoup

    return BeautifulSoup(html, "html.parser").get_text()


def _rendered(path: Path) -> str:
    import markdown

    return str(markdown.markdown(path.read_text(), extensions=["tables", "fenced_code"]))
