"""An index made by hand: real catalog, key and signatures in a home on disk; only the engine and the encoder are played.

The fakes know what the service may ask of them and nothing else: any other call fails with AttributeError.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pyarrow as pa
from fastapi.testclient import TestClient
from pydantic import JsonValue as Json

from search_index.deadline import NEVER, Deadline
from search_index.engine.interface import IndexReader, Payload, Visibility
from search_index.errors import HomeDamaged, PlumblineError, RevisionUnknown
from search_index.home import Home, LoadedRelease, trusted_manifest
from search_index.model.document import document_id, document_uri
from search_index.model.release import Counts, Held, Manifest, ModelPin, ReleaseRecord, SourcePin, TablePin, Verdict
from search_index.model.search import (
    OPEN_END,
    Degraded,
    Hint,
    Hit,
    Principal,
    Provenance,
    ReleaseRef,
    SearchAnswer,
    SearchRequest,
    Span,
)
from search_index.searcher import Searcher
from search_index.settings import Settings
from search_index.withholding import Withholding

RUN = "0f9c4b1e-6d1a-4c67-9a56-2a3a8a7f1c11"
CHUNK = "5f0c55ee-5a0c-5b51-8d28-3c4a2f3f6f01"
WRITTEN = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


@dataclass
class Passage:
    """One point of the played index."""

    text: str
    path: str = "guide/rollback.md"
    source: str = "handbook"
    title: str = "Rolling back"
    chunk_id: str = CHUNK
    section: tuple[str, ...] = ("Operations", "Rolling back")
    page: int | None = 3
    scores: dict[str, float] = field(default_factory=lambda: {"dense": 0.61, "sparse": 12.4})
    valid_from: int = 1
    valid_to: int = OPEN_END
    groups: frozenset[str] = frozenset({"everyone"})

    @property
    def document(self) -> str:
        return document_id(self.source, self.path)

    def payload(self) -> Payload:
        return {
            "chunk_id": self.chunk_id,
            "document_id": self.document,
            "source": self.source,
            "uri": document_uri(self.source, self.path),
            "title": self.title,
            "text": self.text,
            "header": self.title,
            "start": 120,
            "end": 120 + len(self.text),
            "ordinal": 4,
            "page_first": self.page,
            "page_last": self.page,
            "section": list(self.section),
            "modified_ts": WRITTEN.timestamp(),
            "modified_at": WRITTEN.isoformat(),
            "metadata": {},
            "raw_sha256": "9b" * 32,
            "parser": "unstructured 0.27.32",
            "chunker": "c4" * 32,
            "model_digest": "53" * 32,
            "encoder": "e1" * 32,
            "run_id": RUN,
            "vector_key": "aa" * 32,
            "access": list[Json](sorted(self.groups)),
            "valid_from": self.valid_from,
            "valid_to": self.valid_to,
        }

    def hit(self, rank: int) -> Hit:
        return Hit.model_validate(
            {
                "rank": rank,
                "chunk_id": self.chunk_id,
                "document_id": self.document,
                "source": self.source,
                "uri": document_uri(self.source, self.path),
                "title": self.title,
                "text": self.text,
                "score": 0.9 / rank,
                "scores": self.scores,
                "page": self.page,
                "page_last": self.page,
                "section": list(self.section),
                "span": Span(start=120, end=120 + len(self.text)),
                "modified_at": WRITTEN,
                "metadata": {},
                "provenance": Provenance(
                    raw_sha256="9b" * 32,
                    parser="unstructured 0.27.32",
                    chunker="c4" * 32,
                    model_digest="53" * 32,
                    encoder="e1" * 32,
                    run_id=RUN,
                    release=self.valid_from,
                ),
            }
        )


class FakeReader:
    """Plays ``IndexReader``: holds passages up to a revision, and fails when it is read after it was closed."""

    def __init__(self, passages: list[Passage], newest: int, oldest: int = 1) -> None:
        self.passages = passages
        self.directory_revision = newest
        self.oldest = oldest
        self.closed = False

    def check(self, revision: int) -> None:
        if not self.oldest <= revision <= self.directory_revision:
            raise RevisionUnknown(f"Release {revision} is not retained.", "Ask for a newer one.")

    def find(self, visibility: Visibility, chunk_id: str | None = None, document_id: str | None = None) -> list[Payload]:
        assert not self.closed
        return [
            p.payload()
            for p in self.seen(visibility.revision, visibility.groups)
            if p.document not in visibility.excluded_documents
            and (chunk_id is None or p.chunk_id == chunk_id)
            and (document_id is None or p.document == document_id)
        ]

    def documents(self, visibility: Visibility) -> list[str]:
        found = {p.document for p in self.seen(visibility.revision, visibility.groups)}
        return sorted(found - visibility.excluded_documents)

    def ledger(self) -> pa.Table:
        return pa.table(
            {name: [getattr(p, of) for p in self.passages] for name, of in (("chunk_id", "chunk_id"), ("document_id", "document"))}
            | {"tenant": ["default" for _ in self.passages], "access": [sorted(p.groups) for p in self.passages]}
        )

    def seen(self, revision: int, groups: frozenset[str]) -> list[Passage]:
        return [p for p in self.passages if p.valid_from <= revision < p.valid_to and p.groups & groups]

    def close(self) -> None:
        assert not self.closed, "closed twice"
        self.closed = True


class FakeSearcher:
    """Plays ``Searcher``: a passage answers when it shares a word with the query."""

    def __init__(self, reader: FakeReader, withholding: Withholding) -> None:
        self.reader = reader
        self.withholding = withholding
        self.during: Callable[[], None] = lambda: None
        self.error: BaseException | None = None
        self.degraded: list[Degraded] = []

    def sight(self, revision: int, principal: Principal) -> Visibility:
        return Visibility(revision, principal.tenant, principal.groups, excluded_documents=self.withholding.withheld_from(principal))

    def search(
        self,
        request: SearchRequest,
        release: ReleaseRef,
        principal: Principal,
        excluded_documents: frozenset[str] = frozenset(),
        deadline: Deadline = NEVER,
    ) -> SearchAnswer:
        assert not self.reader.closed, "searched after it was closed"
        self.during()
        if self.error is not None:
            raise self.error
        assert not self.reader.closed, "closed while it was searched"
        withheld = self.withholding.withheld_from(principal) | excluded_documents
        words = set(request.query.lower().split())
        sources = set(request.filters.sources)
        found = [
            p
            for p in self.reader.seen(release.revision, principal.groups)
            if words & set(p.text.lower().split()) and (not sources or p.source in sources) and p.document not in withheld
        ]
        hits = [p.hit(rank) for rank, p in enumerate(found[: request.limit], start=1)]
        hints = [] if hits else [Hint(code="no_terms_known", message="None of the words is known.")]
        return SearchAnswer(
            query=request.query, mode=request.mode, release=release, hits=hits, degraded=self.degraded, hints=hints, took_ms=4.2
        )


def manifest_of(revision: int, *, parent: int | None, index: str = "1d" * 32, held: list[Held] | None = None) -> Manifest:
    pin = SourcePin(
        contract="b0" * 32,
        contract_version="1.2.0",
        access=["everyone"],
        checks=["documents_complete", "vectors_unit_length"],
        manifest=TablePin(version=revision, digest=f"d{revision:063x}", rows=130),
        documents=TablePin(version=revision, digest=f"a{revision:063x}", rows=128),
        chunks=TablePin(version=revision, digest=f"b{revision:063x}", rows=1920),
        vectors=TablePin(version=revision, digest=f"c{revision:063x}", rows=1910),
        chunker="c4" * 32,
    )
    return Manifest(
        revision=revision,
        parent=parent,
        index=index,
        content="ab" * 32,
        sources={"handbook": pin, "tickets": pin},
        held=held or [],
        model=ModelPin(name="all-MiniLM-L6-v2", digest="53" * 32, encoder="e1" * 32, runtime="openvino", dimension=384),
        bm25={"k1": 1.2},
        ranking={"method": "convex"},
        golden="60" * 32,
        counts=Counts(documents=256, chunks=3840, staged=120, retired=14),
        run_id=RUN,
        created_at=datetime(2026, 3, 2, tzinfo=UTC),
    )


class FakeIndex:
    """A home whose releases are published by hand, and the loader that opens them."""

    def __init__(self, root: Path, port: int = 8000) -> None:
        self.settings = Settings(home=root / "home", host="127.0.0.1", port=port)
        self.passages = [Passage("A release is rolled back by moving the pointer to an older revision.")]
        self.opened: list[LoadedRelease] = []
        self.broken: dict[int, BaseException] = {}
        self.prepare: Callable[[FakeSearcher], None] = lambda searcher: None
        self._lock = threading.Lock()

    @property
    def home(self) -> Home:
        if not self.settings.root.exists():
            self.settings.root.mkdir(parents=True)
        return Home(self.settings)

    def publish(
        self, *, scores: dict[str, Json] | None = None, held: list[Held] | None = None, index: str = "1d" * 32, signed: bool = True
    ) -> int:
        """Take the next revision live."""
        home = self.home
        catalog = home.catalog
        head = catalog.pointer().head
        revision = catalog.begin(RUN)
        manifest = manifest_of(revision, parent=head, held=held, index=index)
        catalog.record_manifest(manifest, manifest.sign(home.signing_key() if signed else b"another key"))
        catalog.record_scores(revision, scores or {})
        self._decide(home, revision, manifest)
        catalog.publish(revision, head, "test")
        catalog.close()
        return revision

    def refuse(self, reasons: list[str], scores: dict[str, Json] | None = None) -> int:
        """Take the next revision and reject it."""
        catalog = self.home.catalog
        head = catalog.pointer().head
        revision = catalog.begin(RUN)
        catalog.record_manifest(manifest_of(revision, parent=head), "00" * 32)
        catalog.record_scores(revision, scores or {})
        catalog.reject(revision, reasons)
        catalog.close()
        return revision

    def rollback(self, revision: int) -> None:
        catalog = self.home.catalog
        catalog.move_live(revision, "rollback", "test", "it was worse", "rolled back by hand")
        catalog.close()

    def load(self, home: Home, record: ReleaseRecord) -> LoadedRelease:
        """What ``search_index.home.open_release`` does, over the played engine."""
        manifest = trusted_manifest(home, record)
        if record.revision in self.broken:
            raise self.broken[record.revision]
        newest = home.catalog.releases(limit=1, published_only=True)[0].revision
        reader = FakeReader(self.passages, newest)
        searcher = FakeSearcher(reader, home.withholding)
        self.prepare(searcher)
        loaded = LoadedRelease(record=record, manifest=manifest, searcher=cast(Searcher, searcher), reader=cast(IndexReader, reader))
        with self._lock:
            self.opened.append(loaded)
        return loaded

    def _decide(self, home: Home, revision: int, manifest: Manifest) -> None:
        at = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
        handbook, tickets = manifest.sources["handbook"], manifest.sources["tickets"]
        found = [
            Verdict(check=check, subject=subject, inputs=inputs, outcome="passed", severity="error", summary=summary, run_id=RUN, at=at)
            for check, subject, inputs, summary in (
                (
                    "documents_complete",
                    "handbook",
                    {"rows": handbook.documents.digest},
                    "128 of 128 documents are there",
                ),
                (
                    "vectors_unit_length",
                    "tickets",
                    {"rows": tickets.vectors.digest},
                    "1910 of 1910 vectors have length 1",
                ),
                ("golden_set", "candidate", {"manifest": manifest.digest}, "nDCG@10 0.742 is above the floor of 0.2"),
            )
        ]
        home.catalog.add_verdicts(found)
        decided = [
            v
            for subject in ("handbook", "tickets", "candidate")
            for v in home.catalog.verdicts_on(subject, {f.inputs_digest for f in found})
        ]
        home.catalog.record_decision(revision, decided)


def damaged(revision: int) -> PlumblineError:
    return HomeDamaged(f"The directory of release {revision} is damaged.", "Run `plumbline releases rebuild`.")


def search_body(query: str = "release pointer", **more: Json) -> dict[str, Json]:
    return {"query": query, **more}


def wait_until(happened: Callable[[], bool], what: str) -> None:
    """Ask again and again, for at most 30 seconds."""
    until = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < until, what


def wait_until_served(client: TestClient, revision: int) -> None:
    wait_until(lambda: client.get("/health/ready").json().get("revision") == revision, f"release {revision} is not served")
