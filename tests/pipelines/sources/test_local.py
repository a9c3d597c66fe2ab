"""Files on this machine: what is a document, what is left out, and what ends in quarantine instead of stalling the run."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest

from pipelines.sources import open_source
from pipelines.sources.conformance import check_changes, check_source, check_unavailable
from pipelines.sources.files import FileSource
from pipelines.sources.names import clean_path
from search_index.errors import DocumentUnreadable, SourceUnavailable
from tests.pipelines.sources.contracts import contract, listed, problems


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.md", "b.txt", "sub/c.md", "sub/deep/d.pdf", ".hidden", ".git/config", "~$lock.docx", "node_modules/x.md", "e.tmp"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


def test_it_conforms(folder: Path) -> None:
    (folder / "out").symlink_to("/etc/hostname")
    (folder / "two\nlines.md").write_text("text")

    def change() -> str:
        (folder / "a.md").write_text("b.md")
        return "a.md"

    def remove() -> str:
        (folder / "sub" / "c.md").unlink()
        return "sub/c.md"

    assert len(check_source(lambda: open_source(contract(folder)), at_least=5)) == 6
    check_changes(lambda: open_source(contract(folder)), change, remove)
    check_unavailable(lambda: open_source(contract(folder / "gone")))


def test_hidden_files_and_leftovers_are_left_out(folder: Path) -> None:
    assert list(listed(contract(folder))) == ["a.md", "b.txt", "sub/c.md", "sub/deep/d.pdf"]


def test_include_and_exclude(folder: Path) -> None:
    assert list(listed(contract(folder, include=("*.md",)))) == ["a.md", "sub/c.md"]
    assert list(listed(contract(folder, include=("**/*.md",), exclude=("sub/*",)))) == ["a.md"]


def test_one_file_is_a_source(folder: Path) -> None:
    source = open_source(contract(folder / "a.md"))
    (item,) = source.list()
    assert (item.path, source.read(item)) == ("a.md", b"a.md")


def test_the_signature_changes_with_the_file_and_not_without(folder: Path) -> None:
    before = listed(contract(folder))["a.md"].signature
    assert listed(contract(folder))["a.md"].signature == before
    os.utime(folder / "a.md", (5, 5))
    assert listed(contract(folder))["a.md"].signature != before


def test_a_missing_place_and_an_unknown_protocol_are_named(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match="nowhere does not exist"):
        listed(contract(tmp_path / "nowhere"))
    with pytest.raises(SourceUnavailable, match="cannot be opened"):
        listed(contract("carrierpigeon://loft/letters"))


def test_names_that_are_no_text_are_escaped_and_never_collide(tmp_path: Path) -> None:
    names = [
        b"caf\xe9.txt",
        rb"caf\xe9.txt",
        rb"caf\\xe9.txt",
        b"two\nlines.md",
        rb"two\x0alines.md",
        b"plain\\name.md",
        b"\\\xe9",
        rb"\\xe9",
    ]
    for number, name in enumerate(names):
        with open(os.path.join(os.fsencode(tmp_path), name), "wb") as file:
            file.write(b"%d" % number)
    items = check_source(lambda: open_source(contract(tmp_path)), at_least=len(names))
    source = open_source(contract(tmp_path))
    assert {source.read(item) for item in items} == {b"%d" % number for number in range(len(names))}
    assert {"two\\x0alines.md", "caf\\xe9.txt", "plain\\name.md"} <= {item.path for item in items}


def test_lone_surrogates_are_escaped_too() -> None:
    assert clean_path("a\ud800b") == "a\\ud800b" != clean_path("a\\ud800b")


def test_links_are_followed_to_files_inside_and_no_further(tmp_path: Path) -> None:
    (tmp_path / "docs" / "sub").mkdir(parents=True)
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "docs" / "sub" / "a.md").write_text("text")
    for link, target in {
        "again": "sub/a.md", "loop": ".", "sub/up": "..", "self": "self", "out": "../secret.txt", "outside": "..", "broken": "nowhere",
    }.items():  # fmt: skip
        (tmp_path / "docs" / link).symlink_to(target)
    place = contract(tmp_path / "docs")
    found = problems(place)
    assert set(found) == {"self", "out", "outside", "broken"}
    assert "link out of the source" in found["out"] and "link out of the source" in found["outside"]
    assert set(listed(place)) - set(found) == {"again", "sub/a.md"}
    source = open_source(place)
    assert source.read(listed(place)["again"]) == b"text"


def test_a_file_that_becomes_a_link_out_or_a_fifo_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "secret.txt").write_text("secret")
    for name in ("a.md", "b.md"):
        (tmp_path / "docs" / name).write_text("text")
    source = open_source(contract(tmp_path / "docs"))
    a, b = source.list()
    for name in ("a.md", "b.md"):
        (tmp_path / "docs" / name).unlink()
    (tmp_path / "docs" / "a.md").symlink_to("../secret.txt")
    os.mkfifo(tmp_path / "docs" / "b.md")
    for item in (a, b):
        with pytest.raises(DocumentUnreadable, match=r"has become a link|no regular file"):
            source.read(item)


@pytest.mark.timeout(20)
def test_fifos_sockets_and_devices_are_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.txt")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        found = problems(contract(tmp_path))
    assert ("FIFO" in found["fifo.txt"], "socket" in found["socket"]) == (True, True)
    check_source(lambda: open_source(contract(tmp_path)), at_least=0)


def test_a_file_over_the_limit_is_not_read(tmp_path: Path) -> None:
    with open(tmp_path / "sparse.pdf", "wb") as file:
        file.truncate(2 << 30)
    (tmp_path / "small.md").write_text("text")
    found = problems(contract(tmp_path))
    assert list(found) == ["sparse.pdf"]
    assert "2,147,483,648 bytes" in found["sparse.pdf"] and "limits.file_bytes" in found["sparse.pdf"]


def test_a_file_that_grows_over_the_limit_after_listing_stops_there(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("text")
    source = open_source(contract(tmp_path, {"file_bytes": 1000}))
    (item,) = source.list()
    with open(tmp_path / "a.log", "wb") as file:
        file.truncate(2 << 30)
    with pytest.raises(DocumentUnreadable, match="did not end within the limit"):
        source.read(item)


def test_too_many_files_hold_the_source(folder: Path) -> None:
    assert len(listed(contract(folder, {"files": 4}))) == 4
    with pytest.raises(SourceUnavailable, match=r"more than 3 files.*limits\.files"):
        listed(contract(folder, {"files": 3}))


def test_a_folder_that_is_too_deep_is_reported_once(folder: Path) -> None:
    (folder / "sub" / "deep" / "e.md").write_text("e")
    place = contract(folder, {"depth": 1}, include=("*.md",))
    assert list(listed(place)) == ["a.md", "sub/c.md", "sub/deep/"]
    assert "limits.depth" in problems(place)["sub/deep/"]
    assert "sub/deep/" not in listed(contract(folder, {"depth": 1}, exclude=("sub/deep/*",)))


def test_a_folder_that_may_not_be_read_is_reported_with_what_it_hides(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.scandir

    def scandir(path: str) -> object:
        if path.endswith("sub"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)  # the tests may run as root, whom no mode keeps out
    item = listed(contract(folder))["sub/"]
    assert item.hides and "Permission denied" in item.problem and "right to read" in item.remedy


def test_a_file_that_is_written_to_while_it_is_read_is_never_half_of_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"old " * 1000)
    source = open_source(contract(tmp_path))
    (item,) = source.list()
    real, times = os.fstat, iter(range(100))

    def fstat(descriptor: int) -> os.stat_result:
        with open(path, "ab") as file:
            file.write(b"%d" % next(times))  # a writer that never stops
        return real(descriptor)

    monkeypatch.setattr(os, "fstat", fstat)
    with pytest.raises(OSError, match="changed while it was read"):
        source.read(item)
    monkeypatch.undo()
    assert source.read(item).startswith(b"old ")


def test_a_file_that_vanishes_is_an_error_that_is_handled(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("text")
    source = FileSource(contract(tmp_path))
    (item,) = source.list()
    (tmp_path / "a.md").unlink()
    with pytest.raises(FileNotFoundError):
        source.read(item)


def test_listing_and_reading_from_several_threads(folder: Path) -> None:
    seen: list[int] = []
    threads = [threading.Thread(target=lambda: seen.append(len(listed(contract(folder))))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [4] * 4
