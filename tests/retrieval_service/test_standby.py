"""When the engine is gone the passages in memory answer, by their words, to those who may read them, and the answer says so."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from retrieval_service.breaker import Breakers
from retrieval_service.minding import Minder
from retrieval_service.standby import PassagesStandingBy
from retrieval_service.telemetry import Telemetry
from search_index.engine.embedded import EmbeddedEngine
from search_index.engine.interface import IndexReader
from search_index.errors import ArmsUnavailable, FilterInvalid, HomeDamaged, NotInMemory
from search_index.fusion import Ranking
from search_index.model.filters import Filters
from search_index.model.overlay import OverlayEntry
from search_index.model.release import now
from search_index.model.search import EVERYONE, Principal, ReleaseRef, SearchAnswer, SearchRequest
from search_index.searcher import Searcher
from search_index.withholding import Overlay
from tests.search_index.engine.points import INDEX, OTHERS, Passage, passages, published, vector_of

MANY = 1000
OPEN = Passage("open.md", "golden gate of the pointer", metadata={"year": 2020})
PARTS = [Passage("long.md", f"golden part {number}", ordinal=number, metadata={"year": 2021}) for number in range(4)]
SECRET = Passage("secret.md", "golden secret", access=("board",), metadata={"year": 2022})
THEIRS = Passage("theirs.md", "golden gate of others", tenant=OTHERS)
LATER = Passage("later.md", "golden gate that came later")


class Encoder:
    def encode_query(self, text: str) -> object:
        return vector_of(text)


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[IndexReader]:
    engine = EmbeddedEngine(tmp_path)
    published(engine, None, 1, [OPEN, *PARTS, SECRET, THEIRS, *passages(30)])
    published(engine, 1, 2, [LATER])
    opened = engine.open(INDEX, 2)
    yield opened
    opened.close()


@pytest.fixture
def log() -> io.StringIO:
    return io.StringIO()


def backed(reader: IndexReader, log: io.StringIO, most: int = MANY, overlay: Overlay | None = None) -> Searcher:
    """As the service makes it, once the passages are copied."""
    telemetry = Telemetry(log)
    plain = Searcher(reader, Encoder(), Ranking(), withholding=overlay or Overlay(0, ()))  # type: ignore[arg-type]
    standby = PassagesStandingBy(plain, 2, most, telemetry)
    standby.start()
    standby.wait(60)
    return plain.guarded(lambda encoder: encoder, Minder(telemetry, Breakers(telemetry)), standby.searcher)


def ask(searcher: Searcher, query: str = "golden", revision: int = 2, principal: Principal | None = None, **more: object) -> SearchAnswer:
    release = ReleaseRef(revision=revision, index=INDEX, run_id="run", published_at=None)
    return searcher.search(SearchRequest.model_validate({"query": query, "limit": 50, **more}), release, principal or Principal())


def uris(answer: SearchAnswer) -> set[str]:
    return {hit.uri for hit in answer.hits}


@pytest.mark.parametrize("mode", ["hybrid", "sparse"])
def test_words_answer_and_say_what_they_stand_in_for(reader: IndexReader, log: io.StringIO, mode: str) -> None:
    searcher = backed(reader, log)
    by_engine = ask(searcher, "golden gate", mode="sparse")
    reader.close()
    answer = ask(searcher, "golden gate", mode=mode)
    assert answer.mode == "lexical"
    assert [(left.arm, left.reason) for left in answer.degraded] == [
        (arm, "HomeDamaged") for arm in (("dense", "sparse") if mode == "hybrid" else ("sparse",))
    ]
    assert [hit.chunk_id for hit in answer.hits[:3]] == [hit.chunk_id for hit in by_engine.hits[:3]]
    assert [hit.score for hit in answer.hits] == pytest.approx([hit.score for hit in by_engine.hits], rel=1e-5)
    assert [hit.provenance for hit in answer.hits[:3]] == [hit.provenance for hit in by_engine.hits[:3]]
    assert (answer.release.revision, answer.confidence) == (2, None)


def test_while_the_engine_answers_it_is_asked(reader: IndexReader, log: io.StringIO) -> None:
    searcher = backed(reader, log)
    answer = ask(searcher)
    assert (answer.mode, answer.degraded) == ("hybrid", [])
    assert ask(searcher, mode="lexical").mode == "lexical"
    assert uris(ask(searcher, mode="lexical")) == uris(ask(searcher, mode="sparse"))


def test_who_may_read_what_is_the_same(reader: IndexReader, log: io.StringIO) -> None:
    gone = OverlayEntry(document_id=PARTS[0].document, source="manual", why="erased", groups=frozenset(), since=now(), by="test")
    searcher = backed(reader, log, overlay=Overlay(1, [gone]))
    board = Principal(groups=frozenset({EVERYONE, "board"}))
    other = Principal(tenant=OTHERS)
    whole = {who: uris(ask(searcher, mode="sparse", principal=who)) for who in (Principal(), board, other)}
    reader.close()
    assert {who: uris(ask(searcher, principal=who)) for who in whole} == whole
    assert SECRET.uri in whole[board] - whole[Principal()]
    assert whole[other] == {THEIRS.uri}
    assert PARTS[0].uri not in whole[board]
    assert ask(searcher, principal=Principal(groups=frozenset())).hits == []


def test_everything_else_of_an_answer_is_there(reader: IndexReader, log: io.StringIO) -> None:
    searcher = backed(reader, log)
    shape: dict[str, Any] = {
        "facets": ["metadata.year", "source"],
        "group_by": "document",
        "group_size": 3,
        "neighbours": 1,
        "highlight": True,
        "explain": True,
    }
    whole = ask(searcher, mode="sparse", **shape)
    reader.close()
    answer = ask(searcher, **shape)
    assert answer.facets == whole.facets is not None
    assert answer.groups == whole.groups is not None
    assert [(h.uri, h.neighbours, h.highlights) for h in answer.hits] == [(h.uri, h.neighbours, h.highlights) for h in whole.hits]
    assert any(hit.neighbours for hit in answer.hits)
    assert uris(ask(searcher, filters=Filters.model_validate({"metadata": {"year": {"gte": 2021}}}))) == {PARTS[0].uri}
    with pytest.raises(FilterInvalid):
        ask(searcher, filters=Filters.model_validate({"metadata": {"yaer": 2021}}))
    first, second = ask(searcher, limit=3), ask(searcher, limit=3, offset=3)
    assert first.next_offset == 3
    assert not {hit.chunk_id for hit in first.hits} & {hit.chunk_id for hit in second.hits}


def test_meaning_alone_and_older_releases_are_not_answered_by_words(reader: IndexReader, log: io.StringIO) -> None:
    searcher = backed(reader, log)
    reader.close()
    with pytest.raises(ArmsUnavailable):
        ask(searcher, mode="dense")
    with pytest.raises((ArmsUnavailable, HomeDamaged)):
        ask(searcher, revision=1)


def test_too_many_passages_are_not_kept_and_that_is_said(reader: IndexReader, log: io.StringIO) -> None:
    searcher = backed(reader, log, most=10)
    assert "10 at most are kept in memory" in log.getvalue()
    with pytest.raises(NotInMemory, match="too many"):
        ask(searcher, mode="lexical")
    assert ask(searcher).degraded == []
    reader.close()
    with pytest.raises((ArmsUnavailable, HomeDamaged)):
        ask(searcher)


def test_a_release_that_is_closed_while_it_is_copied_harms_nothing(reader: IndexReader, log: io.StringIO) -> None:
    reader.close()
    searcher = backed(reader, log)
    assert "nothing stands by" in log.getvalue()
    with pytest.raises(NotInMemory):
        ask(searcher, mode="lexical")


def test_a_copy_goes_with_its_release(reader: IndexReader, log: io.StringIO) -> None:
    def copying() -> PassagesStandingBy:
        return PassagesStandingBy(Searcher(reader, Encoder(), Ranking()), 2, MANY, Telemetry(log))  # type: ignore[arg-type]

    standby = copying()
    standby.start()
    standby.wait(60)
    memory = standby.searcher()
    assert memory is not None
    points = memory.reader.ledger()["point_id"].to_pylist()
    assert memory.reader.payloads(points)
    standby.close()
    assert standby.searcher() is None
    assert memory.reader.payloads(points) == {}
    late = copying()
    late.close()
    late.start()
    late.wait(60)
    assert late.searcher() is None, "the release went while it was copied"
