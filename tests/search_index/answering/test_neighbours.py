"""What stands beside a hit, and never what its reader may not see."""

from __future__ import annotations

from search_index.model.search import Principal
from search_index.searcher import Searcher
from tests.search_index.answering.corpus import BOARD, CORPUS, EVERYONE, HIDDEN, ask

LONG = [passage for passage in CORPUS if passage.path == "19.md"]


def beside(searcher: Searcher, text: str, reach: int, principal: Principal = EVERYONE, **more: object) -> dict[int, str]:
    hits = ask(searcher, principal, query=text, mode="dense", limit=1, neighbours=reach, **more).hits
    assert hits[0].text == text
    return {neighbour.offset: neighbour.text for neighbour in hits[0].neighbours or []}


def test_they_stand_before_and_after(searcher: Searcher) -> None:
    assert beside(searcher, LONG[1].text, 1) == {-1: LONG[0].text, 1: LONG[2].text}
    assert beside(searcher, LONG[1].text, 5) == {-1: LONG[0].text, 1: LONG[2].text, 2: LONG[3].text}
    assert beside(searcher, LONG[0].text, 2) == {1: LONG[1].text, 2: LONG[2].text}


def test_a_passage_alone_has_none(searcher: Searcher) -> None:
    assert beside(searcher, CORPUS[0].text, 3) == {}


def test_a_hidden_passage_is_nobodys_neighbour_but_of_those_who_may_read_it(searcher: Searcher) -> None:
    assert beside(searcher, LONG[3].text, 1) == {-1: LONG[2].text}
    assert beside(searcher, LONG[3].text, 1, BOARD) == {-1: LONG[2].text, 1: HIDDEN[1].text}


def test_a_filter_on_the_hits_takes_no_neighbour_away(searcher: Searcher) -> None:
    assert set(beside(searcher, LONG[1].text, 1, filters={"documents": ["wiki:19.md"], "metadata": {"pages": {"gte": 3}}})) == {-1, 1}
