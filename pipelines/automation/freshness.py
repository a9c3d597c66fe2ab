"""How fresh what is served is, by source: the lag against what the contract promises, and when it last changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from quality_checks.contracts import Contract
from search_index.catalog import Catalog
from search_index.lag import current_at, last_changes
from search_index.model.release import now


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
