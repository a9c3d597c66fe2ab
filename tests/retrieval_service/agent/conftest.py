"""The library over the embedded engine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from search_index.engine.embedded import EmbeddedEngine
from search_index.fusion import Ranking
from search_index.searcher import Searcher
from tests.retrieval_service.agent.library import HIDDEN, OPEN, Library
from tests.search_index.answering.corpus import Encoder
from tests.search_index.engine.points import INDEX, Passage, published


@contextmanager
def opened(root: Path, passages: Sequence[Passage]) -> Iterator[Library]:
    """A library of its own."""
    engine = EmbeddedEngine(root)
    published(engine, None, 1, passages)
    with closing(engine.open(INDEX, 1)) as reader:
        yield Library(Searcher(reader, Encoder(), Ranking()))


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """All there is, with what only the board may read."""
    with opened(tmp_path_factory.mktemp("library"), [*OPEN, *HIDDEN]) as library:
        yield library


@pytest.fixture(scope="session")
def open_library(tmp_path_factory: pytest.TempPathFactory, library: Library) -> Iterator[Library]:
    """The same, had the hidden documents never been written; but for the weights of words, which a tenant's documents share."""
    with opened(tmp_path_factory.mktemp("open"), OPEN) as without, pytest.MonkeyPatch.context() as patch:
        patch.setattr(without.searcher.reader, "statistics", library.searcher.reader.statistics)
        yield without
