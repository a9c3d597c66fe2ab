"""Which points each published revision added and retired: what an index is made again from, long after its older tables are gone.

A point's id names the revision that added it, and its payload the run. Neither can be worked out from a later revision's
tables, so both are kept here: ids and digests alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from pipelines.tables import SCHEMAS, Lake
from search_index.model.search import OPEN_END

ADDED, RETIRED = "added", "retired"


@dataclass(frozen=True, slots=True)
class LoggedPoint:
    """A point and the revisions it is visible from and to."""

    point_id: str
    chunk_id: str
    payload_digest: str
    valid_from: int
    valid_to: int


def log_points(lake: Lake, index: str, revision: int, ledger: pa.Table) -> None:
    """Write down what a revision adds and retires, from its ledger. To be called before it goes live; what never does is not read."""
    changes = ((ADDED, "valid_from"), (RETIRED, "valid_to"))
    parts = [_rows(ledger.filter(pc.equal(ledger[end], revision)), index, revision, change) for change, end in changes]
    lake.append("points", pa.concat_tables(parts))


def _rows(points: pa.Table, index: str, revision: int, change: str) -> pa.Table:
    count = points.num_rows
    columns = {name: points[name] for name in ("point_id", "chunk_id", "payload_digest")}
    fixed = {"index": pa.repeat(index, count), "revision": pa.repeat(revision, count), "change": pa.repeat(change, count)}
    schema = SCHEMAS["points"]
    return pa.table({name: (fixed | columns)[name] for name in schema.names}).cast(schema)


def logged_points(lake: Lake, index: str, published: Sequence[int]) -> list[LoggedPoint]:
    """Every point an index ever had, as of the newest of ``published``; revisions that never went live do not count."""
    where = (ds.field("index") == index) & ds.field("revision").isin(list(published))
    rows = lake.read("points", where=where).to_pylist()
    ended = {row["point_id"]: row["revision"] for row in rows if row["change"] == RETIRED}
    return [
        LoggedPoint(row["point_id"], row["chunk_id"], row["payload_digest"], row["revision"], ended.get(row["point_id"], OPEN_END))
        for row in rows
        if row["change"] == ADDED
    ]
