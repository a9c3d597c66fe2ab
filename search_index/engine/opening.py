"""Opening a directory of the embedded engine: what it says it is, and whether it is that."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import qdrant_edge as edge

from search_index.engine import ledger as ledgers
from search_index.engine.about import About
from search_index.engine.filters import conditions
from search_index.engine.interface import Visibility
from search_index.engine.point_numbers import number_of
from search_index.engine.shard import as_filter, engine_errors
from search_index.engine.stored_point import DENSE, SPARSE
from search_index.engine.tenant_statistics import tenants_of
from search_index.errors import HomeDamaged

REBUILD = "Run `plumbline doctor`; publish again to build it anew from the tables."


def read_about(folder: Path) -> About:
    """Read ``about.json``.

    Raises:
        HomeDamaged: it is missing or is something else.
    """
    try:
        return About.parsed((folder / "about.json").read_bytes(), str(folder))
    except (OSError, ValueError) as error:
        raise HomeDamaged(f"{folder}/about.json cannot be read: {type(error).__name__}.", REBUILD) from error


def read_ledger(folder: Path, about: About) -> pa.Table:
    """Map the ledger and make sure that it is the one that was written.

    Raises:
        HomeDamaged: it is not, or cannot be read.
    """
    try:
        ledger = ledgers.read(folder / "points.arrow")
    except (OSError, pa.ArrowException) as error:
        raise HomeDamaged(f"{folder}/points.arrow cannot be read: {type(error).__name__}.", REBUILD) from error
    if ledgers.content_hash(ledger) != about.content:
        raise HomeDamaged(f"{folder}: the ledger of points is not the one that was written.", REBUILD)
    return ledger


def opened_shard(folder: Path, about: About, ledger: pa.Table) -> edge.EdgeShard:
    """Load the shard and make sure that it holds, and lets be seen, as much as the ledger says.

    Raises:
        HomeDamaged: it does not, or cannot be loaded.

    A lost file is not always missed while loading: without a payload index every search would just come back empty.
    """
    with engine_errors(f"{folder} cannot be opened", REBUILD):
        if not (folder / "shard" / "segments").is_dir():
            raise HomeDamaged(f"{folder} has no segments.", REBUILD)
        shard = edge.EdgeShard.load(str(folder / "shard"))
        try:
            groups = frozenset(pc.unique(pc.list_flatten(ledger["access"])).to_pylist())
            wanted = [conditions(Visibility(about.revision, tenant, groups)) for tenant in sorted(tenants_of(ledger))]
            stored = shard.count(edge.CountRequest(exact=True))
            visible = sum(shard.count(edge.CountRequest(exact=True, filter=as_filter(each))) for each in wanted if each)
            expected = ledgers.visible_after(ledger, about.revision)
            if (stored, visible) != (ledger.num_rows, expected):
                raise HomeDamaged(
                    f"{folder} holds {stored} points, {visible} visible, and its ledger {ledger.num_rows}, {expected} visible.", REBUILD
                )
            if stored and not shard.retrieve([number_of(ledger["point_id"][0].as_py())], True, [DENSE, SPARSE])[0].vector:
                raise HomeDamaged(f"{folder}: the vectors cannot be read.", REBUILD)
        except BaseException:
            shard.close()
            raise
    return shard
