"""A home as ``FakeIndex`` makes it, over the embedded engine and the real searcher; only the model is played."""

from __future__ import annotations

from pathlib import Path

from search_index.engine import directory
from search_index.engine.embedded import EmbeddedEngine
from search_index.fusion import Ranking
from search_index.home import Home, LoadedRelease, trusted_manifest
from search_index.model.release import ReleaseRecord
from search_index.searcher import Searcher
from tests.retrieval_service.fakes import FakeIndex
from tests.search_index.answering.corpus import ALL, Encoder
from tests.search_index.engine.points import INDEX, Passage, published


class RealIndex(FakeIndex):
    """Each ``add`` publishes one revision, in the engine and in the catalog."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.engine = EmbeddedEngine(root / "engine")

    def add(self, *passages: Passage, retired: list[str] | None = None) -> int:
        """Publish a revision that holds these as well."""
        head = self.home.catalog.pointer().head
        published(self.engine, head, (head or 0) + 1, passages, retired or [])
        return self.publish()

    def load(self, home: Home, record: ReleaseRecord) -> LoadedRelease:
        """What ``search_index.home.open_release`` does, over this engine."""
        manifest = trusted_manifest(home, record)
        newest = home.catalog.releases(limit=1, published_only=True)[0].revision
        reader = self.engine.open(INDEX, newest, head=newest)
        searcher = Searcher(reader, Encoder(), Ranking(), withholding=home.withholding)
        return LoadedRelease(record=record, manifest=manifest, searcher=searcher, reader=reader)


def staged_corpus(root: Path) -> Path:
    """Revision 1 of the corpus that ``tests.search_index.answering`` reckons with, as the engine keeps it in ``root``."""
    published(EmbeddedEngine(root), None, 1, ALL)
    return root


def corpus_at(root: Path, staged: Path) -> RealIndex:
    """A home whose release 1 holds a copy of what ``staged_corpus`` made."""
    directory.copy(staged, root / "engine")
    index = RealIndex(root)
    index.publish()
    return index
