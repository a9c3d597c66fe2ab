from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from quality_checks.resolution import resolve
from quality_checks.silver import keywords, silver_set
from search_index.engine.embedded import EmbeddedEngine
from search_index.engine.interface import IndexReader, Payload
from tests.search_index.engine.points import INDEX, Passage, published

HEADINGS = {"weir.md": "The old weir", "kiln.md": "Lime kilns", "copy.md": "Lime kilns", "otter.md": "Otters"}
TEXTS = {
    "weir.md": "The weir at the mill was raised by four feet in the spring of 1871.",
    "kiln.md": "A kiln of this pattern burns limestone with coal for three whole days.",
    "copy.md": "Another kiln of this pattern was pulled down when the railway came through.",
    "otter.md": "Otters are seen below the mill at dusk by anybody who waits.",
}


class WithHeadings:
    """A reader whose passages stand below the headings above."""

    def __init__(self, reader: IndexReader) -> None:
        self._reader = reader

    def __getattr__(self, name: str) -> object:
        return getattr(self._reader, name)

    def payloads(self, points: Sequence[str]) -> dict[str, Payload]:
        found = self._reader.payloads(points)
        return {point: {**payload, "section": [HEADINGS[str(payload["title"])]]} for point, payload in found.items()}


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[WithHeadings]:
    engine = EmbeddedEngine(tmp_path)
    published(engine, None, 1, [Passage(path, text) for path, text in TEXTS.items()])
    opened = engine.open(INDEX, 1)
    yield WithHeadings(opened)
    opened.close()


def test_questions_come_from_headings_and_sentences_and_all_of_them_resolve(reader: WithHeadings) -> None:
    golden = silver_set(reader, 1, "manual", 20)  # type: ignore[arg-type]
    assert golden is not None
    by_kind = {kind: [q for q in golden.queries if kind in q.tags] for kind in ("heading", "sentence")}
    assert [q.query for q in by_kind["heading"]] == ["The old weir"], "one that stands twice, or is one word, asks for nothing"
    assert len(by_kind["sentence"]) == 4
    assert all("silver" in q.tags for q in golden.queries)
    assert "silver" in golden.author
    resolved = resolve(golden, {f"manual:{path}": text for path, text in TEXTS.items()})
    assert resolved.stale == ()
    assert len(resolved.qrels) == len(golden.queries) == 5


def test_no_more_questions_than_asked_for_and_none_for_a_source_without_any(reader: WithHeadings) -> None:
    golden = silver_set(reader, 1, "manual", 2)  # type: ignore[arg-type]
    assert golden is not None
    assert [q.tags[1] for q in golden.queries] == ["heading", "sentence"]
    assert silver_set(reader, 1, "another", 10) is None  # type: ignore[arg-type]


def test_the_rarest_words_are_asked_for_in_their_order(reader: WithHeadings) -> None:
    statistics = reader._reader.statistics(1, "default")
    assert keywords("The kiln at the mill burns limestone", statistics, "english", 3) == "kiln burns limestone"
