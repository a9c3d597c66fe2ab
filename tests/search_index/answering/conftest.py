from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from search_index.engine.embedded import EmbeddedEngine
from search_index.engine.interface import IndexReader
from search_index.fusion import Ranking
from search_index.searcher import Searcher
from tests.search_index.answering.corpus import ALL, CORPUS, Encoder
from tests.search_index.engine.points import INDEX, Passage, published


@pytest.fixture(scope="session")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IndexReader]:
    """Revision 1 holds the corpus; revision 2 has lost its first passage and gained one of the second document."""
    engine = EmbeddedEngine(Path(tmp_path_factory.mktemp("answering")))
    published(engine, None, 1, ALL)
    published(engine, 1, 2, [Passage("new.md", "golden part newcomer", metadata={"fresh": "yes"})], [CORPUS[0].point(1)])
    with closing(engine.open(INDEX, 2)) as reader:
        yield reader


@pytest.fixture(scope="session")
def searcher(reader: IndexReader) -> Searcher:
    """Looks only five deep, so that a second page has to look deeper."""
    return Searcher(reader, Encoder(), Ranking(depth=5))
