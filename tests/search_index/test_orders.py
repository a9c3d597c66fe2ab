"""What operators order: who may lengthen it (nobody), and what counts when rows are edited."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest

from search_index.catalog import Catalog
from search_index.errors import Refused, RevisionUnknown, WrongUsage
from search_index.model.operating import Override, overridable
from search_index.model.release import Verdict, now
from search_index.retention import retained_revisions
from tests.search_index.test_catalog import KEY, edit, manifest, published


@pytest.fixture
def catalog(catalog_url: str) -> Iterator[Catalog]:
    opened = Catalog.open(catalog_url, lambda: KEY)
    yield opened
    opened.close()


def test_a_freeze_stops_publishing_until_it_is_lifted(catalog: Catalog) -> None:
    first = published(catalog, None)
    made = catalog.freeze("ana", "the disk is being moved")
    assert catalog.freeze("bo", "me too") == made, "the first one stands"
    waiting = catalog.begin("run")
    catalog.record_manifest(manifest(waiting, first), None)
    with pytest.raises(Refused, match=r"frozen by ana since .* the disk is being moved"):
        catalog.publish(waiting, first, "tester")
    assert catalog.pointer().live == first
    assert catalog.thaw("bo", "done") == made
    assert catalog.frozen() is None
    catalog.publish(waiting, first, "tester")
    assert catalog.pointer().live == waiting


def test_an_override_holds_until_it_expires(catalog: Catalog) -> None:
    made = catalog.order_override(["golden_floor"], 2, "ana", "urgent", KEY)
    assert catalog.override(KEY) == made
    assert catalog.override(KEY, now() + timedelta(hours=1.9)) == made
    assert catalog.override(KEY, now() + timedelta(hours=2.1)) is None
    assert catalog.override(KEY, now() - timedelta(minutes=1)) is None
    assert (made.excuses("golden_floor"), made.excuses("golden_regression")) == (True, False)


@pytest.mark.parametrize("hours", [0, -1, 24.1, 1000, float("nan")])
def test_an_override_lasts_a_day_at_most(catalog: Catalog, hours: float) -> None:
    with pytest.raises((WrongUsage, ValueError)):
        catalog.order_override([], hours, "ana", "urgent", KEY)
    assert catalog.override(KEY) is None


def test_an_override_without_a_reason_is_not_taken(catalog: Catalog) -> None:
    with pytest.raises(WrongUsage, match="reason"):
        catalog.order_override([], 1, "ana", "  ", KEY)


@pytest.mark.parametrize(
    "change",
    [
        {"expires_at": "2999-01-01T00:00:00Z"},
        {"checks": ["golden_floor", "index_reconciled"]},
        {"checks": []},
        {"actor": "somebody else"},
        {"reason": "another"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_an_edited_override_does_not_count_and_is_reported(catalog: Catalog, catalog_url: str, change: dict[str, object]) -> None:
    made = catalog.order_override(["golden_floor"], 2, "ana", "urgent", KEY)
    body = {**made.model_dump(mode="json"), **change}
    edit(catalog_url, "update overrides set body = :body", body=json.dumps(body, sort_keys=True, separators=(",", ":")))
    assert catalog.override(KEY) is None
    assert catalog.altered_overrides(KEY) == [made.id]


def test_an_override_that_somebody_wrote_without_the_key_does_not_count(catalog: Catalog, catalog_url: str) -> None:
    at = now()
    forged = Override(id="f", reason="x", actor="y", ordered_at=at, expires_at=at + timedelta(hours=3))
    edit(
        catalog_url,
        "insert into overrides (id, body, signature, at) values ('f', :body, :signature, :at)",
        body=forged.model_dump_json(),
        signature="0" * 64,
        at=str(at),
    )
    assert catalog.override(KEY) is None
    assert catalog.altered_overrides(KEY) == ["f"]


def test_a_revoked_override_does_not_come_back_when_its_row_is_edited(catalog: Catalog, catalog_url: str) -> None:
    made = catalog.order_override([], 2, "ana", "urgent", KEY)
    assert catalog.revoke_override("bo", "mended", KEY) == [made]
    assert catalog.override(KEY) is None
    assert catalog.altered_overrides(KEY) == []
    edit(catalog_url, "update overrides set revoked_at = null")
    assert catalog.override(KEY) is None


def test_of_several_the_one_that_lasts_longest_counts(catalog: Catalog) -> None:
    longer = catalog.order_override(["golden_floor"], 3, "ana", "a", KEY)
    catalog.order_override([], 1, "bo", "b", KEY)
    assert catalog.override(KEY) == longer


@pytest.mark.parametrize("check", ["access_on_every_point", "document_access_as_contract", "contract_accepted", "removal_accepted"])
def test_who_may_read_is_never_overridden(catalog: Catalog, check: str) -> None:
    assert not overridable(check)
    assert not catalog.order_override([], 1, "ana", "all of it", KEY).excuses(check)
    assert not catalog.order_override([check], 1, "ana", "this one", KEY).excuses(check)


def test_a_verdict_that_was_edited_is_no_verdict(catalog: Catalog, catalog_url: str) -> None:
    failed = Verdict(check="c", subject="s", inputs={"rows": "a"}, outcome="failed", severity="error", summary="bad", run_id="r")
    catalog.add_verdicts([failed])
    assert [v.outcome for v in catalog.verdicts_on("s", {failed.inputs_digest})] == ["failed"]
    edit(catalog_url, "update verdicts set outcome = 'passed', body = replace(body, 'failed', 'passed')")
    assert catalog.verdicts_on("s", {failed.inputs_digest}) == []
    edit(catalog_url, "update verdicts set signature = null")
    assert catalog.verdicts_on("s", {failed.inputs_digest}) == []


def test_the_pinned_and_the_live_are_retained_with_the_newest(catalog: Catalog) -> None:
    head: int | None = None
    for _ in range(6):
        head = published(catalog, head)
    assert retained_revisions(catalog, 2) == [5, 6]
    catalog.pin(1, "ana", "audit")
    catalog.move_live(3, "rollback", "ana", "", paused="x")
    assert retained_revisions(catalog, 2) == [1, 3, 5, 6]
    assert [(pin.revision, pin.reason) for pin in catalog.pins()] == [(1, "audit")]
    catalog.unpin(1)
    assert retained_revisions(catalog, 2) == [3, 5, 6]
    with pytest.raises(RevisionUnknown):
        catalog.unpin(1)


def test_a_rejected_candidate_is_no_longer_signed(catalog: Catalog) -> None:
    revision = catalog.begin("run")
    catalog.record_manifest(manifest(revision), manifest(revision).sign(KEY))
    catalog.reject(revision, ["no"])
    assert catalog.release(revision).signature is None


def test_what_was_overridden_stays_with_the_release(catalog: Catalog) -> None:
    revision = published(catalog, None)
    assert catalog.release(revision).overridden == []
    catalog.record_overridden(revision, ["golden_floor: nDCG@10 is 0.1"])
    assert catalog.release(revision).overridden == ["golden_floor: nDCG@10 is 0.1"]


def test_a_catalog_of_the_first_version_is_migrated(catalog_url: str) -> None:
    Catalog.open(catalog_url).close()
    edit(
        catalog_url,
        "drop table freezes", "drop table overrides", "drop table pins", "alter table releases drop column overridden",
        "alter table verdicts drop column signature", "update alembic_version set version_num = '0001'",
    )  # fmt: skip
    catalog = Catalog.open(catalog_url, lambda: KEY)
    revision = published(catalog, None)
    assert catalog.release(revision).overridden == []
    assert (catalog.frozen(), catalog.override(KEY), catalog.pins()) == (None, None, [])
    catalog.close()
