"""Listing sources: what is a document, what is left out, and what is said when the place cannot be read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipelines.sources import open_source
from quality_checks.contracts import Contract, RecordMapping
from search_index.errors import SourceUnavailable


def contract(location: Path | str, **more: object) -> Contract:
    return Contract(name="s", version="1", digest="d", status="active", owner="o", location=str(location)).model_copy(update=more)


def paths(of: Contract) -> list[str]:
    return [item.path for item in open_source(of).list()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.md", "b.txt", "sub/c.md", "sub/deep/d.pdf", ".hidden", ".git/config", "~$lock.docx", "node_modules/x.md", "e.tmp"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


def test_hidden_files_and_leftovers_are_left_out(folder: Path) -> None:
    assert paths(contract(folder)) == ["a.md", "b.txt", "sub/c.md", "sub/deep/d.pdf"]


def test_include_and_exclude(folder: Path) -> None:
    assert paths(contract(folder, include=("*.md",))) == ["a.md", "sub/c.md"]
    assert paths(contract(folder, include=("**/*.md",), exclude=("sub/*",))) == ["a.md"]


def test_one_file_is_a_source(folder: Path) -> None:
    source = open_source(contract(folder / "a.md"))
    (item,) = source.list()
    assert (item.path, source.read(item)) == ("a.md", b"a.md")


def test_the_signature_changes_with_the_file_and_not_without(folder: Path) -> None:
    def signature() -> str:
        return next(item.signature for item in open_source(contract(folder)).list() if item.path == "a.md")

    before = signature()
    assert signature() == before
    os.utime(folder / "a.md", (5, 5))
    assert signature() != before


def test_a_name_that_is_not_utf8_is_listed_and_read(tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/caf\xe9.txt"
    with open(raw, "wb") as file:
        file.write(b"text")
    source = open_source(contract(tmp_path))
    (item,) = source.list()
    item.path.encode()
    assert source.read(item) == b"text"


def test_a_missing_place_and_an_unknown_protocol_are_named(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match="nowhere does not exist"):
        paths(contract(tmp_path / "nowhere"))
    with pytest.raises(SourceUnavailable, match="cannot be opened"):
        paths(contract("carrierpigeon://loft/letters"))


def test_records_are_documents(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text('{"_id": "7", "text": "seven"}\n\nnot json\n{"_id": "3", "text": "three"}\n')
    source = open_source(contract(corpus, format="records", records=RecordMapping(id="_id", text="text")))
    items = {item.path: item for item in source.list()}
    assert set(items) == {"3", "7", "corpus.jsonl#3"}
    assert source.read(items["7"]) == b'{"_id": "7", "text": "seven"}'
