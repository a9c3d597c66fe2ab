"""Deleting what no retained or pinned release can see: index directories, files of old table versions, query adapters, rerankers.

Points go with the next publish instead: a directory is what was signed, and never changed afterwards.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

import pyarrow.compute as pc

from pipelines.tables import Lake, TableName
from search_index.adapter import prune_adapters
from search_index.cross_encoder import prune_rerankers, unpinned_rerankers
from search_index.engine.interface import Superseded
from search_index.engine.ledger import unseen
from search_index.fusion import Ranking
from search_index.home import Home, trusted_manifest
from search_index.model.release import Manifest, Stage
from search_index.retention import kept, retained_revisions

TABLE_OF: dict[Stage, TableName] = {"manifest": "manifests", "documents": "documents", "chunks": "chunks", "vectors": "vectors"}


@dataclass(frozen=True)
class Files:
    """Files of one table that only versions nobody needs name. ``size`` is in bytes, 0 for tables that are not on a local disk."""

    table: TableName
    files: int
    size: int


@dataclass(frozen=True)
class Freed:
    """What a vacuum frees, or would. ``adapters`` and ``rerankers`` are the names of such and their bytes."""

    retained: list[int]
    pinned: list[int]
    directories: list[Superseded] = field(default_factory=list)
    tables: list[Files] = field(default_factory=list)
    adapters: dict[str, int] = field(default_factory=dict)
    rerankers: dict[str, int] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes, of all of it together."""
        models = sum(self.adapters.values()) + sum(self.rerankers.values())
        return sum(d.size for d in self.directories) + sum(t.size for t in self.tables) + models

    def document(self) -> dict[str, object]:
        """For ``--json``."""
        return {**asdict(self), "bytes": self.size}


def plan_vacuum(home: Home, lake: Lake) -> Freed:
    """What could be deleted now. Deletes nothing."""
    needed, pinned = versions_needed(home), adapters_needed(home)
    tables = []
    for table in TABLE_OF.values():
        files = lake.unreferenced(table, needed[table])
        if files:
            tables.append(Files(table, len(files), sum(lake.file_size(table, file) for file in files)))
    return Freed(
        retained=retained_revisions(home.catalog, home.settings.retain_releases),
        pinned=[pin.revision for pin in home.catalog.pins()],
        directories=home.engine.superseded(kept(home)),
        tables=tables,
        adapters={path.stem: path.stat().st_size for path in sorted(home.settings.adapters_dir.glob("*.npy")) if path.stem not in pinned},
        rerankers=unpinned_rerankers(home.settings.rerankers_dir, rerankers_needed(home)),
    )


def vacuum(home: Home, lake: Lake) -> Freed:
    """Delete it. Only to be called while holding the writer's lease; gives what was deleted."""
    freed, needed = plan_vacuum(home, lake), versions_needed(home)
    for each in freed.tables:  # a table without anything to delete is left alone: a vacuum is a commit
        lake.delete_unreferenced(each.table, needed[each.table])
    home.engine.recover(kept(home))
    prune_adapters(home.settings.adapters_dir, adapters_needed(home))
    prune_rerankers(home.settings.rerankers_dir, rerankers_needed(home))
    return freed


def vacuum_after_publish(home: Home, lake: Lake) -> Freed | None:
    """The same, where a release has just grown too old to be retained; None where none has."""
    most = home.settings.retain_releases
    return vacuum(home, lake) if len(home.catalog.releases(most + 1, published_only=True)) > most else None


def versions_needed(home: Home) -> dict[TableName, set[int]]:
    """The table versions that retained releases pin, and those that the lanes stand at.

    A release that was retained when the newest was staged is needed until the next one is: the newest directory holds its points, and
    could not be rebuilt as it was signed without its rows.
    """
    needed: dict[TableName, set[int]] = {table: set() for table in TABLE_OF.values()}
    manifests = {r: _manifest(home, r) for r in retained_revisions(home.catalog, home.settings.retain_releases)}
    newest = {manifest.index: manifest for _, manifest in sorted(manifests.items())}
    held = {r for manifest in newest.values() for r in manifest.retained or ()} - manifests.keys()
    for manifest in [*manifests.values(), *(_manifest(home, r) for r in held)]:
        for pin in manifest.sources.values():
            for stage, table in TABLE_OF.items():
                needed[table].add(pin.pin(stage).version)
    for lane in home.catalog.lanes():
        version = lane.state.get("version")
        if isinstance(version, int):
            needed[TABLE_OF[lane.stage]].add(version)
    return needed


def adapters_needed(home: Home) -> set[str]:
    """The query adapters that retained releases pin."""
    return {ranking.adapter for ranking in _retained_rankings(home) if ranking.adapter}


def rerankers_needed(home: Home) -> set[str]:
    """The rerankers that retained releases pin."""
    return {ranking.reranking.model for ranking in _retained_rankings(home) if ranking.reranking}


def _retained_rankings(home: Home) -> list[Ranking]:
    revisions = retained_revisions(home.catalog, home.settings.retain_releases)
    return [Ranking.model_validate(_manifest(home, revision).ranking) for revision in revisions]


def _manifest(home: Home, revision: int) -> Manifest:
    return trusted_manifest(home, home.catalog.release(revision))


def points_unseen(home: Home) -> int:
    """How many points of the head's directory the next publish deletes."""
    retained = retained_revisions(home.catalog, home.settings.retain_releases)
    head = home.catalog.pointer().head
    if head is None:
        return 0
    manifest = trusted_manifest(home, home.catalog.release(head))
    return int(pc.sum(unseen(home.engine.ledger(manifest.index, head, head=head), head + 1, retained)).as_py() or 0)
