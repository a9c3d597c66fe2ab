"""One object for the catalog, with what the rest of the house asks of it."""

from __future__ import annotations

from search_index.catalog.canaries import Canaries
from search_index.catalog.contract_versions import ContractVersions
from search_index.catalog.keys import Keys
from search_index.catalog.lanes import Changes, Lanes
from search_index.catalog.orders import Freezes, Overrides, Pins
from search_index.catalog.overlay import Overlays
from search_index.catalog.releases import Releases
from search_index.catalog.service_probes import ServiceProbes
from search_index.catalog.shadows import Shadows
from search_index.catalog.usage import Usage
from search_index.catalog.verdicts import Verdicts


class Catalog(
    Releases, Verdicts, Lanes, Changes, ContractVersions, Freezes, Overrides, Pins, Shadows, Canaries, Keys, Usage, ServiceProbes, Overlays
):
    """Releases, the live pointer, verdicts, lane state, pending changes, contract versions, what operators ordered, API keys, usage,
    and what may not be read now.

    Every method is one transaction. Instants are UTC.

    Errors:
        HomeDamaged: the database cannot be read or is from a newer version.
        DiskFull: it cannot be written for want of room.
    """
