"""How fresh what is served is, by source: the lag against what the contract promises, and when it last changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from quality_checks.contracts import Contract
from search_index.catalog import Catalog
from search_index.model.release import ReleaseRecord, now
from search_index.model.state import LaneState

_RELEASES_LOOKED_AT = 200


@dataclass(frozen=True)
class Freshness:
    """One source. ``lag_s``: seconds since the live release was last known to hold what the source held; None: it never did."""

    source: str
    lag_s: float | None
    sla_s: float | None
    changed_at: datetime | None

    @property
    def stale(self) -> bool:
        """Whether it is older than its contract promises. What was never published is not stale but missing."""
        return self.lag_s is not None and self.sla_s is not None and self.lag_s > self.sla_s


def freshness_of(catalog: Catalog, contracts: Mapping[str, Contract]) -> list[Freshness]:
    """Every source that has a contract, by name."""
    pointer = catalog.pointer()
    live = catalog.release(pointer.live) if pointer.live is not None else None
    lanes = {(lane.source, str(lane.stage)): lane for lane in catalog.lanes()}
    changed = last_changes(catalog)
    found = []
    for name, contract in sorted(contracts.items()):
        current = current_at(live, name, lanes)
        lag = (now() - current).total_seconds() if current else None
        sla = contract.freshness_sla.total_seconds() if contract.freshness_sla else None
        found.append(Freshness(name, lag, sla, changed.get(name)))
    return found


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
