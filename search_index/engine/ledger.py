"""The ledger: one row for every point an index holds, which says from when to when it is visible and what it must contain."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from search_index.engine.interface import LEDGER, Delta
from search_index.errors import WrongUsage
from search_index.model.search import OPEN_END

Number = TypeVar("Number", np.uint32, np.int32, np.int64)
FOUND_KEPT = 100_000
"""Rows of so many points are remembered, those that were asked for since."""
_REFIT = "Read the head again and work out the difference anew."


@dataclass(frozen=True, slots=True)
class Plan:
    """What turns one revision's points into the next's."""

    kept: pa.Table
    """Rows of the head that stay, validity already as it will be; schema ``LEDGER``."""
    closed: pa.Table
    """Those of ``kept`` that this revision retires."""
    vacuumed: list[str]
    """Ids of points that no retained revision can see."""


def plan(head: pa.Table, delta: Delta, revision: int, retained: Sequence[int] | None) -> Plan:
    """Apply retirement and vacuum to the head's ledger, and check that the delta fits it.

    Raises:
        WrongUsage: a point to be added is there already or comes twice, or one to be retired is not current.
    """
    retired = pa.array(sorted(set(delta.retired)), pa.string())
    closing = pc.and_(pc.is_in(head["point_id"], retired), pc.equal(head["valid_to"], OPEN_END))
    found = int(pc.sum(closing).as_py() or 0)
    if found != len(retired):
        raise WrongUsage(f"{len(retired) - found} of {len(retired)} points to be retired by revision {revision} are not current.", _REFIT)
    ends = pc.if_else(closing, pa.scalar(revision, pa.int64()), head["valid_to"])
    rows = head.set_column(LEDGER.get_field_index("valid_to"), LEDGER.field("valid_to"), ends)
    gone = unseen(rows, revision, retained)
    kept = rows.filter(pc.invert(gone))
    added = delta.added["point_id"]
    if pc.count_distinct(added).as_py() != len(added):
        raise WrongUsage(f"Revision {revision} adds a point twice.", _REFIT)
    there = int(pc.sum(pc.is_in(added, head["point_id"].combine_chunks())).as_py() or 0)
    if there:
        raise WrongUsage(f"{there} of {len(added)} points to be added by revision {revision} are there already.", _REFIT)
    return Plan(kept, kept.filter(pc.equal(kept["valid_to"], revision)), rows.filter(gone)["point_id"].to_pylist())


def unseen(rows: pa.Table, revision: int, retained: Sequence[int] | None) -> pa.Array:
    """Which rows retired before ``revision`` none of ``retained`` can see; none of them where that is None."""
    begins, ends = (_numbers(rows[name].combine_chunks(), np.int64) for name in ("valid_from", "valid_to"))
    if retained is None:
        return pa.array(np.zeros(rows.num_rows, bool))
    asked = np.array(sorted({*retained, OPEN_END}), np.int64)
    # The first of them that a point has begun by: if it has ended by then, none of them sees it.
    first = asked[np.searchsorted(asked, begins)]
    return pa.array((ends < revision) & (first >= ends))


def merged(kept: pa.Table, added: Sequence[pa.Table]) -> pa.Table:
    """Rows sorted by point id, each column one contiguous array."""
    return pa.concat_tables([kept, *added]).sort_by("point_id").combine_chunks()


def content_hash(ledger: pa.Table) -> str:
    """sha256 over all columns of all rows, by value: the same rows give the same hash wherever they are stored."""
    hashed = hashlib.sha256(f"{ledger.num_rows}\n".encode())
    for name in LEDGER.names:
        column = ledger[name].combine_chunks()
        hashed.update(name.encode())
        if pa.types.is_list(column.type):
            hashed.update(np.diff(_offsets(column)).data)
            column = column.flatten()
        if pa.types.is_string(column.type):
            hashed.update(np.diff(_offsets(column)).data)
            hashed.update(_bytes_of(column))
        else:
            hashed.update((_numbers(column, np.int64) if pa.types.is_int64(column.type) else _numbers(column, np.uint32)).data)
    return hashed.hexdigest()


def write(ledger: pa.Table, path: Path) -> None:
    """Write as an uncompressed Arrow file, to be mapped into memory by readers, which then share it."""
    with pa.OSFile(str(path), "wb") as file:
        write_to(ledger, file)


def write_to(ledger: pa.Table, file: pa.NativeFile) -> None:
    """The same, to a file that is open."""
    with pa.ipc.new_file(file, ledger.schema) as writer:
        writer.write_table(ledger)


def read(path: Path) -> pa.Table:
    """Map what ``write`` wrote.

    Raises:
        OSError, pa.ArrowInvalid: it is missing, cut short or of another schema.
    """
    with pa.memory_map(str(path), "r") as file:
        return read_from(file)


def read_from(file: pa.NativeFile) -> pa.Table:
    """The same, from a file that is open; of one that is mapped, nothing is copied."""
    table = pa.ipc.open_file(file).read_all()
    if not table.schema.equals(LEDGER):
        raise pa.ArrowInvalid("not a ledger")
    return table


def visible_after(ledger: pa.Table, revision: int) -> int:
    """How many points that some group of some tenant may see are still valid after ``revision``."""
    current = _numbers(ledger["valid_to"].combine_chunks(), np.int64) > revision
    return int(np.count_nonzero(current & (np.diff(_offsets(ledger["access"].combine_chunks())) > 0)))


class Rows:
    """The ledger by point id, with every point's terms. Holds views of the mapped file, no copies.

    Raises:
        pa.ArrowInvalid: its columns do not go together.
    """

    def __init__(self, ledger: pa.Table) -> None:
        ids, term_ids, term_counts = (ledger[name].combine_chunks() for name in ("point_id", "term_ids", "term_counts"))
        self.ids = np.frombuffer(_bytes_of(ids), dtype="S36")
        """Rising, shape (rows,)."""
        self._starts = _offsets(term_ids)
        # Offsets are positions in ``values``, which is the whole child array even when the list array is a slice of it.
        self._term_ids = _numbers(term_ids.values, np.uint32)
        self._term_counts = _numbers(term_counts.values, np.uint32)
        if not np.array_equal(self._starts, _offsets(term_counts)):
            raise pa.ArrowInvalid("term ids and counts are not parallel")
        owners = ledger["tenant"].combine_chunks().dictionary_encode()
        self._tenants: list[str] = owners.dictionary.to_pylist()
        indices = _numbers(owners.indices, np.int32)
        self._owners = np.append(indices, np.int32(-1))  # so that a row of -1 is nobody's
        self._held: dict[str, int] = dict(zip(self._tenants, np.bincount(indices).tolist(), strict=True))
        self._found: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.ids)

    def held(self, tenant: str) -> int:
        """How many points a tenant has, of all revisions."""
        return self._held.get(tenant, 0)

    def average_lengths(self, rows: npt.NDArray[np.int64], avgdl: Mapping[str, float]) -> npt.NDArray[np.float64]:
        """The ``avgdl`` that the stored weights of ``rows`` were made with, that of its tenant; 1 for rows of -1. Shape of ``rows``."""
        known = np.array([*(avgdl[tenant] for tenant in self._tenants), 1.0])
        return known[self._owners[rows]]

    def positions(self, point_ids: Sequence[str]) -> npt.NDArray[np.int64]:
        """Row of each point, -1 for one that is not there. Shape (len(point_ids),)."""
        found = self._found
        if missing := [name for name in point_ids if name not in found]:
            if len(found) + len(missing) > FOUND_KEPT:
                found = self._found = {}
                missing = list(point_ids)
            found.update(zip(missing, self._searched(missing).tolist(), strict=True))
        return np.array([found[name] for name in point_ids], dtype=np.int64)

    def _searched(self, point_ids: Sequence[str]) -> npt.NDArray[np.int64]:
        wanted = np.array([name.encode() for name in point_ids], dtype="S36")
        if not len(self.ids):
            return np.full(len(wanted), -1)
        found = np.minimum(np.searchsorted(self.ids, wanted), len(self.ids) - 1)
        return np.where(self.ids[found] == wanted, found, -1)

    def names(self, rows: npt.NDArray[np.int64]) -> list[str]:
        """Point ids of ``rows``.

        Raises:
            LookupError: one of them is -1.
        """
        if (rows < 0).any():
            raise LookupError("a point is not in the ledger")
        names: list[str] = self.ids[rows].astype("U36").tolist()
        return names

    def terms(self, rows: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
        """All terms of ``rows``: for each the index into ``rows`` it belongs to, its id and its count. Rows of -1 have none."""
        there = rows >= 0
        begins = np.where(there, self._starts[rows], 0).astype(np.int64)
        lengths = np.where(there, self._starts[rows + 1] - self._starts[rows], 0).astype(np.int64)
        owner = np.repeat(np.arange(len(rows)), lengths)
        within = np.arange(len(owner)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        at = np.repeat(begins, lengths) + within
        return owner, self._term_ids[at], self._term_counts[at]


# Arrow's own ``to_numpy`` would import pandas, which has no place in the service.
def _numbers(column: pa.Array, kind: type[Number]) -> npt.NDArray[Number]:
    """The numbers of ``column``, which holds no nulls, not copied."""
    data = column.buffers()[1]
    if data is None or not len(column):
        return np.empty(0, kind)
    return np.frombuffer(data, dtype=kind)[column.offset : column.offset + len(column)]


def _offsets(column: pa.ListArray | pa.StringArray) -> npt.NDArray[np.int32]:
    """Where each value of ``column`` begins, and where the last one ends. Shape (len(column) + 1,)."""
    if not len(column):
        return np.zeros(1, np.int32)
    return np.frombuffer(column.buffers()[1], dtype=np.int32)[column.offset : column.offset + len(column) + 1]


def _bytes_of(column: pa.StringArray) -> memoryview:
    """The characters of all strings of ``column``, one after the other, not copied."""
    data = column.buffers()[2]
    offsets = _offsets(column)
    return memoryview(data)[int(offsets[0]) : int(offsets[-1])] if data is not None else memoryview(b"")
