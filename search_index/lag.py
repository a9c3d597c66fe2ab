"""How far what is served lies behind its sources, as the catalog tells: without a look at contracts or at the sources."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from search_index.catalog import Catalog
from search_index.model.release import ReleaseRecord
from search_index.model.state import LaneState

_RELEASES_LOOKED_AT = 200


def current_at(live: ReleaseRecord | None, source: str, lanes: Mapping[tuple[str, str], LaneState]) -> datetime | None:
    """The last instant at which the live release is known to have held what the source held.

    That is when the source was last listed, if the live release holds what came of it; else when that release was published.
    """
    pin = live.manifest.sources.get(source) if live and live.manifest else None
    if live is None or live.manifest is None or pin is None:
        return None
    manifest = lanes.get((source, "manifest"))
    steps = [lanes.get((source, stage)) for stage in ("documents", "chunks", "vectors")]
    agrees = all(lane is not None and lane.data_version == pin.pin(lane.stage).digest for lane in steps)
    held = any(h.source == source for h in live.manifest.held)
    if agrees and not held and manifest is not None and not manifest.state.get("problem"):
        return manifest.at
    return live.published_at


def last_changes(catalog: Catalog) -> dict[str, datetime]:
    """When the newest published release that changed each source was published, as far back as is looked."""
    changed: dict[str, datetime] = {}
    later: ReleaseRecord | None = None
    for record in catalog.releases(limit=_RELEASES_LOOKED_AT, published_only=True):
        if later is not None:
            _note(changed, later, record)
        later = record
    if later is not None:
        _note(changed, later, None)
    return changed


def _note(changed: dict[str, datetime], later: ReleaseRecord, earlier: ReleaseRecord | None) -> None:
    if later.manifest is None or later.published_at is None:
        return
    before = earlier.manifest.sources if earlier is not None and earlier.manifest is not None else {}
    for source, pin in later.manifest.sources.items():
        earlier_pin = before.get(source)
        if source not in changed and (earlier_pin is None or not pin.same_rows(earlier_pin)):
            changed[source] = later.published_at
