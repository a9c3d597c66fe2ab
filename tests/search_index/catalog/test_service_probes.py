"""Probes in the catalog: the newest are kept, and told by day, release and tenant."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from search_index.catalog import Catalog, service_probes
from search_index.model.service_probe import ServiceProbe

AT = datetime(2026, 3, 1, 23, 15, tzinfo=UTC)


@pytest.fixture
def catalog(catalog_url: str) -> Iterator[Catalog]:
    opened = Catalog.open(catalog_url)
    yield opened
    opened.close()


def probe(hours: int, revision: int | None = 7, ndcg: float = 0.5, **more: object) -> ServiceProbe:
    met: dict[str, object] = {
        "reachable": True,
        "asked": 10,
        "answered": 10,
        "measures": {"ndcg@10": ndcg},
        "recorded": 0.6,
        "p95_ms": 20.0,
    }
    return ServiceProbe.model_validate({"at": AT + timedelta(hours=hours), "revision": revision, **met, **more})


def test_there_is_none_at_first(catalog: Catalog) -> None:
    assert catalog.last_probe() is None
    assert catalog.probed(AT, AT + timedelta(days=1), "default") == []


def test_days_and_releases_are_told_apart(catalog: Catalog) -> None:
    gone = probe(3, None, reachable=False, asked=0, answered=0, measures={}, recorded=None, p95_ms=None)
    ill = probe(1, ndcg=0.1, answered=5, failed={"503 overloaded": 5}, degraded=2, p95_ms=90.0, problems={"failing": "x", "worse": "y"})
    probes = [probe(0), ill, probe(2), gone, probe(4, revision=8)]
    for each in probes:
        catalog.add_probe(each)
    assert catalog.last_probe() == probes[-1]
    assert catalog.probes_between(AT, AT + timedelta(hours=2), "default") == probes[:2]
    days = catalog.probed(AT, AT + timedelta(days=1), "default")
    assert [(str(day.day), day.release, day.probes, day.unreachable) for day in days] == [
        ("2026-03-01", 7, 1, 0), ("2026-03-02", None, 1, 1), ("2026-03-02", 7, 2, 0), ("2026-03-02", 8, 1, 0),
    ]  # fmt: skip
    seventh = days[2]
    assert (seventh.asked, seventh.failed, seventh.degraded, seventh.p95_ms) == (20, 5, 2, 90.0)
    assert seventh.ndcg == pytest.approx((0.5 * 10 + 0.1 * 5) / 15, abs=1e-5)
    assert seventh.recorded == pytest.approx(0.6)
    assert seventh.problems == {"failing": 1, "worse": 1}
    assert (days[1].ndcg, days[1].p95_ms) == (None, None)


def test_another_tenants_are_not_told(catalog: Catalog) -> None:
    catalog.add_probe(probe(0, tenant="others"))
    assert catalog.probed(AT, AT + timedelta(days=1), "default") == []
    assert len(catalog.probed(AT, AT + timedelta(days=1), "others")) == 1


def test_the_oldest_go(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_probes, "PROBES_KEPT", 3)
    for hours in range(6):
        catalog.add_probe(probe(hours))
    kept = catalog.probes_between(AT, AT + timedelta(days=1), "default")
    assert [each.at for each in kept] == [AT + timedelta(hours=hours) for hours in (3, 4, 5)]
