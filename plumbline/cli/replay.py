"""Staging the points of a release again, revision by revision, from the tables that retained releases pin: the index as it was signed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.release.point_log import LoggedPoint
    from pipelines.release.points import DesiredPoint
    from pipelines.tables import Lake
    from search_index.bm25 import Bm25Settings
    from search_index.engine.about import About
    from search_index.engine.interface import Candidate
    from search_index.home import Home
    from search_index.model.release import Manifest, ReleaseRecord


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


def replay(home: Home, record: ReleaseRecord, scratch: Path, say: Callable[[str], None]) -> Candidate:
    """Stage the release's points again below ``scratch``; where its directory serves others too, what these see as well.

    Each point is staged under the revision that first brought it, since its id and its payload name that.

    Errors:
        HomeDamaged: the tables no longer hold what a release pins.
        DiskFull: there is no room for it.
    """
    from pipelines.release.points import points_table
    from pipelines.tables import Lake
    from search_index.engine.embedded import EmbeddedEngine
    from search_index.engine.interface import Delta
    from search_index.home import trusted_manifest

    engine, lake, manifest = EmbeddedEngine(scratch), Lake(home.settings.lake), trusted_manifest(home, record)
    run_ids, answered = _published(home, manifest)
    logged = _needed(lake, manifest, sorted(run_ids), answered)
    points = _found(home, lake, logged, answered)
    steps = sorted({p.valid_from for p in logged} | {p.valid_to for p in logged if p.valid_to <= record.revision} | {record.revision})
    built: Candidate | None = None
    for number, revision in enumerate(steps, start=1):
        say(f"Release {revision}, {number} of {len(steps)} that its points are of")
        added = [points[p.chunk_id, p.payload_digest] for p in logged if p.valid_from == revision]
        retired = sorted(p.point_id for p in logged if p.valid_to == revision)
        delta = Delta(points_table(added, revision, run_ids[revision]), retired)
        head = built.revision if built is not None else None
        retained = manifest.retained if revision == record.revision else None
        built = engine.stage(manifest.index, head, revision, delta, _bm25(manifest), manifest.model.dimension, retained)
        built.publish()
    assert built is not None
    return built


def _published(home: Home, manifest: Manifest) -> tuple[dict[int, str], list[int]]:
    """The run of every release of an index up to one of them, and which of these it is to answer for, newest first.

    Only the newest directory of an index serves older releases, and only it has to be made again to the last point.
    """
    records = [r for r in home.catalog.releases(10_000, published_only=True) if r.revision <= manifest.revision and r.manifest]
    run_ids = {r.revision: r.run_id for r in records if r.manifest and r.manifest.index == manifest.index}
    if not is_newest(home, manifest):
        return run_ids, [manifest.revision]
    held = [r for r in run_ids if manifest.retained is None or r in manifest.retained or r == manifest.revision]
    return run_ids, sorted(held, reverse=True)


def is_newest(home: Home, manifest: Manifest) -> bool:
    """Whether it is the newest release of its index, whose directory serves all the others."""
    from search_index.home import newest_with_index

    return newest_with_index(home, manifest.index).revision == manifest.revision


def _needed(lake: Lake, manifest: Manifest, published: list[int], answered: list[int]) -> list[LoggedPoint]:
    """The points that any of the revisions can see. Only the log knows what a release retired that came later than ``manifest``."""
    from pipelines.release.point_log import logged_points

    logged = logged_points(lake, manifest.index, published)
    return [p for p in logged if any(p.valid_from <= revision < p.valid_to for revision in answered)]


def _found(home: Home, lake: Lake, logged: list[LoggedPoint], answered: list[int]) -> dict[tuple[str, str], DesiredPoint]:
    """Each point by chunk and digest, from the tables of the newest release that sees it."""
    from pipelines.release.points import desired_points
    from search_index.errors import HomeDamaged
    from search_index.home import trusted_manifest

    found: dict[tuple[str, str], DesiredPoint] = {}
    for revision in answered:
        visible = {(p.chunk_id, p.payload_digest) for p in logged if p.valid_from <= revision < p.valid_to}
        if visible <= found.keys():
            continue
        manifest = trusted_manifest(home, home.catalog.release(revision))
        for source, pin in manifest.sources.items():
            found |= {(p.chunk_id, p.digest): p for p in desired_points(lake, source, pin, manifest.model)}
    lost = {(p.chunk_id, p.payload_digest) for p in logged} - found.keys()
    if lost:
        raise HomeDamaged(
            f"{len(lost)} of {len(logged)} points are not in the tables any more, chunk {min(lost)[0]} for one.",
            "Roll back to another release, or run `plumbline ingest` for a new one.",
        )
    return found


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


def _bm25(manifest: Manifest) -> Bm25Settings:
    from dataclasses import fields

    from search_index.bm25 import Bm25Settings

    return Bm25Settings(**{f.name: manifest.bm25[f.name] for f in fields(Bm25Settings)})  # type: ignore[arg-type]


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

    A directory is never written over: the old one is moved aside first, so that whoever reads it goes on reading it. On a Qdrant server
    the points go into a new collection.
    """
    from search_index.engine.directory import name_of
    from search_index.engine.opening import read_about

    name = Path(built.index) / name_of(record.revision)
    source, target = home.settings.root / "rebuilding" / name, home.settings.root / "index" / name
    if home.settings.qdrant_url is not None:
        return _put_on_server(home, built, read_about(source))
    aside = home.settings.root / "rebuilding" / "damaged"
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        target.rename(aside)
    source.rename(target)
    shutil.rmtree(aside, ignore_errors=True)
    return True


def _put_on_server(home: Home, built: Candidate, about: About) -> bool:
    from search_index.engine.server import ServerEngine
    from search_index.engine.server_restore import restore

    assert isinstance(home.engine, ServerEngine)
    reader = built.reader()
    try:
        restore(home.engine, built.index, about, reader)
    finally:
        reader.close()
    return True
