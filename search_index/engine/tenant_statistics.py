"""The term statistics of one revision: those of every tenant in one file, each read and worked out by itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from search_index.bm25 import TermStatistics

ByTenant: TypeAlias = Mapping[str, TermStatistics]
"""A tenant without a passage is not in it."""


def updated(before: ByTenant, added: pa.Table, removed: pa.Table) -> ByTenant:
    """Statistics after a change; those of a tenant that it does not touch are the very same.

    Args:
        added: points that come in, with the columns ``tenant``, ``term_ids`` and ``term_counts``.
        removed: points that go, likewise.

    Raises:
        ValueError: more is removed than was there.
    """
    after = dict(before)
    for tenant in sorted(tenants_of(added) | tenants_of(removed)):
        mine = pc.field("tenant") == tenant
        after[tenant] = after.get(tenant, TermStatistics.empty()).updated(added.filter(mine), removed.filter(mine))
    return {tenant: statistics for tenant, statistics in after.items() if statistics.documents}


def tenants_of(points: pa.Table) -> set[str]:
    """The tenants that have a row."""
    return set(pc.unique(points["tenant"]).to_pylist())


def write(statistics: ByTenant, file: BinaryIO) -> None:
    """Write to an open file, as ``.npz``."""
    arrays: dict[str, np.ndarray] = {"tenants": np.array(sorted(statistics), dtype="U64")}
    for tenant, each in statistics.items():
        arrays[f"{tenant}/counts"] = np.array([each.documents, each.terms], np.int64)
        arrays[f"{tenant}/ids"], arrays[f"{tenant}/document_frequency"] = each.ids, each.document_frequency
    np.savez(file, allow_pickle=False, **arrays)


def read(file: Path | BinaryIO) -> ByTenant:
    """What ``write`` wrote.

    Raises:
        OSError, ValueError, KeyError: the file cannot be read or is something else.
    """
    with np.load(file, allow_pickle=False) as data:
        return {tenant: _of(data, tenant) for tenant in data["tenants"].tolist()}


def read_tenant(file: Path | BinaryIO, tenant: str) -> TermStatistics:
    """One tenant's part of it, without reading the others'; of nothing where the tenant has no passage. Raises the same."""
    with np.load(file, allow_pickle=False) as data:
        return _of(data, tenant) if tenant in data["tenants"].tolist() else TermStatistics.empty()


def _of(data: Mapping[str, np.ndarray], tenant: str) -> TermStatistics:
    documents, terms = data[f"{tenant}/counts"].tolist()
    return TermStatistics(documents, data[f"{tenant}/ids"], data[f"{tenant}/document_frequency"], terms)
