"""Small homes in which every passage, document, path and metadata value has a word of its own, and what each principal may see of them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from search_index.arms import ALWAYS_OPEN
from search_index.engine.embedded import EmbeddedEngine
from search_index.fusion import Ranking
from search_index.home import Home, LoadedRelease, trusted_manifest
from search_index.model.keys import KeyTerms
from search_index.model.release import Counts, Held, Manifest, ReleaseRecord, Verdict, now
from search_index.model.search import EVERYONE, Principal
from search_index.model.state import LaneState
from search_index.model.tenant import DEFAULT_TENANT
from search_index.searcher import Searcher
from tests.retrieval_service.fakes import RUN, manifest_of
from tests.retrieval_service.real_index import RealIndex
from tests.search_index.answering.corpus import Encoder
from tests.search_index.engine.points import BM25, INDEX, OTHERS, WORDS, Passage, published

NAMES = {DEFAULT_TENANT: "north", OTHERS: "south"}
"""What the names of each tenant's sources begin with."""
GROUPS = (EVERYONE, "a", "b", "c")
SOURCES = 3
RELEASES = 3
Overlaid = tuple[str, str, frozenset[str]]
"""Of a document in the overlay: its source, its tenant, and the groups that may read it still (nobody, where it is erased)."""


@dataclass(frozen=True)
class Asker:
    """Somebody with a key."""

    tenant: str
    groups: frozenset[str]
    scopes: tuple[str, ...]

    @property
    def principal(self) -> Principal:
        return Principal(tenant=self.tenant, groups=self.groups | {EVERYONE}, scopes=frozenset(self.scopes))

    @property
    def governs(self) -> bool:
        return "admin" in self.scopes or "governance" in self.scopes


@dataclass(frozen=True)
class Corpus:
    """What each release adds and takes away, and what is narrowed or erased besides."""

    added: tuple[tuple[Passage, ...], ...]
    retired: tuple[frozenset[str], ...]
    """Points that each release takes away."""
    overlay: dict[str, Overlaid] = field(default_factory=dict)

    @cached_property
    def everything(self) -> list[Passage]:
        return [passage for release in self.added for passage in release]

    def held(self, revision: int) -> list[tuple[int, Passage]]:
        """The passages of a release, with the release that brought each."""
        gone = frozenset().union(*self.retired[:revision])
        standing = [(at, passage) for at, added in enumerate(self.added[:revision], start=1) for passage in added]
        return [(at, passage) for at, passage in standing if passage.point(at) not in gone]

    def seen(self, who: Principal, revision: int) -> list[Passage]:
        """What somebody may see of a release, by nothing but sets."""
        return [passage for _, passage in self.held(revision) if self.allows(who, passage)]

    def told_of(self, who: Principal) -> list[Passage]:
        """Documents of which nothing was ever for others alone: another that holds the same may name them."""
        barred = {passage.document for passage in self.everything if not self.allows(who, passage)}
        return [passage for passage in self.everything if passage.document not in barred]

    def allows(self, who: Principal, passage: Passage) -> bool:
        if passage.tenant != who.tenant or not who.groups & set(passage.access):
            return False
        _, tenant, left = self.overlay.get(passage.document, ("", who.tenant, who.groups))
        return tenant == who.tenant and bool(left & who.groups)

    def only(self, keep: Callable[[Passage], bool]) -> Corpus:
        """The same home without the passages of others: as if they had never been written."""
        added = tuple(tuple(passage for passage in release if keep(passage)) for release in self.added)
        kept = {passage.document for release in added for passage in release}
        points = {passage.point(at) for at, release in enumerate(added, start=1) for passage in release}
        return Corpus(added, tuple(gone & points for gone in self.retired), {d: e for d, e in self.overlay.items() if d in kept})


def drawn(seed: int) -> Corpus:
    """A corpus of two tenants: documents of one to four passages, some passages of other access than their neighbours; releases that
    change who may read a document; near-duplicates at places of other access; documents that are narrowed or erased."""
    draw = random.Random(seed)
    first = [passage for tenant in NAMES for number in range(16) for passage in _document(draw, tenant, number)]
    added: list[list[Passage]] = [first]
    retired: list[set[str]] = [set()]
    standing = {passage.point(1): passage for passage in first}
    for revision in range(2, RELEASES + 1):
        documents = sorted({passage.document for passage in standing.values()})
        changing = set(draw.sample(documents, 6))
        leaving = set(draw.sample(documents, 2)) - changing
        gone = {point for point, passage in standing.items() if passage.document in changing | leaving}
        access = {document: _groups(draw) for document in sorted(changing)}
        again = [replace(p, access=access[p.document]) for p in map(standing.__getitem__, sorted(gone)) if p.document in changing]
        fresh = [passage for tenant in NAMES for passage in _document(draw, tenant, 16 + revision)]
        standing = {point: passage for point, passage in standing.items() if point not in gone}
        standing |= {passage.point(revision): passage for passage in [*again, *fresh]}
        added.append([*again, *fresh])
        retired.append(gone)
    return Corpus(tuple(map(tuple, added)), tuple(map(frozenset, retired)), _overlay(draw, [p for some in added for p in some]))


def _document(draw: random.Random, tenant: str, number: int) -> list[Passage]:
    name = NAMES[tenant]
    mark = f"{name}{number:02d}"
    source, access = f"{name}_{number % SOURCES}", _groups(draw)
    same = number - SOURCES  # of the same source
    metadata: dict[str, str | int | float | bool | list[str]] = {"kind": f"kind{number % 4}", "only": f"mv{mark}", "size": number}
    if number % 4 == 1:
        metadata[f"mf{mark}"] = (1, "text", True)[draw.randrange(3)]
    if number % 5 == 0:
        metadata["size"] = "large"  # of another kind than that of the others
    words = " ".join(draw.choices(WORDS, k=draw.randint(2, 7)))
    parts = draw.randint(1, 4)
    return [
        Passage(
            f"pp{mark}.md",
            f"golden {words} tx{mark}p{part} Load{mark}",
            source,
            access=access if draw.random() < 0.55 else _groups(draw),
            modified_ts=1_500_000_000.0 + 40_000_000 * (number % 6),
            metadata=metadata,
            ordinal=part,
            near_duplicates=(f"pp{name}{same:02d}.md",) if same >= 0 and draw.random() < 0.5 else (),
            tenant=tenant,
        )
        for part in range(parts)
    ]


def _groups(draw: random.Random) -> tuple[str, ...]:
    return tuple(sorted(group for group in GROUPS if draw.random() < (0.45 if group == EVERYONE else 0.25)))


def _overlay(draw: random.Random, passages: Iterable[Passage]) -> dict[str, Overlaid]:
    of = {passage.document: passage for passage in passages}
    chosen = draw.sample(sorted(of), 9)
    left: list[frozenset[str]] = [frozenset(), frozenset({"a"}), frozenset({"b", "c"})]
    told = {document: (of[document].source, of[document].tenant, left[place % 3]) for place, document in enumerate(chosen[:7])}
    moved = {document: (of[document].source, "elsewhere", frozenset({EVERYONE, "a", "b"})) for document in chosen[7:]}
    return told | moved


class World(RealIndex):
    """A home of a corpus, whose releases hold the sources of its tenants, and some held ones."""

    def __init__(self, root: Path, corpus: Corpus) -> None:
        super().__init__(root)
        self.corpus = corpus
        self.engine = EmbeddedEngine(root / "engine")
        self.settings = self.settings.model_copy(update={"rate_limit": 0})
        for revision in range(1, RELEASES + 1):
            retained = list(range(1, revision + 1))
            published(
                self.engine, revision - 1 or None, revision, corpus.added[revision - 1], sorted(corpus.retired[revision - 1]), retained
            )
            self._release(revision)
        self._overlaid()
        self._lanes()

    @property
    def tenants(self) -> list[str]:
        return sorted({passage.tenant for passage in self.corpus.everything})

    def key(self, asker: Asker) -> str:
        """The secret of a key for somebody."""
        catalog = self.home.catalog
        try:
            terms = KeyTerms(name="a key", tenant=asker.tenant, groups=sorted(asker.groups - {EVERYONE}), scopes=list(asker.scopes))
            return catalog.create_key(terms, "tester").secret
        finally:
            catalog.close()

    def load(self, home: Home, record: ReleaseRecord) -> LoadedRelease:
        """With rankings shallow enough for pages to go deeper, and passages that stand by in memory."""
        manifest = trusted_manifest(home, record)
        reader = self.engine.open(INDEX, RELEASES, head=RELEASES)
        searcher = Searcher(reader, Encoder(), Ranking(depth=12), withholding=home.withholding)
        memory = searcher.in_memory(record.revision, 10_000)
        return LoadedRelease(record, manifest, searcher.guarded(lambda encoder: encoder, ALWAYS_OPEN, lambda: memory), reader)

    def load_lost(self, home: Home, record: ReleaseRecord) -> LoadedRelease:
        """The same once the engine is gone."""
        loaded = self.load(home, record)
        loaded.reader.close()
        return loaded

    def _release(self, revision: int) -> None:
        home = self.home
        catalog = home.catalog
        assert catalog.begin(RUN) == revision
        manifest = self._manifest(revision)
        catalog.record_manifest(manifest, manifest.sign(home.signing_key()))
        catalog.record_scores(revision, {"by": {"source": dict.fromkeys(manifest.sources, 0.5)}, "modes": {}})
        subjects = list(dict.fromkeys([*manifest.sources, *(held.source for held in manifest.held), "candidate"]))
        verdicts = [
            Verdict(
                check="complete", subject=subject, inputs={"rows": f"{subject} {revision}"}, outcome="passed", severity="error", run_id=RUN,
                summary=f"{' and '.join(manifest.sources)} are there" if subject == "candidate" else f"{subject} is there",
                evidence={"sources": [subject]},
            )
            for subject in subjects
        ]  # fmt: skip
        catalog.add_verdicts(verdicts)
        digests = {each.inputs_digest for each in verdicts}
        catalog.record_decision(revision, [found for subject in subjects for found in catalog.verdicts_on(subject, digests)])
        catalog.publish(revision, revision - 1 or None, "test")
        catalog.close()

    def _manifest(self, revision: int) -> Manifest:
        plain = manifest_of(revision, parent=revision - 1 or None)
        pin = next(iter(plain.sources.values()))
        passages = [passage for _, passage in self.corpus.held(revision)]
        access: dict[tuple[str, str], set[str]] = {}
        for passage in passages:
            access.setdefault((passage.source, passage.tenant), set()).update(passage.access)
        sources = {s: pin.model_copy(update={"tenant": t, "access": sorted(groups)}) for (s, t), groups in sorted(access.items())}
        held = [Held(source=f"{NAMES[t]}_late", reasons=[f"{NAMES[t]} lost files"], tenant=t) for t in self.tenants]
        held += [Held(source=source, reasons=[f"{source} lost files"], tenant=pin.tenant) for source, pin in sources.items()]
        counts = {t: _counts(p for p in passages if p.tenant == t) for t in self.tenants}
        return plain.model_copy(
            update={
                "sources": sources,
                "held": held,
                "counts": _counts(passages),
                "tenants": counts,
                "bm25": {"avgdl": {t: BM25.avgdl[t] for t in self.tenants}},
            }
        )

    def _overlaid(self) -> None:
        catalog = self.home.catalog
        for document, (source, tenant, left) in self.corpus.overlay.items():
            if left:
                catalog.narrow_documents(source, tenant, {document: left}, "run 1")
            else:
                catalog.erase_documents({document: source}, "ada")
        catalog.close()

    def _lanes(self) -> None:
        catalog = self.home.catalog
        for source in sorted({passage.source for passage in self.corpus.everything} | {f"{NAMES[t]}_late" for t in self.tenants}):
            catalog.record_lane(
                LaneState(source=source, stage="documents", inputs="", at=now(), data_version="1", state={"quarantined": 2}, run_id=RUN)
            )
        catalog.close()


def _counts(passages: Iterable[Passage]) -> Counts:
    of = list(passages)
    return Counts(documents=len({passage.document for passage in of}), chunks=len(of))
