"""What a candidate holds and changes, counted for all tenants together and for each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.release.points import DesiredPoint
from search_index.model.release import Counts, SourcePin


def counted(pins: Collection[SourcePin], staged: int, retired: int) -> Counts:
    """What the pins of some sources hold, and how many points of them come and go."""
    documents, chunks = sum(pin.documents.rows - pin.quarantined for pin in pins), sum(pin.chunks.rows for pin in pins)
    return Counts(documents=documents, chunks=chunks, staged=staged, retired=retired)


def counted_by_tenant(
    pins: Mapping[str, SourcePin], added: Sequence[DesiredPoint], ledger: pa.Table, retired: Sequence[str]
) -> dict[str, Counts]:
    """The same for each tenant that has a source; ``ledger`` has the points that are retired."""
    going = ledger.filter(pc.is_in(ledger["point_id"], pa.array(list(retired), pa.string())))["tenant"].to_pylist()
    staged_of, retired_of = Counter(point.tenant for point in added), Counter(going)
    return {
        tenant: counted([pin for pin in pins.values() if pin.tenant == tenant], staged_of[tenant], retired_of[tenant])
        for tenant in sorted({pin.tenant for pin in pins.values()})
    }
