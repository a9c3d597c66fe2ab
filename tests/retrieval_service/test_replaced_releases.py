"""A release that was replaced goes at once, with all that was read of it: not whenever garbage is collected."""

from __future__ import annotations

import gc
import io
import weakref

from retrieval_service.guarded import Guards
from retrieval_service.standby import PassagesStandingBy
from retrieval_service.telemetry import Telemetry
from search_index.arms import ALWAYS_OPEN
from search_index.home import LoadedRelease
from search_index.model.search import Principal, SearchRequest
from tests.project import Project


def used(loaded: LoadedRelease) -> None:
    """Asked for all that is kept between searches."""
    request = SearchRequest(query="the otter hunts eels", facets=["source"], diversity=0.5, neighbours=1, explain=True)
    assert loaded.searcher.search(request, loaded.ref, Principal()).hits
    assert loaded.reader.facts(loaded.record.revision)


def until_it_stands_by(loaded: LoadedRelease) -> None:
    passages = getattr(loaded.also_close, "__self__", None)
    assert isinstance(passages, PassagesStandingBy)
    passages.wait(30)


def test_nothing_is_left_of_a_release_once_it_is_closed(published: Project) -> None:
    home = published.home
    open_served = Guards(5.0, 1000, Telemetry(io.StringIO())).served(ALWAYS_OPEN)
    loaded = open_served(home, home.catalog.resolve(None))
    used(loaded)
    until_it_stands_by(loaded)
    left = [weakref.ref(part) for part in (loaded.reader, loaded.searcher)]
    gc.collect()
    gc.disable()
    try:
        loaded.close()
        del loaded
        assert [part() for part in left] == [None, None]
    finally:
        gc.enable()
        home.catalog.close()
