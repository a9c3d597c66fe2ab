"""Archives as sources: their files are documents, and what is meant to do harm is quarantined or holds the source."""

from __future__ import annotations

import io
import os
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.sources import open_source
from pipelines.sources.conformance import check_changes, check_source, check_unavailable
from pipelines.sources.interface import UNKNOWN_TIME
from search_index.errors import SourceUnavailable
from tests.pipelines.sources.contracts import contract, listed, problems

FILES = {"b.md": b"bee", "docs/a.md": b"ay", "docs/deep/c.txt": b"see"}


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def tarred(path: Path, files: dict[str, bytes], mode: str = "w:gz", more: Callable[[tarfile.TarFile], None] | None = None) -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        if more:
            more(archive)
    return path


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "tar.bz2", "tar.xz"])
def test_it_conforms(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a.{kind}"

    def write(files: dict[str, bytes]) -> None:
        if kind == "zip":
            zipped(path, files)
        else:
            tarred(path, files, f"w:{kind.partition('.')[2]}")

    def change() -> str:
        write(FILES | {"b.md": b"sea"})
        return "b.md"

    def remove() -> str:
        write({"b.md": b"sea"} | {name: content for name, content in FILES.items() if name != "docs/a.md" and name != "b.md"})
        return "docs/a.md"

    write(FILES | {"../up.md": b"up"})
    place = contract(f"{kind[:3]}://::{path}")
    items = check_source(lambda: open_source(place), at_least=3)
    source = open_source(place)
    assert {item.path: source.read(item) for item in items if not item.problem} == FILES
    write(FILES)
    check_changes(lambda: open_source(place), change, remove)
    check_unavailable(lambda: open_source(contract(f"{kind[:3]}://::{tmp_path}/gone")))


def test_one_folder_of_an_archive_is_a_source(tmp_path: Path) -> None:
    zipped(tmp_path / "a.zip", FILES)
    assert set(listed(contract(f"zip://docs::{tmp_path}/a.zip"))) == {"a.md", "deep/c.txt"}
    assert set(listed(contract(f"zip://::file://{tmp_path}/a.zip", include=("*.md",)))) == {"b.md", "docs/a.md"}


def test_names_that_lead_out_are_refused(tmp_path: Path) -> None:
    names = ["../../etc/passwd", "/etc/passwd", "docs/../../x", "C:\\Windows\\x", "..\\x"]
    for place in (
        contract(f"zip://::{zipped(tmp_path / 'a.zip', dict.fromkeys(names, b'x') | FILES)}"),
        contract(f"tar://::{tarred(tmp_path / 'a.tar.gz', dict.fromkeys(names, b'x') | FILES)}"),
    ):
        found = problems(place)
        assert len(found) == len(names) and all("leads out of the archive" in problem for problem in found.values())
        assert set(listed(place)) - set(found) == set(FILES)


def test_a_zip_bomb_is_quarantined_and_the_rest_is_read(tmp_path: Path) -> None:
    zipped(tmp_path / "a.zip", {"bomb.txt": bytes(40 << 20), "a.md": b"text"})
    tracemalloc.start()
    found = problems(contract(f"zip://::{tmp_path}/a.zip"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "zip bomb" in found["bomb.txt"] and set(found) == {"bomb.txt"}
    assert peak < 20 << 20


def test_a_zip_that_lies_about_a_size_gives_no_more_than_it_says(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a.txt": os.urandom(50_000)})
    content = path.read_bytes()
    path.write_bytes(content.replace((50_000).to_bytes(4, "little"), (10).to_bytes(4, "little")))
    source = open_source(contract(f"zip://::{path}"))
    (item,) = source.list()
    assert item.size == 10
    with pytest.raises(OSError, match=r"CRC|BadZipFile"):
        source.read(item)


def test_a_tar_bomb_holds_the_source(tmp_path: Path) -> None:
    path = tarred(tmp_path / "a.tar.gz", {"zeros": bytes(40 << 20), "more": bytes(40 << 20)})
    with pytest.raises(SourceUnavailable, match="200 times") as held:
        listed(contract(f"tar://::{path}", {"file_bytes": 1 << 20}))
    assert "Unpack it" in held.value.remedy


def test_links_devices_and_doubles_in_archives_are_quarantined(tmp_path: Path) -> None:
    def more(archive: tarfile.TarFile) -> None:
        for name, kind in (("link", tarfile.SYMTYPE), ("hard", tarfile.LNKTYPE), ("fifo", tarfile.FIFOTYPE), ("disk", tarfile.BLKTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        archive.addfile(tarfile.TarInfo("b.md"))

    place = contract(f"tar://::{tarred(tmp_path / 'a.tar', FILES, 'w', more)}")
    assert set(problems(place)) == {"link", "hard", "fifo", "disk", "b.md#7"}
    check_source(lambda: open_source(place), at_least=3)


def test_a_time_that_no_calendar_has_is_no_time(tmp_path: Path) -> None:
    info = tarfile.TarInfo("a.md")
    info.mtime = 1 << 60
    path = tarred(tmp_path / "a.tar", {}, "w", lambda archive: archive.addfile(info))
    assert listed(contract(f"tar://::{path}"))["a.md"].modified_at == UNKNOWN_TIME


def test_limits_hold_in_archives(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", FILES | {"big.md": b"x" * 2000, "docs/deep/e.txt": b"e"})
    assert "2,000 bytes" in problems(contract(f"zip://::{path}", {"file_bytes": 1000}))["big.md"]
    deep = contract(f"zip://::{path}", {"depth": 1})
    assert "limits.depth" in problems(deep)["docs/deep/"]
    assert [item.path for item in open_source(deep).list()] == ["b.md", "docs/a.md", "docs/deep/", "big.md"]
    with pytest.raises(SourceUnavailable, match=r"limits\.files"):
        listed(contract(f"zip://::{path}", {"files": 3}))


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_damaged_or_cut_archive_holds_the_source(tmp_path: Path, kind: str) -> None:
    (tmp_path / "not").write_text("this is no archive " * 100)
    with pytest.raises(SourceUnavailable, match="cannot be listed"):
        listed(contract(f"{kind}://::{tmp_path}/not"))
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(SourceUnavailable, match="not a file"):
        listed(contract(f"{kind}://::{tmp_path}/fifo"))
    whole = (
        tarred(tmp_path / "a.tar.gz", {"a": os.urandom(100_000), "b": os.urandom(100_000)})
        if kind == "tar"
        else zipped(tmp_path / "a.zip", FILES)
    )
    whole.write_bytes(whole.read_bytes()[: len(whole.read_bytes()) // 2])
    with pytest.raises(SourceUnavailable, match="cannot be listed"):
        listed(contract(f"{kind}://::{whole}"))


def test_an_encrypted_entry_is_quarantined(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a.md": b"text"})
    content = bytearray(path.read_bytes())
    directory = content.index(b"PK\x01\x02")
    content[directory + 8] |= 1
    path.write_bytes(bytes(content))
    assert "encrypted" in problems(contract(f"zip://::{path}"))["a.md"]
