"""Ingest as an operator lives it: what is worked on, what is served, and what an older release still knows."""

from __future__ import annotations

import os
from pathlib import Path

import dagster as dg
import pytest

from pipelines.run import Outcome, dagster_instance
from search_index.errors import Busy, RevisionUnknown
from search_index.lease import Lease
from search_index.model.search import Filters
from tests.project import ANIMALS, Project


def counts(outcome: Outcome, source: str) -> dict[str, int]:
    merged: dict[str, int] = {}
    for report in outcome.reports[source].values():
        merged |= report.counts
    return merged


def status(outcome: Outcome) -> str:
    assert outcome.success, outcome.failures
    assert outcome.decision is not None
    return outcome.decision.status


def test_files_in_cited_answers_out(project: Project) -> None:
    outcome = project.ingest()
    assert status(outcome) == "published"
    answer = project.search("where does the otter sleep?")
    hit = answer.hits[0]
    assert hit.uri == "animals:otter.md"
    assert "holt under the roots" in hit.text
    assert hit.scores.keys() == {"dense", "sparse"}
    assert hit.provenance.run_id == outcome.run_id == answer.release.run_id
    assert hit.provenance.release == answer.release.revision == 1
    assert len(hit.provenance.raw_sha256) == 64
    assert [project.found("pump lost its prime", mode)[0] for mode in ("hybrid", "dense", "sparse")] == ["machines:pump.html"] * 3


def test_a_second_run_with_nothing_changed_does_nothing(published: Project) -> None:
    outcome = published.ingest()
    assert status(outcome) == "unchanged"
    for source in ("animals", "machines"):
        did = counts(outcome, source)
        assert (did["parsed"], did["cut"], did["embedded"]) == (0, 0, 0)
        assert all(report.unchanged for report in outcome.reports[source].values())
    assert [r.revision for r in published.home.catalog.releases()] == [1]
    instance = dagster_instance(published.settings)
    (event,) = instance.get_latest_materialization_events([dg.AssetKey(["animals", "chunks"])]).values()
    assert event is not None
    assert event.run_id == outcome.run_id
    assert event.asset_materialization is not None
    assert event.asset_materialization.metadata["unchanged"].value is True


def test_touching_files_does_nothing_either(published: Project) -> None:
    for path in (published.root / "sources" / "animals").iterdir():
        os.utime(path, (1, 1))
    assert status(published.ingest()) == "unchanged"


def test_only_what_changed_is_worked_on_and_older_releases_still_know(published: Project) -> None:
    folder = published.root / "sources" / "animals"
    (folder / "badger.md").write_text("# The badger\n\nThe badger now lives in a disused quarry and eats earthworms by moonlight.\n")
    (folder / "heron.md").unlink()
    (folder / "newt.md").write_text("# The newt\n\nThe crested newt courts in ponds without fish and hibernates under logs.\n")
    outcome = published.ingest()
    assert status(outcome) == "published"
    did = counts(outcome, "animals")
    assert (did["added"], did["changed"], did["removed"], did["unchanged"]) == (1, 1, 1, 2)
    assert (did["parsed"], did["embedded"]) == (2, 2)
    assert counts(outcome, "machines")["parsed"] == 0
    assert outcome.decision is not None
    assert (outcome.decision.counts["staged"], outcome.decision.counts["retired"]) == (2, 2)

    spears = "stands motionless and spears fish"
    for mode in ("hybrid", "dense", "sparse"):
        assert "animals:heron.md" not in published.found(spears, mode)
        assert published.found(spears, mode, as_of=1)[0] == "animals:heron.md"
    assert published.found("crested newt pond")[0] == "animals:newt.md"
    assert "animals:newt.md" not in published.found("crested newt pond", as_of=1)

    catalog = published.home.catalog
    catalog.move_live(1, "rollback", "tester", "try", paused="try")
    assert published.found(spears)[0] == "animals:heron.md"
    catalog.move_live(2, "resume", "tester", "", paused=None)
    assert "animals:heron.md" not in published.found(spears)


def test_a_removed_document_that_comes_back_is_found_again(project: Project) -> None:
    before = project.ingest()
    path = project.root / "sources" / "animals" / "swift.md"
    path.unlink()
    project.ingest()
    path.write_text(ANIMALS["swift.md"])
    outcome = project.ingest()
    assert status(outcome) == "published"
    assert counts(outcome, "animals")["embedded"] == 0
    assert project.found("sleeps on the wing")[0] == "animals:swift.md"
    assert "animals:swift.md" not in project.found("sleeps on the wing", as_of=2)
    assert project.search("sleeps on the wing").hits[0].provenance.run_id not in ("", before.run_id)


def test_equal_content_in_two_files_is_two_documents_and_one_vector(tmp_path: Path, models_dir: Path) -> None:
    project = Project(tmp_path)
    project.source("copies", {"a.txt": "The kestrel hovers over the verge.", "sub/a.txt": "The kestrel hovers over the verge."})
    outcome = project.ingest()
    assert counts(outcome, "copies")["embedded"] == 1
    assert set(project.found("kestrel")) == {"copies:a.txt", "copies:sub/a.txt"}


def test_a_broken_file_is_quarantined_with_its_reason_and_the_rest_is_served(project: Project) -> None:
    folder = project.root / "sources" / "machines"
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7 and then nothing of the kind")
    (folder / "odd.xyz").write_bytes(bytes(range(256)))
    outcome = project.ingest()
    assert status(outcome) == "published"
    assert counts(outcome, "machines")["quarantined"] == 2
    rows = {r["path"]: r for r in _documents(project, "machines")}
    assert rows["broken.pdf"]["status"] == "quarantined"
    assert "broken.pdf" in str(rows["broken.pdf"]["reason"])
    assert project.found("gland packing")[0] == "machines:pump.html"
    (folder / "broken.pdf").unlink()
    (folder / "odd.xyz").unlink()
    assert counts(project.ingest(), "machines")["quarantined"] == 0


def _documents(project: Project, source: str) -> list[dict[str, object]]:
    from pipelines.tables import Lake

    rows: list[dict[str, object]] = Lake(project.settings.lake).read_source("documents", source).to_pylist()
    return rows


def test_filters_narrow_and_the_time_filter_means_modified_at(published: Project) -> None:
    only = published.search("river", filters=Filters(sources=["machines"]))
    assert {hit.source for hit in only.hits} == {"machines"}
    one = published.search("river", filters=Filters(documents=["animals:otter.md"]))
    assert {hit.uri for hit in one.hits} == {"animals:otter.md"}
    modified = published.search("river").hits[0].modified_at
    assert modified is not None
    assert published.search("river", filters=Filters(modified_to=modified)).hits == []


def test_access_alone_can_change_without_parsing_or_embedding(published: Project) -> None:
    contract = published.root / "contracts" / "machines.yaml"
    contract.write_text(contract.read_text().replace("role: everyone", "role: engineers"))
    outcome = published.ingest()
    assert status(outcome) == "published"
    did = counts(outcome, "machines")
    assert (did["parsed"], did["embedded"]) == (0, 0)
    assert "machines:kiln.txt" not in published.found("rotary kiln clinker")


def test_a_second_writer_is_told_who_is_writing(project: Project) -> None:
    lease = Lease(project.settings.root)
    lease.acquire(wait_s=0, waiting=lambda _: None)
    try:
        with pytest.raises(Busy, match=f"process {os.getpid()}"):
            project.ingest()
    finally:
        lease.release()
    assert status(project.ingest()) == "published"


def test_old_releases_are_vacuumed_beyond_retention(project: Project) -> None:
    project.options = {"retain_releases": 2}
    project.ingest()
    path = project.root / "sources" / "animals" / "otter.md"
    for i in range(4):
        path.write_text(f"# The otter\n\nEdition {i} of what is known of the otter.\n")
        assert status(project.ingest()) == "published"
    assert project.found("edition of the otter", as_of=4)
    with pytest.raises(RevisionUnknown):
        project.found("holt under the roots", as_of=1)
