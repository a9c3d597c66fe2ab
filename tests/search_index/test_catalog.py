"""The catalog: what may be published, by whom, and what survives."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from search_index.catalog import Catalog
from search_index.catalog.connecting import engine_of
from search_index.errors import HomeDamaged, NothingPublished, Refused, RevisionUnknown
from search_index.model.release import Counts, Manifest, ModelPin, Verdict, now
from search_index.model.state import Change, LaneState

MODEL = ModelPin(name="m", digest="d", encoder="e", runtime="r", dimension=3)


KEY = b"k" * 32


def manifest(revision: int, parent: int | None = None) -> Manifest:
    return Manifest(
        revision=revision, parent=parent, index="i", content="c", sources={}, held=[], model=MODEL, bm25={}, ranking={}, golden="g",
        counts=Counts(), run_id="run", created_at=now(),
    )  # fmt: skip


def edit(url: str, *statements: str, **values: object) -> None:
    """As somebody does who has the database and not the key."""
    engine = engine_of(url)
    try:
        with engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement), values)
    finally:
        engine.dispose()


@pytest.fixture
def catalog(catalog_url: str) -> Iterator[Catalog]:
    opened = Catalog.open(catalog_url, lambda: KEY)
    yield opened
    opened.close()


def published(catalog: Catalog, expected_head: int | None) -> int:
    revision = catalog.begin("run")
    catalog.record_manifest(manifest(revision, expected_head), "signature")
    catalog.publish(revision, expected_head, "tester")
    return revision


def test_nothing_is_live_at_first(catalog: Catalog) -> None:
    assert catalog.pointer().live is None
    with pytest.raises(NothingPublished):
        catalog.resolve(None)


def test_publishing_moves_pointer_and_head_and_retires_the_one_before(catalog: Catalog) -> None:
    first = published(catalog, None)
    second = published(catalog, first)
    assert (catalog.pointer().live, catalog.pointer().head) == (second, second)
    assert [(r.revision, r.status) for r in catalog.releases()] == [(second, "live"), (first, "retired")]
    assert catalog.resolve(None).revision == second


def test_a_candidate_staged_against_another_head_is_not_published(catalog: Catalog) -> None:
    first = published(catalog, None)
    late = catalog.begin("run")
    catalog.record_manifest(manifest(late, None), "signature")
    with pytest.raises(Refused, match="head is 1"):
        catalog.publish(late, None, "tester")
    assert catalog.pointer().live == first


def test_a_rejected_or_unfinished_candidate_is_not_published(catalog: Catalog) -> None:
    bare = catalog.begin("run")
    with pytest.raises(Refused, match="not a candidate"):
        catalog.publish(bare, None, "tester")
    catalog.record_manifest(manifest(bare), "signature")
    catalog.reject(bare, ["golden"])
    with pytest.raises(Refused, match="not a candidate"):
        catalog.publish(bare, None, "tester")
    assert catalog.release(bare).reasons == ["golden"]


def test_a_revision_is_never_used_twice(catalog: Catalog) -> None:
    first = catalog.begin("run")
    catalog.reject(first, ["no"])
    assert catalog.begin("run") == first + 1
    assert catalog.abandoned() == [first + 1]


def test_rollback_pauses_publishing_until_resumed(catalog: Catalog) -> None:
    first = published(catalog, None)
    second = published(catalog, first)
    catalog.move_live(first, "rollback", "tester", "bad answers", paused="bad answers")
    assert (catalog.pointer().live, catalog.pointer().head, catalog.pointer().paused) == (first, second, "bad answers")
    waiting = catalog.begin("run")
    catalog.record_manifest(manifest(waiting, second), "signature")
    with pytest.raises(Refused, match="paused: bad answers"):
        catalog.publish(waiting, second, "tester")
    catalog.move_live(second, "resume", "tester", "", paused=None)
    catalog.publish(waiting, second, "tester")
    assert catalog.pointer().live == waiting


def test_rollback_to_a_release_never_published_is_refused(catalog: Catalog) -> None:
    first = published(catalog, None)
    rejected = catalog.begin("run")
    catalog.reject(rejected, ["no"])
    with pytest.raises(RevisionUnknown):
        catalog.move_live(rejected, "rollback", "tester", "", paused="x")
    assert catalog.pointer().live == first
    assert catalog.release(first).status == "live"


def test_as_of_an_instant_finds_what_was_live_then(catalog: Catalog) -> None:
    first = published(catalog, None)
    between = now()
    second = published(catalog, first)
    assert catalog.resolve(between).revision == first
    assert catalog.resolve(now()).revision == second
    with pytest.raises(RevisionUnknown):
        catalog.resolve(between - timedelta(days=1))


def test_the_latest_verdict_on_the_same_inputs_counts_and_other_inputs_are_not_found(catalog: Catalog) -> None:
    def verdict(outcome: str, rows: str) -> Verdict:
        return Verdict.model_validate(
            {"check": "c", "subject": "s", "inputs": {"rows": rows}, "outcome": outcome, "severity": "error", "summary": "", "run_id": "r"}
        )

    catalog.add_verdicts([verdict("failed", "a"), verdict("passed", "a"), verdict("failed", "b")])
    found = catalog.verdicts_on("s", {verdict("passed", "a").inputs_digest})
    assert [v.outcome for v in found] == ["passed"]
    catalog.record_decision(7, found)
    assert [v.outcome for v in catalog.verdicts(7)] == ["passed"]
    assert catalog.verdicts(8) == []


def test_lane_state_is_replaced(catalog: Catalog) -> None:
    for count in (1, 2):
        state = LaneState(
            source="s", stage="documents", inputs="i", data_version=str(count), state={"quarantined": count}, run_id="r", at=now()
        )
        catalog.record_lane(state)
    assert [lane.data_version for lane in catalog.lanes()] == ["2"]
    assert catalog.quarantined() == {"s": 2}


def test_a_change_waits_until_it_is_accepted(catalog: Catalog) -> None:
    change = Change(change="abc123", source="s", kind="mass_removal", description="all gone", seen_at=now())
    assert catalog.propose_change(change).accepted_at is None
    with pytest.raises(RevisionUnknown):
        catalog.accept_change("other", "abc123", "me", "why")
    assert catalog.accept_change("s", "abc", "me", "moved on purpose").reason == "moved on purpose"
    assert catalog.propose_change(change).accepted_at is not None


def test_a_damaged_database_is_named_with_a_remedy(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    path.write_bytes(b"not a database, not even nearly" * 100)
    with pytest.raises(HomeDamaged, match=r"catalog\.db"):
        Catalog.open(f"sqlite:///{path}")


def test_a_database_from_a_later_version_is_refused(catalog_url: str) -> None:
    Catalog.open(catalog_url).close()
    edit(catalog_url, "update alembic_version set version_num = '9999'")
    with pytest.raises(HomeDamaged, match="another version"):
        Catalog.open(catalog_url)
