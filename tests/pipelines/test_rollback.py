"""Going back: five releases of a changing corpus, and queries asked of each while it was live, by as-of, and after a rollback."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow.compute as pc
import pytest

from plumbline.cli.rollback import check_servable
from search_index.engine.interface import Visibility
from search_index.home import Home, LoadedRelease, open_release, release_ref
from search_index.model.search import EVERYONE, Mode, Principal, SearchRequest
from search_index.model.tenant import DEFAULT_TENANT
from tests.conftest import SHARED
from tests.project import Project

pytestmark = [pytest.mark.slow, pytest.mark.timeout(7200)]
RELEASES = 5
Hits = list[tuple[str, float]]


@dataclass(frozen=True)
class Corpus:
    """Texts by name and queries, of the public collection where it is there."""

    name: str
    texts: list[str]
    queries: list[str]


def corpus_of(documents: int, queries: int) -> Corpus:
    folder = SHARED / "nfcorpus"
    if folder.is_dir():
        with (folder / "corpus.jsonl").open() as lines:
            rows = [json.loads(line) for _, line in zip(range(documents), lines, strict=False)]
        with (folder / "queries.jsonl").open() as lines:
            asked = [json.loads(line)["text"] for _, line in zip(range(queries), lines, strict=False)]
        return Corpus("nfcorpus", [f"{row['title']}\n\n{row['text']}" for row in rows], asked)
    chance = random.Random("a corpus")
    words = ["".join(chance.choices("abcdefgiklmnoprstuv", k=chance.randint(3, 9))) for _ in range(3000)]
    weights = [1 / (rank + 1) for rank in range(len(words))]
    texts = [" ".join(chance.choices(words, weights, k=chance.randint(60, 300))) for _ in range(documents)]
    return Corpus("generated", texts, [" ".join(chance.choices(words, k=3)) for _ in range(queries)])


@dataclass(frozen=True)
class Answered:
    """What one release showed and answered: visible chunks with their digests, and for each mode and query the hits."""

    revision: int
    visible: set[tuple[str, str]]
    counted: int
    hits: dict[Mode, list[Hits]]


def asked(home: Home, loaded: LoadedRelease, revision: int, queries: list[str]) -> Answered:
    """Ask an opened release for a revision that it holds, which need not be its own."""
    ref, ledger = release_ref(home.catalog.release(revision)), loaded.reader.ledger()
    seen = ledger.filter(pc.and_(pc.less_equal(ledger["valid_from"], revision), pc.greater(ledger["valid_to"], revision)))

    def ask(query: str, mode: Mode, limit: int) -> Hits:
        answer = loaded.searcher.search(SearchRequest(query=query, mode=mode, limit=limit), ref, Principal())
        return [(hit.chunk_id, hit.score) for hit in answer.hits]

    hits: dict[Mode, list[Hits]] = {m: [ask(q, m, limit) for q in queries] for m, limit in (("sparse", 100), ("dense", 10), ("hybrid", 10))}
    visible = set(zip(seen["chunk_id"].to_pylist(), seen["payload_digest"].to_pylist(), strict=True))
    return Answered(revision, visible, loaded.reader.count(Visibility(revision, DEFAULT_TENANT, frozenset({EVERYONE}))), hits)


@contextmanager
def opened(home: Home, as_of: int | None) -> Iterator[LoadedRelease]:
    loaded = open_release(home, home.catalog.resolve(as_of))
    try:
        yield loaded
    finally:
        loaded.close()


@dataclass(frozen=True)
class History:
    project: Project
    corpus: Corpus
    live: list[Answered]


def change(folder: Path, texts: list[str], number: int) -> None:
    """A tenth of the documents edited, a twentieth gone, a twentieth new."""
    chance = random.Random(number)
    files = sorted(folder.iterdir())
    tenth = max(2, len(files) // 10)
    for file in chance.sample(files, tenth):
        file.write_text(f"{file.read_text()}\n\nRevised for edition {number}: {chance.choice(texts)[:300]}")
    for file in chance.sample(files, tenth // 2):
        file.unlink()
    for i, text in enumerate(chance.sample(texts, tenth // 2)):
        (folder / f"new{number}-{i}.txt").write_text(text)


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory, models_dir: Path, rounds: int) -> History:
    """``PLUMBLINE_ROUNDS`` queries, at least 30, over a larger corpus where they are many."""
    corpus = corpus_of(documents=120 if rounds < 100 else 1500, queries=max(30, rounds))
    project = Project(tmp_path_factory.mktemp("rollback"))
    folder = project.source("corpus", {f"{i}.txt": text for i, text in enumerate(corpus.texts)})
    live = []
    for number in range(1, RELEASES + 1):
        if number > 1:
            change(folder, corpus.texts, number)
        outcome = project.ingest()
        assert outcome.decision is not None, outcome.failures
        assert (outcome.decision.status, outcome.decision.revision) == ("published", number), outcome.decision.reasons
        home = project.home
        with opened(home, None) as loaded:
            live.append(asked(home, loaded, number, corpus.queries))
    assert len({frozenset(one.visible) for one in live}) == RELEASES, "every release differs"
    return History(project, corpus, live)


def overlap(before: list[Hits], after: list[Hits]) -> float:
    """The mean share of the ten best that are the same."""
    shares = [len({c for c, _ in a} & {c for c, _ in b}) / max(len(a), 1) for a, b in zip(before, after, strict=True) if a or b]
    return sum(shares) / len(shares)


def held_against(live: Answered, again: Answered, record: Callable[[str, object], None], way: str) -> None:
    assert again.visible == live.visible, "exactly what that release showed"
    assert again.counted == live.counted == len(live.visible)
    assert again.hits["sparse"] == live.hits["sparse"], "ids, order and scores, to the last bit"
    for mode in ("dense", "hybrid"):
        share = overlap(live.hits[mode], again.hits[mode])  # type: ignore[index]
        record(f"{way} {mode}", share)
        assert share >= 0.99


@pytest.mark.parametrize("revision", range(1, RELEASES + 1))
def test_as_of_answers_as_when_it_was_live(history: History, revision: int, record_property: Callable[[str, object], None]) -> None:
    home = history.project.home
    record_property("queries", len(history.corpus.queries))
    record_property("corpus", f"{history.corpus.name}, {len(history.corpus.texts)} documents")
    with opened(home, None) as loaded:
        held_against(history.live[revision - 1], asked(home, loaded, revision, history.corpus.queries), record_property, "as-of")


@pytest.mark.parametrize("revision", range(1, RELEASES))
def test_a_rollback_answers_as_when_it_was_live(history: History, revision: int, record_property: Callable[[str, object], None]) -> None:
    home = history.project.home
    began = time.monotonic()
    check_servable(home, revision)
    home.catalog.move_live(revision, "rollback", "tester", "try", paused="try")
    record_property("rollback seconds", round(time.monotonic() - began, 2))
    try:
        with opened(home, None) as loaded:
            assert loaded.record.revision == revision
            held_against(history.live[revision - 1], asked(home, loaded, revision, history.corpus.queries), record_property, "rollback")
    finally:
        home.catalog.move_live(RELEASES, "resume", "tester", "", paused=None)


def test_a_document_that_may_not_be_read_now_is_in_no_older_release_either(history: History) -> None:
    home, queries = history.project.home, history.corpus.queries
    with opened(home, None) as loaded:
        for revision in range(1, RELEASES + 1):
            ref = release_ref(home.catalog.release(revision))
            for query in queries[:5]:
                request = SearchRequest(query=query, limit=10)
                best = loaded.searcher.search(request, ref, Principal()).hits[0].document_id
                found = loaded.searcher.search(request, ref, Principal(), excluded_documents=frozenset({best})).hits
                assert found
                assert best not in {hit.document_id for hit in found}
