"""What a language model is given to read."""

from __future__ import annotations

from pydantic import TypeAdapter

from retrieval_service.examples import SEARCH_ANSWER
from retrieval_service.mcp import words
from retrieval_service.provenance import Edge, Lineage, RunNode
from search_index.model.search import Degraded, Hint, SearchAnswer

ANSWER = TypeAdapter(SearchAnswer).validate_python(SEARCH_ANSWER)


def test_a_passage_stands_below_where_it_is_from() -> None:
    hit = ANSWER.hits[0].model_copy(update={"page": 2, "page_last": 3, "section": ["Manual", "5 Plumb"], "title": "Manual"})
    said = words.of_search(ANSWER.model_copy(update={"hits": [hit]}))
    assert f"Manual, {hit.uri}, pages 2 to 3, 5 Plumb\n" in said
    assert said.index(hit.uri) < said.index(hit.text)


def test_what_an_answer_had_to_do_without_is_said() -> None:
    poor = {
        "degraded": [Degraded(arm="dense", reason="timeout")],
        "hints": [Hint(code="held", message="The source x is held.")],
        "answerable": False,
    }
    said = words.of_search(ANSWER.model_copy(update=poor))
    for note in ("Left out of this answer: dense (timeout).", "Note: The source x is held.", "only the nearest"):
        assert note in said
    assert "only the nearest" not in words.of_search(ANSWER)


def test_no_passage_is_said_in_words() -> None:
    assert words.of_search(ANSWER.model_copy(update={"hits": []})).startswith("No passage found, release")


def test_a_long_lineage_is_cut_and_says_so() -> None:
    nodes = [RunNode(key=f"run:{i}", run_id=str(i)) for i in range(words.MOST_LINES + 7)]
    edges = [Edge(subject="a", relation="ran_in", object="b")]
    said = words.of_lineage(Lineage(subject="run:0", nodes=[*nodes], edges=edges))
    assert "(7 more, in the structured answer)" in said
    assert f"run:{words.MOST_LINES}:" not in said
    assert "a ran_in b" in said
