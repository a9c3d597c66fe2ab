"""Which releases are kept: the newest, the live one and the pinned."""

from __future__ import annotations

from search_index.catalog import Catalog
from search_index.engine.interface import Kept
from search_index.home import Home

RESERVE_DIRECTORIES = 2


def retained_revisions(catalog: Catalog, most: int) -> list[int]:
    """Published revisions that as-of and rollback reach, rising: the ``most`` newest, the live one, and every pinned one."""
    kept = {r.revision for r in catalog.releases(most, published_only=True)} | {pin.revision for pin in catalog.pins()}
    live = catalog.pointer().live
    return sorted(kept | {live} if live is not None else kept)


def kept(home: Home) -> Kept:
    """What the engine has to keep for the releases that are retained."""
    retained = set(retained_revisions(home.catalog, home.settings.retain_releases))
    published = frozenset((r.manifest.index, r.revision) for r in home.catalog.releases(10_000, published_only=True) if r.manifest)
    return Kept(published, frozenset(each for each in published if each[1] in retained), RESERVE_DIRECTORIES)
