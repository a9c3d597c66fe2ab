"""Sources of a team's own: found by their entry point; and the conformance suite, which has to find what is wrong with one."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines.sources import Source, SourceItem, open_source
from pipelines.sources.conformance import check_changes, check_source, check_unavailable
from pipelines.sources.interface import refuse_problem
from search_index.errors import SourceUnavailable
from tests.conftest import ROOT
from tests.pipelines.sources.contracts import contract


def example() -> str:
    """The plug-in of docs/writing-a-source.md."""
    page = (ROOT / "docs" / "writing-a-source.md").read_text()
    return re.findall(r"```python\n(.*?)```", page, re.DOTALL)[0]


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The example, installed as its package would be."""
    about = tmp_path / "wiki_source-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: wiki-source\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[plumbline.sources]\nwiki = wiki_source:open_wiki\nbroken = wiki_source:missing\n")
    (tmp_path / "wiki_source.py").write_text(example())
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    sys.modules.pop("wiki_source", None)


def test_the_example_of_the_documentation_conforms(plugin: Path) -> None:
    export = plugin / "export.json"
    pages = (
        '{"id": 1, "version": 1, "title": "Cranes", "text": "Inspect weekly."}, {"id": 2, "version": 3, "title": "Hoists", "text": "Oil."}'
    )
    export.write_text(f"[{pages}]")
    place = contract(f"wiki:{export}", server_type="custom")

    def change() -> str:
        export.write_text(f"[{pages}]".replace('"version": 1', '"version": 2').replace("weekly", "daily"))
        return "1.md"

    items = check_source(lambda: open_source(place), at_least=2)
    assert [item.path for item in items] == ["1.md", "2.md"]
    check_changes(lambda: open_source(place), change)
    check_unavailable(lambda: open_source(contract("wiki:/nowhere.json", server_type="custom")))


def test_an_unknown_and_a_broken_plugin_are_named(plugin: Path) -> None:
    with pytest.raises(SourceUnavailable, match=r"no plug-in is called 'wikki'; installed: broken, wiki"):
        open_source(contract("wikki:x", server_type="custom"))
    with pytest.raises(SourceUnavailable, match="'broken' cannot be loaded"):
        open_source(contract("broken:x", server_type="custom"))


def item(path: str, **more: object) -> SourceItem:
    return replace(SourceItem(path, path, 0, datetime(2026, 1, 1, tzinfo=UTC), "s"), **more)  # type: ignore[arg-type]


class Good:
    """A source that is as it should be; the others are this with one thing wrong."""

    items = (item("a"), item("b"), item("c", problem="It is broken.", remedy="Mend it."))

    def list(self) -> Iterator[SourceItem]:
        yield from self.items

    def read(self, item: SourceItem) -> bytes:
        refuse_problem(item)
        if item.location not in ("a", "b"):
            raise FileNotFoundError(item.location)
        return item.location.encode()


class Empty(Good):
    items = ()


class Twice(Good):
    items = (item("a"), item("a"))


class Climbing(Good):
    items = (item("../a", location="a"),)


class Newline(Good):
    items = (item("a\nb", location="a"),)


class NotUnicode(Good):
    items = (item("a\udce9", location="a"),)


class LocalTime(Good):
    items = (item("a", modified_at=datetime(2026, 1, 1)),)  # noqa: DTZ001


class WrongSize(Good):
    items = (item("a", size=5),)


class NoRemedy(Good):
    items = (item("a"), item("c", problem="It is broken."))


class OtherSignature(Good):
    calls = iter(range(1000))

    def list(self) -> Iterator[SourceItem]:
        yield item("a", signature=str(next(self.calls)))


class OtherOrder(Good):
    calls = iter(range(1000))

    def list(self) -> Iterator[SourceItem]:
        yield from self.items[:2] if next(self.calls) % 2 else self.items[1::-1]


class ReadsProblems(Good):
    def read(self, item: SourceItem) -> bytes:
        return Good().read(replace(item, problem="")) if item.path != "c" else b"broken"


class ReadsNothing(Good):
    def read(self, item: SourceItem) -> bytes:
        raise OSError("away")


class ReadsText(Good):
    def read(self, item: SourceItem) -> bytes:
        return Good().read(item).decode()  # type: ignore[return-value]


class ReadsTooMuch(Good):
    def read(self, item: SourceItem) -> bytes:
        return Good().read(item) * 2000


class ForwardOnly(Good):
    def __init__(self) -> None:
        self.read_before: set[str] = set()

    def read(self, item: SourceItem) -> bytes:
        content = Good().read(item) if item.path not in self.read_before else b""
        self.read_before.add(item.path)
        return content


class Invents(Good):
    def read(self, item: SourceItem) -> bytes:
        refuse_problem(item)
        return item.location[:1].encode()


@pytest.mark.parametrize(
    ("broken", "found"),
    [
        (Empty, "lists 0 documents"), (Twice, "listed twice"), (Climbing, "leads out"), (Newline, "control characters"),
        (NotUnicode, "valid Unicode"), (LocalTime, "UTC"), (WrongSize, "listed with 5 bytes"), (NoRemedy, "what to do"),
        (OtherSignature, "another signature"), (OtherOrder, "another order"), (ReadsProblems, "refuse_problem"),
        (ReadsNothing, "cannot be read"), (ReadsText, "not bytes"), (ReadsTooMuch, "the contract allows"), (ForwardOnly, "another order"),
        (Invents, "is gone"),
    ],
)  # fmt: skip
def test_the_suite_finds_what_is_wrong(broken: Callable[[], Source], found: str) -> None:
    check_source(Good, at_least=2, most_bytes=1000)
    with pytest.raises(AssertionError, match=found):
        check_source(broken, most_bytes=1000)


def test_the_suite_finds_changes_that_go_unseen_and_places_that_vanish() -> None:
    with pytest.raises(AssertionError, match="signature did not"):
        check_changes(Good, change=lambda: "a")
    with pytest.raises(AssertionError, match="still listed"):
        check_changes(Good, remove=lambda: "a")
    with pytest.raises(AssertionError, match="raise SourceUnavailable"):
        check_unavailable(Empty)
