from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from quality_checks.known_items import LEAST_WORDS, MOST_WORDS, KnownItem, distinctive_sentence, known_items, lost_by_mode
from search_index.engine.embedded import EmbeddedEngine
from search_index.engine.interface import IndexReader, Payload
from search_index.model.search import Mode
from tests.search_index.engine.points import INDEX, Passage, published

COMMON = "Every report of the office begins with the same long sentence here."
SUBJECTS = "otter badger heron swift newt kiln lathe pump ferry quarry turbine ledger".split()
LARGE = [Passage(f"{name}.md", f"{COMMON} The {name} of number {n} stands apart from all the rest.") for n, name in enumerate(SUBJECTS)]
SMALL = [
    Passage("short.md", "Too short.", source="other"),
    Passage("one.md", "A single weir that only this one source has ever had.", source="other"),
]
HIDDEN = [Passage("hidden.md", "A secret orchard that nobody at all may ever read about.", access=())]


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[IndexReader]:
    engine = EmbeddedEngine(tmp_path)
    published(engine, None, 1, [*LARGE, *SMALL, *HIDDEN])
    opened = engine.open(INDEX, 1)
    yield opened
    opened.close()


def test_the_sentence_that_sets_a_passage_apart_is_asked_for(reader: IndexReader) -> None:
    sentence = distinctive_sentence(LARGE[0].text, reader.statistics(1, "default"), "english")
    assert sentence == "The otter of number 0 stands apart from all the rest."
    assert distinctive_sentence("Too short.", reader.statistics(1, "default"), "english") == ""
    assert distinctive_sentence("of and to the of and to the otter", reader.statistics(1, "default"), "english") == ""
    long = distinctive_sentence(" ".join(SUBJECTS + SUBJECTS[::-1]), reader.statistics(1, "default"), "english")
    assert len(long.split()) == MOST_WORDS


def test_items_are_shared_out_among_sources_and_leave_out_what_nobody_may_read(reader: IndexReader) -> None:
    items = known_items(reader, 1, 8)
    assert Counter(item.source for item in items) == {"manual": 4, "other": 1}
    assert items == known_items(reader, 1, 8)
    assert all(len(item.sentence.split()) >= LEAST_WORDS for item in items)
    assert "manual:hidden.md" not in {item.uri for item in known_items(reader, 1, 100)}


def test_a_passage_is_found_by_its_id_or_by_one_with_the_same_sentence() -> None:
    items = [KnownItem(str(n), "s", "default", "s:a", f"the {name} of the weir stands  Apart") for n, name in enumerate(SUBJECTS)]

    def ask(item: KnownItem, mode: Mode) -> Sequence[Payload]:
        if mode == "dense":
            return [{"chunk_id": "0", "text": ""}]
        return [{"chunk_id": "another", "text": f"Before. {item.sentence.replace('  ', chr(10)).upper()}. After."}]

    lost = lost_by_mode(items, ("dense", "sparse"), ask)
    assert [item.chunk_id for item in lost["dense"]] == [item.chunk_id for item in items[1:]]
    assert lost["sparse"] == []
