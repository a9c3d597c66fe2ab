"""Term statistics of every tenant in one file, each worked out and read by itself."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from search_index.bm25 import TermStatistics, count_terms
from search_index.engine import tenant_statistics


def points(*of: tuple[str, str]) -> pa.Table:
    counted = [(tenant, count_terms(text)) for tenant, text in of]
    return pa.table(
        {
            "tenant": pa.array([tenant for tenant, _ in counted], pa.string()),
            "term_ids": pa.array([one.ids.tolist() for _, one in counted], pa.list_(pa.uint32())),
            "term_counts": pa.array([one.counts.tolist() for _, one in counted], pa.list_(pa.uint32())),
        }
    )


NONE = points()


def test_each_tenant_has_those_of_its_own_passages() -> None:
    found = tenant_statistics.updated({}, points(("a", "gate ledger"), ("b", "gate pointer"), ("a", "gate")), NONE)
    assert {tenant: each.documents for tenant, each in found.items()} == {"a": 2, "b": 1}
    assert found["a"].digest == TermStatistics.empty().updated([count_terms("gate ledger"), count_terms("gate")]).digest


def test_a_change_of_one_leaves_the_others_the_very_same() -> None:
    before = tenant_statistics.updated({}, points(("a", "gate"), ("b", "pointer")), NONE)
    after = tenant_statistics.updated(before, points(("b", "ledger")), points(("b", "pointer")))
    assert after["a"] is before["a"]
    assert after["b"].digest == TermStatistics.empty().updated([count_terms("ledger")]).digest
    assert set(tenant_statistics.updated(after, NONE, points(("b", "ledger")))) == {"a"}, "who has nothing left is not in it"


def test_nothing_of_one_can_be_taken_from_another() -> None:
    before = tenant_statistics.updated({}, points(("a", "gate")), NONE)
    with pytest.raises(ValueError, match="more passages"):
        tenant_statistics.updated(before, NONE, points(("b", "gate")))


def test_they_come_back_from_disk(tmp_path: Path) -> None:
    made = tenant_statistics.updated({}, points(("a", "gate ledger"), ("b-2", "gate")), NONE)
    with (tmp_path / "7.npz").open("wb") as file:
        tenant_statistics.write(made, file)
    again = tenant_statistics.read(tmp_path / "7.npz")
    assert {tenant: each.digest for tenant, each in again.items()} == {tenant: each.digest for tenant, each in made.items()}
    assert tenant_statistics.read_tenant(tmp_path / "7.npz", "b-2").digest == made["b-2"].digest
    assert tenant_statistics.read_tenant(tmp_path / "7.npz", "nobody").documents == 0
