"""The query log, feedback and the review queue."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from search_index.catalog import Catalog
from search_index.errors import NotFound
from search_index.model.release import now
from search_index.model.usage import Feedback, FeedbackKind, LoggedQuery, pseudonym


@pytest.fixture
def catalog(catalog_url: str) -> Iterator[Catalog]:
    opened = Catalog.open(catalog_url)
    yield opened
    opened.close()


def query(id: str, *, age: timedelta = timedelta(), confidence: float | None = 0.9, hits: int = 3, took_ms: float = 8.0) -> LoggedQuery:
    return LoggedQuery(
        id=id,
        at=now() - age,
        release=1,
        mode="hybrid",
        principal="p",
        terms=4,
        hits=hits,
        chunks=["c1", "c2"],
        source="manual" if hits else None,
        took_ms=took_ms,
        confidence=confidence,
    )


def said(query_id: str, kind: FeedbackKind, chunk: str | None = "c1", by: str = "p", text: str | None = None) -> Feedback:
    return Feedback(query_id=query_id, at=now(), principal=by, kind=kind, release=1, chunk_id=chunk, query=text)


def test_a_query_is_read_as_it_was_written(catalog: Catalog) -> None:
    written = query("q1").model_copy(update={"text": "größe?", "degraded": ["dense"], "answerable": False, "best_cosine": 0.25})
    catalog.add_queries([written])
    assert catalog.logged_query("q1") == written
    with pytest.raises(NotFound):
        catalog.logged_query("q2")


def test_a_period_has_its_own_queries_and_the_newest_of_many(catalog: Catalog) -> None:
    catalog.add_queries(query(f"q{hours}", age=timedelta(hours=hours)) for hours in range(6))
    since, until = now() - timedelta(hours=4, minutes=30), now() - timedelta(hours=1, minutes=30)
    assert [each.id for each in catalog.queries_between(since, until)] == ["q4", "q3", "q2"]
    assert [each.id for each in catalog.queries_between(since, until, limit=2)] == ["q3", "q2"]


def test_what_is_too_old_is_forgotten_with_all_that_was_said_of_it(catalog: Catalog) -> None:
    catalog.add_queries([query("old", age=timedelta(days=40)), query("new")])
    catalog.add_feedback(said("old", "not_relevant").model_copy(update={"at": now() - timedelta(days=40)}))
    catalog.add_feedback(said("new", "not_relevant"))
    catalog.review("old", "dismissed", "ana")
    assert catalog.forget_queries(now() - timedelta(days=30)) == 1
    assert catalog.feedback_on("old") == []
    assert len(catalog.feedback_on("new")) == 1
    catalog.add_queries([query("old")])
    assert "old" not in {item.id for item in catalog.review_queue()}, "it was sure of it"
    catalog.add_feedback(said("old", "correction", None))
    assert "old" in {item.id for item in catalog.review_queue()}, "the review went with the query"


def test_the_queue_has_what_people_disliked_before_what_the_service_was_not_sure_of(catalog: Catalog) -> None:
    catalog.add_queries(
        [
            query("fine"),
            query("unsure", confidence=0.1),
            query("nothing", hits=0, confidence=None),
            query("disliked", age=timedelta(hours=5)),
            query("liked", age=timedelta(hours=1)),
        ]
    )
    catalog.add_feedback(said("disliked", "not_relevant", text="what is a plumb bob?"))
    catalog.add_feedback(said("liked", "relevant"))
    queue = catalog.review_queue()
    assert [(item.id, item.reasons) for item in queue] == [
        ("disliked", ["disliked"]),
        ("nothing", ["nothing_found"]),
        ("unsure", ["unsure"]),
    ]
    assert queue[0].text == "what is a plumb bob?", "the text that came with the feedback"
    catalog.review("disliked", "accepted", "ana")
    catalog.review("unsure", "dismissed", "ana")
    assert [item.id for item in catalog.review_queue()] == ["nothing"]
    with pytest.raises(NotFound):
        catalog.review("never asked", "dismissed", "ana")


def test_the_same_word_twice_counts_once_and_another_persons_counts_too(catalog: Catalog) -> None:
    catalog.add_queries([query("q")])
    for by in ("p", "p", "other"):
        catalog.add_feedback(said("q", "relevant", by=by))
    for chunk in ("c1", "c2", None, None):
        catalog.add_feedback(said("q", "correction", chunk))
    kinds = [(each.kind, each.chunk_id, each.principal) for each in catalog.feedback_on("q")]
    assert sorted(map(str, kinds)) == sorted(
        map(str, [("relevant", "c1", "p"), ("relevant", "c1", "other"), *(("correction", c, "p") for c in ("c1", "c2", None))])
    )


def test_figures_of_a_period_by_release(catalog: Catalog) -> None:
    catalog.add_queries([query(f"q{n}", took_ms=float(n)) for n in range(1, 101)])
    catalog.add_queries([query("weak", confidence=0.2), query("none", hits=0).model_copy(update={"release": 2})])
    for kind in ("relevant", "not_relevant", "click"):
        catalog.add_feedback(said("q1", kind))  # type: ignore[arg-type]
    catalog.add_feedback(said("q2", "relevant"))
    one, two = catalog.usage(now() - timedelta(hours=1), now() + timedelta(seconds=1))
    assert (one.release, one.queries, one.unsure, one.clicks, one.relevant, one.not_relevant) == (1, 101, 1, 1, 2, 1)
    assert (one.by_source, two.by_source) == ({"manual": 101}, {})
    assert one.liked == pytest.approx(2 / 3)
    assert one.p50_ms == pytest.approx(50, abs=1)
    assert one.p95_ms == pytest.approx(95, abs=1)
    assert (two.release, two.queries, two.zero_results, two.liked) == (2, 1, 1, None)


def test_a_pseudonym_is_one_persons_and_tells_nothing_without_the_key() -> None:
    assert pseudonym(b"k", "ana") == pseudonym(b"k", "ana")
    assert len({pseudonym(key, name) for key in (b"k", b"other") for name in ("ana", "bo")}) == 4
    assert "ana" not in pseudonym(b"k", "ana")
