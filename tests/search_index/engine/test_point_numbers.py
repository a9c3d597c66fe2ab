"""What number a point goes by, and which row that is."""

from __future__ import annotations

import uuid

import numpy as np
import pyarrow as pa
import pytest

from search_index.engine import point_numbers
from search_index.engine.interface import LEDGER
from search_index.engine.ledger import Rows
from search_index.engine.point_numbers import PointNumbers, number_of, numbers_of


def rows_of(ids: list[str]) -> Rows:
    empty: dict[str, object] = {field.name: [[]] * len(ids) if pa.types.is_list(field.type) else [""] * len(ids) for field in LEDGER}
    numbers = {"valid_from": [1] * len(ids), "valid_to": [2] * len(ids)}
    return Rows(pa.table({**empty, **numbers, "point_id": sorted(ids)}, schema=LEDGER))


def test_many_have_the_numbers_that_each_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(point_numbers, "_AT_ONCE", 7)
    ids = [str(uuid.uuid5(uuid.NAMESPACE_URL, str(number))) for number in range(100)]
    numbers = numbers_of(np.array([each.encode() for each in ids], dtype="S36"))
    assert numbers.dtype == np.uint64
    assert numbers.tolist() == [number_of(each) for each in ids] == [uuid.UUID(each).int % 2**64 for each in ids]


def test_a_row_is_found_by_its_number_and_what_is_not_there_is_not() -> None:
    ids = sorted(str(uuid.uuid5(uuid.NAMESPACE_URL, str(number))) for number in range(50))
    rows = rows_of(ids)
    numbers = PointNumbers(rows)
    asked = np.array([number_of(ids[7]), 5, number_of(ids[0]), 2**64 - 1, number_of(ids[49])], np.uint64)
    assert numbers.rows(asked).tolist() == [7, -1, 0, -1, 49]
    assert numbers.of(np.array([7, 0])).tolist() == [number_of(ids[7]), number_of(ids[0])]
    assert rows.names(np.array([7, 0, 49])) == [ids[7], ids[0], ids[49]]
    assert rows.names(np.array([], np.int64)) == []
    with pytest.raises(LookupError, match="not in the ledger"):
        rows.names(np.array([7, -1]))
    assert PointNumbers(rows_of([])).rows(asked).tolist() == [-1] * 5


def test_two_points_of_one_number_are_told_and_neither_is_taken_for_the_other() -> None:
    one = "11111111-6a1b-5ae7-8000-00000000002a"
    with pytest.raises(pa.ArrowInvalid, match="one number"):
        PointNumbers(rows_of([one, one.replace("11111111", "22222222")]))
