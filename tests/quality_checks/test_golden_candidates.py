"""Reviewed answers as golden queries."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from quality_checks.golden import GoldenInvalid, Judgement, load_golden
from quality_checks.golden_candidates import CORRECTED_GRADE, LIKED_GRADE, add_to_set, candidate_of, judged_passages
from search_index.engine.embedded import EmbeddedEngine
from search_index.engine.interface import IndexReader
from search_index.errors import NotFound, WrongUsage
from search_index.model.release import now
from search_index.model.usage import Feedback, FeedbackKind, ReviewItem
from tests.search_index.engine.points import INDEX, Passage, published

PASSAGES = [
    Passage("weir.md", "Reports begin alike. The weir of the upper otter pond was mended with oak and clay."),
    Passage("kiln.md", "Reports begin alike. The kiln behind the old ferry house burns nothing but beech."),
]
ASKED = "what was the weir mended with?"


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[IndexReader]:
    engine = EmbeddedEngine(tmp_path / "index")
    published(engine, None, 1, PASSAGES)
    opened = engine.open(INDEX, 1)
    yield opened
    opened.close()


@pytest.fixture
def chunks(reader: IndexReader) -> dict[str, str]:
    """Chunk ids by the document they are of."""
    payloads = reader.payloads(reader.ledger()["point_id"].to_pylist()).values()
    return {str(payload["uri"]).partition(":")[2]: str(payload["chunk_id"]) for payload in payloads}


def said(kind: FeedbackKind, chunk: str | None = None, uri: str | None = None, quote: str | None = None) -> Feedback:
    return Feedback(query_id="q", at=now(), principal="p", kind=kind, release=1, chunk_id=chunk, uri=uri, quote=quote)


def item(*feedback: Feedback, text: str | None = ASKED) -> ReviewItem:
    return ReviewItem(id="q", at=now(), reasons=["disliked"], text=text, release=1, confidence=0.2, chunks=[], feedback=list(feedback))


def test_what_was_liked_is_judged_by_a_sentence_of_it_and_what_was_corrected_by_its_quote(
    reader: IndexReader, chunks: dict[str, str]
) -> None:
    reviewed = item(
        said("relevant", chunks["weir.md"]),
        said("not_relevant", chunks["kiln.md"]),
        said("correction", uri="manual:pond.md", quote="oak and clay"),
    )
    made = candidate_of(reviewed, None, judged_passages(reader, 1, reviewed, []), 1)
    assert made.query == ASKED
    assert set(made.relevant) == {
        Judgement(document="manual:weir.md", quote="The weir of the upper otter pond was mended with oak and clay.", grade=LIKED_GRADE),
        Judgement(document="manual:pond.md", quote="oak and clay", grade=CORRECTED_GRADE),
    }


def test_a_reviewer_may_name_passages_and_give_the_words(reader: IndexReader, chunks: dict[str, str]) -> None:
    reviewed = item(said("not_relevant", chunks["kiln.md"]), text=None)
    with pytest.raises(WrongUsage, match="words of query q were not kept"):
        candidate_of(reviewed, None, {}, 1)
    with pytest.raises(WrongUsage, match="Nobody has said what answers"):
        candidate_of(reviewed, ASKED, judged_passages(reader, 1, reviewed, []), 1)
    made = candidate_of(reviewed, ASKED, judged_passages(reader, 1, reviewed, [chunks["weir.md"]]), 3)
    assert [(one.document, one.grade) for one in made.relevant] == [("manual:weir.md", 3)]
    with pytest.raises(NotFound):
        judged_passages(reader, 1, reviewed, ["gone"])


def test_a_passage_that_was_liked_and_is_gone_is_left_out(reader: IndexReader, chunks: dict[str, str]) -> None:
    reviewed = item(said("relevant", "gone"), said("relevant", chunks["kiln.md"]))
    assert judged_passages(reader, 1, reviewed, []).keys() == {chunks["kiln.md"]}


def test_a_set_grows_by_one_query_and_keeps_what_was_written_by_hand(tmp_path: Path, reader: IndexReader, chunks: dict[str, str]) -> None:
    path = tmp_path / "golden" / "feedback.jsonl"
    reviewed = item(said("relevant", chunks["weir.md"]))
    made = candidate_of(reviewed, None, judged_passages(reader, 1, reviewed, []), 2)
    assert add_to_set(path, made, "training", "default") == path
    first = load_golden(path)
    assert (first.name, first.purpose, first.queries) == ("feedback", "training", (made,))
    by_hand = first.model_copy(update={"author": "ana", "version": "7"})
    path.write_text(path.read_text().replace('"reviewed feedback"', '"ana"').replace('"version": "1"', '"version": "7"'))
    add_to_set(path, made.model_copy(update={"id": "another"}), "training", "default")
    add_to_set(path, made.model_copy(update={"query": "mended with what?"}), "training", "default")
    second = load_golden(path)
    assert (second.author, second.version) == (by_hand.author, by_hand.version)
    assert {one.id: one.query for one in second.queries} == {"another": ASKED, "q": "mended with what?"}
    path.write_text("not a set")
    with pytest.raises(GoldenInvalid):
        add_to_set(path, made, "training", "default")
    assert path.read_text() == "not a set"
