"""Three in the morning: publishing frozen, gates overridden, releases pinned; and nobody gets around it by editing the catalog."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import dagster as dg
import pytest

from pipelines.release.publishing import pinned_since
from pipelines.release.vacuum import plan_vacuum
from pipelines.run import Outcome, dagster_instance
from pipelines.tables import Lake
from pipelines.workspace import LogProgress, Workspace
from plumbline.cli.replay import compare, content_signed, replay
from search_index.engine.interface import Candidate
from search_index.errors import ReleaseUntrusted, RevisionUnknown
from search_index.home import Home, open_release, release_ref, searcher_of, trusted_manifest
from search_index.model.search import Principal, ReleaseRef, SearchRequest
from search_index.searcher import Searcher
from search_index.settings import Settings
from tests.pipelines.test_gates import GOLDEN, corrupt, edit_animals, flood, held
from tests.project import Project
from tests.search_index.test_catalog import manifest, published

REGRESSION = "golden_regression"


def status(outcome: Outcome) -> str:
    return outcome.decision.status if outcome.decision else str(outcome.failures)


def edit_catalog(project: Project, statement: str, *values: object) -> None:
    """As somebody does who has the file and not the key."""
    with sqlite3.connect(project.settings.root / "catalog.db") as database:
        assert database.execute(statement, values).rowcount >= 1


def test_a_frozen_home_judges_what_it_does_not_publish(published: Project) -> None:
    before = published.visible()
    published.home.catalog.freeze("ana", "moving house")
    edit_animals(published)
    outcome = published.ingest()
    assert outcome.success, "a freeze is no failure"
    assert outcome.decision is not None
    assert (outcome.decision.status, outcome.decision.revision, outcome.decision.live) == ("frozen", 2, 1)
    (reason,) = outcome.decision.reasons
    assert "frozen by ana since" in reason
    assert "moving house" in reason
    assert "plumbline releases resume" in reason
    assert set(outcome.decision.gates.values()) == {"passed"}, "it was judged all the same"
    record = published.home.catalog.release(2)
    assert (record.status, record.reasons, record.signature) == ("rejected", [reason], None)
    assert not list((published.settings.root / "index").glob("*/r*2*"))
    assert published.visible() == before
    published.home.catalog.thaw("bo", "done")
    assert status(published.ingest()) == "published"
    assert published.found("crested newt ponds")[0] == "animals:newt.md"


def test_an_override_lets_a_failed_check_through_and_only_as_it_was_signed(project: Project) -> None:
    project.golden(GOLDEN)
    project.ingest()
    flood(project)
    catalog, key = project.home.catalog, project.home.signing_key()
    made = catalog.order_override(["golden_floor"], 2, "ana", "the floor is wrong", key)
    body = made.model_dump(mode="json")
    edited = {**body, "checks": ["golden_floor", REGRESSION, "known_items_found"]}
    edit_catalog(project, "update overrides set body = ?", json.dumps(edited, sort_keys=True, separators=(",", ":")))
    refused = project.ingest()
    assert status(refused) == "refused"
    assert catalog.pointer().live == 1

    # What was refused cannot be made live by hand either: it was never signed.
    edit_catalog(project, "update releases set status = 'live', published_at = created_at where revision = 2")
    edit_catalog(project, "update pointer set live = 2")
    with pytest.raises(ReleaseUntrusted):
        trusted_manifest(project.home, catalog.release(2))
    edit_catalog(project, "update releases set status = 'rejected', published_at = null where revision = 2")
    edit_catalog(project, "update pointer set live = 1")

    made = catalog.order_override([], 2, "ana", "the flood is meant", key)
    outcome = project.ingest()
    assert outcome.decision is not None
    assert (outcome.decision.status, outcome.decision.override) == ("published", made)
    assert any(reason.startswith(f"{REGRESSION}: ") for reason in outcome.decision.overridden)
    record = catalog.release(3)
    assert record.overridden == outcome.decision.overridden
    assert trusted_manifest(project.home, record).override == made, "signed with the release, for good"
    event = dagster_instance(project.settings).get_latest_materialization_event(dg.AssetKey("release"))
    assert event is not None
    assert event.asset_materialization is not None
    assert "the flood is meant" in str(event.asset_materialization.metadata["override"].value)


def test_a_source_that_is_held_stays_so_when_its_verdict_is_edited_and_goes_live_by_override(published: Project) -> None:
    edit_animals(published)
    corrupt(published, "chunks", "machines", "tokens", 9)
    assert list(held(published.ingest())) == ["machines"]
    as_passed = 'outcome = \'passed\', body = replace(body, \'"outcome":"failed"\', \'"outcome":"passed"\')'
    edit_catalog(published, f"update verdicts set {as_passed} where outcome = 'failed'")
    assert list(held(published.ingest())) == ["machines"], "an edited verdict is none, and the check was made again"
    published.home.catalog.order_override(["chunk_fits_encoder"], 2, "ana", "counted by hand", published.home.signing_key())
    outcome = published.ingest()
    assert held(outcome) == {}
    assert any(reason.startswith("chunk_fits_encoder: ") for reason in outcome.decision.overridden)  # type: ignore[union-attr]


def test_a_release_that_was_pinned_while_another_was_staged_without_it_keeps_that_one_from_going_live(tmp_path: Path) -> None:
    workspace = Workspace(Settings(home=tmp_path / "home"), LogProgress(lambda _: None))
    catalog, head = workspace.home.catalog, None
    for _ in range(3):
        head = published(catalog, head)
    catalog.pin(2, "ana", "long before")
    staged = manifest(catalog.begin("run"), 3).model_copy(update={"retained": [2, 3]})
    assert pinned_since(workspace, staged) == []
    catalog.pin(1, "ana", "audit")
    catalog.pin(3, "ana", "audit")
    assert pinned_since(workspace, staged) == [1]
    assert pinned_since(workspace, staged.model_copy(update={"index": "another"})) == [], "its index is kept beside this one"


Answers = list[tuple[str, str, float]]


def asked(searcher: Searcher, ref: ReleaseRef) -> Answers:
    """What it answers, best first: ids, texts and scores."""
    queries = ("where does the otter sleep", "machine number hums oil", "lathe chatter")
    hits = [hit for q in queries for hit in searcher.search(SearchRequest(query=q, limit=50), ref, Principal()).hits]
    return [(hit.chunk_id, hit.text, hit.score) for hit in hits]


def answers(project: Project, revision: int) -> Answers:
    """What a release answers, by the index that serves it."""
    home = project.home
    loaded = open_release(home, home.catalog.resolve(revision))
    try:
        return asked(loaded.searcher, loaded.ref)
    finally:
        loaded.close()


def rebuilt_answers(home: Home, revision: int, built: Candidate) -> Answers:
    """What the index built anew answers."""
    record, reader = home.catalog.release(revision), built.reader()
    try:
        return asked(searcher_of(home, trusted_manifest(home, record), reader), release_ref(record))
    finally:
        reader.close()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_pinned_releases_outlive_retention_and_the_rest_is_deleted(project: Project, tmp_path: Path) -> None:
    project.options = {"retain_releases": 2}
    folder = project.root / "sources"
    for i in range(24):  # enough text for the average length not to leave the index with every edit
        (folder / "machines" / f"part{i}.txt").write_text(f"Part {i} is a bolt of grade {i % 4} kept in drawer {i * 3} of the long shelf.")
    project.ingest()
    live_answers = {1: answers(project, 1)}
    for i in range(5):
        (folder / "animals" / "otter.md").write_text(f"# The otter\n\nEdition {i} of what is known of where the otter sleeps.\n")
        (folder / "machines" / f"machine{i}.txt").write_text(f"Machine number {i} hums at {i * 50} hertz and wants oil each week.")
        assert status(project.ingest()) == "published"
        live_answers[i + 2] = answers(project, i + 2)
        if i == 0:
            project.home.catalog.pin(2, "ana", "audit")
    home, lake = project.home, Lake(project.settings.lake)

    for revision in (2, 5, 6):
        assert answers(project, revision) == live_answers[revision], "as when it was live"
        built = replay(home, home.catalog.release(revision), tmp_path / f"rebuilt{revision}", lambda _: None)
        found = compare(home, home.catalog.release(revision), built)
        assert (found.damaged, found.differences and found.identical) == (None, True)
        assert rebuilt_answers(home, revision, built) == live_answers[revision], "ids, texts, order and scores"
    assert content_signed(home, home.catalog.release(6), built), "the newest, to the last point"
    for gone in (1, 3, 4):
        with pytest.raises(RevisionUnknown):
            answers(project, gone)

    assert plan_vacuum(home, lake).directories == []
    home.catalog.unpin(2)
    (folder / "machines" / "last.txt").write_text("The last machine.")
    assert status(project.ingest()) == "published"
    with pytest.raises(RevisionUnknown):
        answers(project, 2)
    assert answers(project, 6) == live_answers[6]
    assert plan_vacuum(home, lake).tables == [], "it was deleted by itself"
