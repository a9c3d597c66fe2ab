"""The mean length of each tenant's passages: frozen into an index when the tenant comes in, and when it no longer suits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.release.points import DesiredPoint
from search_index.bm25 import Bm25Settings, count_terms

AVGDL_DRIFT = 0.2
"""How far a tenant's mean length may move from the one frozen into its stored weights before a new index is begun."""


def mean_lengths(ledger: pa.Table, added: Sequence[DesiredPoint], retired: Sequence[str]) -> dict[str, float]:
    """Mean number of terms of each tenant's passages: of those that stay and those that come; 1 where they have no terms."""
    terms: defaultdict[str, int] = defaultdict(int)
    passages: defaultdict[str, int] = defaultdict(int)
    staying = ledger.filter(pc.invert(pc.is_in(ledger["point_id"], pa.array(list(retired), pa.string()))))
    for tenant in pc.unique(staying["tenant"]).to_pylist():
        mine = staying.filter(pc.equal(staying["tenant"], tenant))
        terms[tenant], passages[tenant] = pc.sum(pc.list_flatten(mine["term_counts"])).as_py() or 0, mine.num_rows
    for point in added:
        terms[point.tenant] += count_terms(point.indexed_text).length
        passages[point.tenant] += 1
    return {tenant: terms[tenant] / count or 1.0 for tenant, count in passages.items()}


def drifted(lengths: Mapping[str, float], settings: Bm25Settings) -> set[str]:
    """The tenants whose mean length has left the one that their stored weights were made with."""
    known = lengths.keys() & settings.avgdl.keys()
    return {tenant for tenant in known if abs(lengths[tenant] / settings.avgdl[tenant] - 1) > AVGDL_DRIFT}


def frozen(lengths: Mapping[str, float], settings: Bm25Settings) -> Bm25Settings:
    """The settings with the means of tenants that are new, or have drifted; every other keeps its own, and so its scores."""
    changed = drifted(lengths, settings) | (lengths.keys() - settings.avgdl.keys())
    return replace(settings, avgdl={**settings.avgdl, **{tenant: round(lengths[tenant], 3) for tenant in sorted(changed)}})
