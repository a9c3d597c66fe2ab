"""Staging the releases of one index again, in order, from the tables they pin: the last is then the index as it was signed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.points import DesiredPoint
    from pipelines.tables import Lake
    from search_index.bm25 import Bm25Settings
    from search_index.engine.interface import Candidate, Delta
    from search_index.home import Home
    from search_index.model.release import Manifest, ReleaseRecord

Row = dict[str, object]


@dataclass(frozen=True)
class Comparison:
    """An index against the one built anew. ``differences`` holds chunk ids; ``damaged`` says why the old one cannot be used."""

    chunks: int
    damaged: str | None
    differences: dict[str, list[str]] = field(default_factory=dict)

    @property
    def identical(self) -> bool:
        """Whether every chunk, payload and vector is the same."""
        return not any(self.differences.values())

    def document(self) -> dict[str, object]:
        """For ``--json``."""
        differences = {what.replace(" ", "_"): ids for what, ids in self.differences.items()}
        return {"chunks": self.chunks, "identical": self.identical, "damaged": self.damaged, "differences": differences}


def chain(home: Home, record: ReleaseRecord) -> list[Manifest]:
    """The releases that an index was built up by, from its first to ``record``.

    Errors:
        ReleaseUntrusted: one of them is not what was signed.
    """
    from search_index.home import trusted_manifest

    manifest = trusted_manifest(home, record)
    links = [manifest]
    while manifest.parent is not None:
        parent = trusted_manifest(home, home.catalog.release(manifest.parent))
        if parent.index != manifest.index:
            break
        links.append(parent)
        manifest = parent
    return links[::-1]


def replay(home: Home, record: ReleaseRecord, scratch: Path, say: Callable[[str], None]) -> Candidate:
    """Stage every release of the chain again below ``scratch``; gives the last, published there.

    Errors:
        HomeDamaged: the tables no longer hold what a release pins.
        DiskFull: there is no room for it.
    """
    from pipelines.tables import Lake
    from search_index.engine.embedded import EmbeddedEngine

    engine, lake = EmbeddedEngine(scratch), Lake(home.settings.lake)
    links = chain(home, record)
    built: Candidate | None = None
    head: int | None = None
    for number, manifest in enumerate(links, start=1):
        say(f"Release {manifest.revision}, {number} of {len(links)} of its index")
        delta = _delta(lake, manifest, _standing(built))
        vacuum = _vacuum_before(home, record, manifest) if manifest is links[-1] else None
        built = engine.stage(manifest.index, head, manifest.revision, delta, _bm25(manifest), manifest.model.dimension, vacuum)
        built.publish()
        head = manifest.revision
    assert built is not None
    return built


def _standing(built: Candidate | None) -> dict[str, Row]:
    """The current points of what is built so far, by chunk."""
    if built is None:
        return {}
    from search_index.model.search import OPEN_END

    rows = _rows(built, OPEN_END - 1)
    return {str(row["chunk_id"]): row for row in rows.to_pylist()}


def _rows(built: Candidate, revision: int) -> pa.Table:
    reader = built.reader()
    try:
        return _seen(reader.ledger(), revision)
    finally:
        reader.close()


def _seen(ledger: pa.Table, revision: int) -> pa.Table:
    import pyarrow.compute as pc

    seen = ledger.filter(pc.and_(pc.less_equal(ledger["valid_from"], revision), pc.greater(ledger["valid_to"], revision)))
    return seen.select(["chunk_id", "point_id", "payload_digest", "vector_sha256", "payload_sha256"])


def _delta(lake: Lake, manifest: Manifest, standing: dict[str, Row]) -> Delta:
    from pipelines.points import desired_points, points_table
    from search_index.engine.interface import Delta

    wanted: dict[str, DesiredPoint] = {}
    for source, pin in manifest.sources.items():
        wanted |= {point.chunk_id: point for point in desired_points(lake, source, pin, manifest.model)}
    added = [p for p in wanted.values() if p.chunk_id not in standing or standing[p.chunk_id]["payload_digest"] != p.digest]
    replaced = {point.chunk_id for point in added}
    retired = sorted(str(row["point_id"]) for chunk, row in standing.items() if chunk not in wanted or chunk in replaced)
    return Delta(points_table(added, manifest.revision, manifest.run_id), retired)


def _bm25(manifest: Manifest) -> Bm25Settings:
    from dataclasses import fields

    from search_index.bm25 import Bm25Settings

    return Bm25Settings(**{f.name: manifest.bm25[f.name] for f in fields(Bm25Settings)})  # type: ignore[arg-type]


def _vacuum_before(home: Home, record: ReleaseRecord, manifest: Manifest) -> int | None:
    """The oldest revision that was retained when the release was staged: the directory that was signed held nothing older."""
    published = [r.revision for r in home.catalog.releases(10_000, published_only=True) if r.revision < record.revision]
    return min(published[: home.settings.retain_releases], default=None) if manifest.parent is not None else None


def content_signed(home: Home, record: ReleaseRecord, built: Candidate) -> bool:
    """Whether what was built is, to the last point, what the release's manifest says."""
    from search_index.home import trusted_manifest

    return built.content == trusted_manifest(home, record).content


def compare(home: Home, record: ReleaseRecord, built: Candidate) -> Comparison:
    """The release's own index against what was built: chunk ids, payloads with their texts, vectors."""
    from search_index.errors import HomeDamaged, ReleaseUntrusted, RevisionUnknown
    from search_index.home import newest_with_index, open_release

    new = {str(row["chunk_id"]): row for row in _rows(built, record.revision).to_pylist()}
    newest = newest_with_index(home, built.index)
    try:
        loaded = open_release(home, record)
        try:
            old = {str(row["chunk_id"]): row for row in _seen(loaded.reader.ledger(), record.revision).to_pylist()}
        finally:
            loaded.close()
        wrong = home.engine.verify(built.index, newest.revision)
    except (HomeDamaged, ReleaseUntrusted, RevisionUnknown) as error:
        return Comparison(len(new), error.what)
    shared = old.keys() & new.keys()
    differences = {
        "missing from the index": sorted(new.keys() - old.keys()),
        "missing from the tables": sorted(old.keys() - new.keys()),
        "with another text or payload": sorted(c for c in shared if old[c]["payload_digest"] != new[c]["payload_digest"]),
        "with another vector": sorted(c for c in shared if old[c]["vector_sha256"] != new[c]["vector_sha256"]),
    }
    return Comparison(len(new), wrong[0] if wrong else None, differences)


def put_in_place(home: Home, record: ReleaseRecord, built: Candidate) -> bool:
    """Let the directory built anew take the place of the release's own.

    A directory is never written over: the old one is moved aside first, so that whoever reads it goes on reading it.
    """
    from search_index.engine.directory import name_of

    name = Path(built.index) / name_of(record.revision)
    source, target = home.settings.root / "rebuilding" / name, home.settings.root / "index" / name
    aside = home.settings.root / "rebuilding" / "damaged"
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        target.rename(aside)
    source.rename(target)
    shutil.rmtree(aside, ignore_errors=True)
    return True
