"""``plumbline golden review``, ``accept`` and ``dismiss`` over a real home."""

from __future__ import annotations

import json

import pytest

from plumbline.cli.runner import run
from quality_checks.golden import load_golden
from search_index.home import open_release
from search_index.model.release import now
from search_index.model.search import Hit, Principal, SearchRequest
from search_index.model.usage import Feedback, LoggedQuery
from tests.project import Project

QUESTION = "where does the otter live?"


@pytest.fixture
def hit(published: Project, monkeypatch: pytest.MonkeyPatch) -> Hit:
    """Of an answer somebody was given, and disliked."""
    monkeypatch.setenv("PLUMBLINE_HOME", str(published.settings.root))
    monkeypatch.setenv("PLUMBLINE_CONTRACTS", str(published.root / "contracts"))
    home = published.home
    loaded = open_release(home, home.catalog.resolve(None))
    best = loaded.searcher.search(SearchRequest(query=QUESTION, limit=1), loaded.ref, Principal()).hits[0]
    loaded.close()
    home.catalog.add_queries(
        LoggedQuery(
            id=id, at=now(), release=1, mode="hybrid", principal="p", terms=2, hits=1, chunks=[best.chunk_id], took_ms=5.0, confidence=0.1
        )
        for id in ("first", "second")
    )
    for kind in ("relevant", "not_relevant"):
        home.catalog.add_feedback(
            Feedback(query_id="first", at=now(), principal="p", kind=kind, release=1, chunk_id=best.chunk_id, query=QUESTION)
        )
    return best


def told(capfd: pytest.CaptureFixture[str]) -> dict[str, object]:
    found: dict[str, object] = json.loads(capfd.readouterr().out)
    return found


@pytest.mark.slow
def test_an_answer_becomes_a_golden_query_or_leaves_the_queue(published: Project, hit: Hit, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["golden", "review", "--json"]) == 0
    items = told(capfd)["reviews"]
    assert isinstance(items, list)
    assert [(item["id"], item["reasons"], item["text"]) for item in items] == [
        ("first", ["disliked", "unsure"], QUESTION),
        ("second", ["unsure"], None),
    ]
    assert run(["golden", "accept", "first", "--json"]) == 0
    written = told(capfd)["written"]
    golden = load_golden(published.root / "contracts" / "golden" / "feedback.jsonl")
    assert str(written).endswith("golden/feedback.jsonl")
    (query,) = golden.queries
    assert (query.query, query.relevant[0].document, query.relevant[0].grade) == (QUESTION, hit.uri, 2)
    assert str(query.relevant[0].quote) in " ".join(hit.text.split())

    assert run(["golden", "accept", "second"]) == 2
    assert "were not kept" in capfd.readouterr().err
    assert run(["golden", "accept", "second", "--query", "otters?", "--relevant", hit.chunk_id, "--training"]) == 0
    assert load_golden(published.root / "contracts" / "golden" / "feedback-training.jsonl").purpose == "training"
    assert run(["golden", "dismiss", "third"]) == 2
    capfd.readouterr()
    assert run(["golden", "review"]) == 0
    assert "Nothing waits" in capfd.readouterr().out
    assert run(["golden", "check", "--json"]) == 0
    assert {one["name"]: one["judged"] for one in told(capfd)["sets"]} == {"feedback": 1, "feedback-training": 1}  # type: ignore[attr-defined]
