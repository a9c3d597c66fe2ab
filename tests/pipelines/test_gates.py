"""Nobody gets around the gates: seeded defects are held or refused, with what was live before still answering."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import dagster as dg
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deltalake import write_deltalake

from pipelines.definitions import build_definitions
from pipelines.lane import chunks
from pipelines.run import Outcome, dagster_instance
from pipelines.tables import Lake
from search_index.errors import ReleaseUntrusted
from search_index.home import open_release, trusted_manifest
from tests.pipelines.tiny_models import tiny_model
from tests.project import ANIMALS, MACHINES, Project

NEWT = "# The newt\n\nThe crested newt courts in ponds without fish and hibernates under logs.\n"


def corrupt(project: Project, table: str, source: str, column: str, value: object) -> None:
    """Overwrite a column of one source's rows, as a bug or a person behind Plumbline's back would."""
    uri = f"{project.settings.lake}/{table}"
    lake = Lake(project.settings.lake)
    rows = lake.read("vectors") if table == "vectors" else lake.read("chunks")
    if table == "vectors":
        keys = lake.read_source("chunks", source, columns=["vector_key"])["vector_key"]
        hit = pc.is_in(rows["vector_key"], keys.combine_chunks())
    else:
        hit = pc.equal(rows["source"], source)
    values = [value if h else v for h, v in zip(hit.to_pylist(), rows[column].to_pylist(), strict=True)]
    at = rows.schema.get_field_index(column)
    write_deltalake(uri, rows.set_column(at, rows.schema.field(column), pa.array(values, rows.schema.field(column).type)), mode="overwrite")


def edit_animals(project: Project) -> None:
    (project.root / "sources" / "animals" / "newt.md").write_text(NEWT)


def held(outcome: Outcome) -> dict[str, list[str]]:
    assert outcome.decision is not None
    return outcome.decision.held


@pytest.mark.parametrize(
    ("table", "column", "value", "check"),
    [
        ("vectors", "vector", [0.0] * 384, "vector_not_zero"),
        ("vectors", "vector", [float("nan")] * 384, "vector_values_finite"),
        ("chunks", "tokens", 9, "chunk_fits_encoder"),
        ("chunks", "text", "something else", "chunk_spans_exact"),
    ],
)
def test_a_source_with_a_defect_is_held_while_the_others_go_live(
    published: Project, table: str, column: str, value: object, check: str
) -> None:
    before = published.visible()
    edit_animals(published)
    corrupt(published, table, "machines", column, value)
    outcome = published.ingest()
    assert outcome.decision is not None
    assert outcome.decision.status == "published"
    assert list(held(outcome)) == ["machines"]
    assert any(reason.startswith(f"{check}:") for reason in held(outcome)["machines"])
    assert published.found("crested newt ponds")[0] == "animals:newt.md"
    assert published.found("gland packing")[0] == "machines:pump.html"
    assert before <= published.visible()
    manifest = published.home.catalog.release(2).manifest
    assert manifest is not None
    assert [h.source for h in manifest.held] == ["machines"]
    instance = dagster_instance(published.settings)
    (record,) = instance.event_log_storage.get_latest_asset_check_execution_by_key(
        [dg.AssetCheckKey(dg.AssetKey(["machines", table]), check)]
    ).values()
    assert record.evaluation is not None
    assert not record.evaluation.passed


def test_chunks_without_groups_are_held(published: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    edit_animals(published)
    monkeypatch.setattr(chunks, "_told", lambda document, duplicates: {"access": [], "also_at": []})
    outcome = published.ingest()
    assert sorted(held(outcome)) == ["animals", "machines"]
    assert all(any(r.startswith("chunk_access_present:") for r in reasons) for reasons in held(outcome).values())
    assert "animals:newt.md" not in published.found("crested newt ponds")


def test_groups_that_somebody_changed_in_the_table_are_put_right(published: Project) -> None:
    before = published.visible()
    corrupt(published, "chunks", "machines", "access", ["everyone", "somebody"])
    outcome = published.ingest()
    assert outcome.success
    assert held(outcome) == {}
    assert published.visible() == before


GOLDEN = """
name: animals
version: "1"
author: tests
date: 2026-01-01
queries:
  - {id: a, query: where does the otter sleep, relevant: [{document: "animals:otter.md", quote: "a holt under the roots of an alder tree"}]}
  - {id: b, query: what does the badger dig, relevant: [{document: "animals:badger.md", quote: "digs a sett with many tunnels"}]}
  - {id: c, query: how does the heron catch fish, relevant: [{document: "animals:heron.md", quote: "a sudden thrust of its bill"}]}
  - {id: d, query: where does the swift lay its eggs, relevant: [{document: "animals:swift.md", quote: "lands only to lay its eggs"}]}
"""


def flood(project: Project) -> None:
    """Documents that answer nothing but look more like the golden queries than the answers do."""
    queries = [
        "where does the otter sleep",
        "what does the badger dig",
        "how does the heron catch fish",
        "where does the swift lay its eggs",
    ]
    for i in range(60):
        (project.root / "sources" / "machines" / f"spam{i}.txt").write_text(f"{queries[i % 4]}? {queries[i % 4]}! page {i}")


def test_a_golden_regression_refuses_the_whole_candidate(project: Project) -> None:
    project.golden(GOLDEN)
    first = project.ingest()
    assert first.decision is not None
    assert first.decision.gates["candidate/golden_floor"] == "passed"
    before = project.visible()
    flood(project)
    edit_animals(project)
    outcome = project.ingest()
    assert not outcome.success
    assert outcome.decision is not None
    assert outcome.decision.status == "refused"
    assert any(reason.startswith("golden_regression: nDCG@10 changes by -") for reason in outcome.decision.reasons)
    assert project.visible() == before
    assert project.home.catalog.pointer().live == 1
    assert project.home.catalog.release(2).status == "rejected"
    assert not list((project.settings.root / "index").glob("*/r*2*"))
    assert any("refused" in failure for failure in outcome.failures)
    again = project.ingest()
    assert again.decision is not None
    assert (again.decision.status, again.decision.revision) == ("refused", 3)
    shutil.rmtree(project.root / "sources" / "machines")
    project.source("machines", MACHINES)
    assert project.ingest().decision.status == "published"  # type: ignore[union-attr]


def materialize(project: Project, selection: dg.AssetSelection) -> dg.ExecuteInProcessResult:
    """A run as someone starts it from the Dagster UI, of just these assets."""
    import os

    instance = dagster_instance(project.settings)
    os.environ["PLUMBLINE_HOME"], os.environ["PLUMBLINE_CONTRACTS"] = str(project.settings.root), str(project.root / "contracts")
    try:
        job = build_definitions(project.settings).get_repository_def().get_job("ingest")
        chosen = selection.resolve(job.asset_layer.asset_graph)
        return job.execute_in_process(instance=instance, asset_selection=sorted(chosen), raise_on_error=False)
    finally:
        del os.environ["PLUMBLINE_HOME"], os.environ["PLUMBLINE_CONTRACTS"]


def test_materialising_the_release_alone_publishes_nothing(published: Project) -> None:
    edit_animals(published)
    result = materialize(published, dg.AssetSelection.assets("release"))
    assert not result.success
    assert published.home.catalog.pointer().live == 1


def test_leaving_out_the_evaluation_publishes_nothing(published: Project) -> None:
    edit_animals(published)
    result = materialize(published, dg.AssetSelection.all() - dg.AssetSelection.assets("evaluation"))
    assert not result.success
    assert published.home.catalog.pointer().live == 1
    assert published.home.catalog.release(2).status == "rejected"
    assert "golden_floor has no verdict on this data" in published.home.catalog.release(2).reasons


def test_deselected_checks_are_made_all_the_same_or_nothing_is_published(published: Project) -> None:
    edit_animals(published)
    corrupt(published, "vectors", "machines", "vector", [0.0] * 384)
    result = materialize(published, dg.AssetSelection.all().without_checks())
    assert "machines:pump.html" in published.found("gland packing")
    assert np.all([sha for _, sha, _ in published.visible()])
    if result.success:
        manifest = published.home.catalog.release(2).manifest
        assert manifest is not None
        assert [h.source for h in manifest.held] == ["machines"]


def test_green_checks_on_newer_data_do_not_publish_what_was_staged_from_older(published: Project) -> None:
    """The chunks are mended after the candidate's lane state was taken: verdicts on the mended rows do not count for it."""
    corrupt(published, "chunks", "machines", "text", "something else")
    published.ingest(["machines"])
    lane = published.home.catalog.lane("machines", "chunks")
    assert lane is not None
    healthy = next(v for v in published.home.catalog.verdicts(1) if v.subject == "machines" and v.check == "chunk_spans_exact")
    published.home.catalog.add_verdicts([healthy.model_copy(update={"inputs": {**healthy.inputs, "chunks": "of newer rows"}})])
    edit_animals(published)
    assert list(held(published.ingest(["animals"]))) == ["machines"]


@pytest.mark.parametrize("edit", ["replace(manifest, '\"held\":[]', '\"held\": []')", "replace(manifest, 'everyone', 'everybody')", "'{}'"])
def test_an_edited_catalog_row_is_not_served(project: Project, edit: str) -> None:
    project.ingest(["animals"])
    with sqlite3.connect(project.settings.root / "catalog.db") as database:
        assert database.execute(f"update releases set manifest = {edit}").rowcount == 1
    home = project.home
    with pytest.raises(ReleaseUntrusted, match="not what was signed"):
        trusted_manifest(home, home.catalog.release(1))
    with pytest.raises(ReleaseUntrusted):
        open_release(home, home.catalog.release(1))


def test_mass_removal_waits_until_it_is_accepted(tmp_path: Path, models_dir: Path) -> None:
    project = Project(tmp_path)
    folder = project.source("many", {f"{i}.txt": f"Note number {i} about subject {i * 7}." for i in range(24)})
    project.ingest()
    for i in range(20):
        (folder / f"{i}.txt").unlink()
    outcome = project.ingest()
    assert outcome.decision is not None
    assert outcome.decision.status == "held"
    (reason,) = held(outcome)["many"]
    assert "20 of 24 documents are gone" in reason
    assert "plumbline sources accept many --change" in reason
    assert len(project.visible()) == 24
    (change,) = project.home.catalog.changes("many")
    project.home.catalog.accept_change("many", change.change, "tester", "moved elsewhere")
    assert project.ingest().decision.status == "published"  # type: ignore[union-attr]
    assert len(project.visible()) == 4


def test_a_source_that_cannot_be_reached_is_held_and_the_others_go_on(published: Project) -> None:
    (published.root / "sources" / "machines").rename(published.root / "unmounted")
    edit_animals(published)
    outcome = published.ingest()
    assert held(outcome).keys() == {"machines"}
    assert "does not exist" in held(outcome)["machines"][0]
    assert published.found("gland packing")[0] == "machines:pump.html"
    assert published.found("crested newt")[0] == "animals:newt.md"
    (published.root / "unmounted").rename(published.root / "sources" / "machines")
    assert held(published.ingest()) == {}


def test_an_empty_source_is_held_with_the_reason(tmp_path: Path, models_dir: Path) -> None:
    project = Project(tmp_path)
    project.source("nothing", {"only/.hidden": "x"})
    outcome = project.ingest()
    assert outcome.decision is not None
    assert (outcome.decision.status, outcome.decision.live) == ("held", None)
    assert any("source_not_empty" in reason for reason in held(outcome)["nothing"])


def test_a_contract_that_does_not_validate_fails_its_manifest_and_holds_its_source(published: Project) -> None:
    contract = published.root / "contracts" / "machines.yaml"
    contract.write_text(contract.read_text().replace("kind: DataContract", "kind: DataContact"))
    edit_animals(published)
    outcome = published.ingest()
    assert not outcome.success
    assert any("machines.yaml:2" in failure for failure in outcome.failures)
    assert "machines.yaml:2" in held(outcome)["machines"][0]
    assert published.found("crested newt")[0] == "animals:newt.md"
    assert published.found("gland packing")[0] == "machines:pump.html"


def test_a_source_whose_contract_is_gone_stays_until_that_is_accepted(published: Project) -> None:
    (published.root / "contracts" / "machines.yaml").unlink()
    outcome = published.ingest()
    assert list(held(outcome)) == ["machines"]
    assert published.found("gland packing")[0] == "machines:pump.html"
    (change,) = published.home.catalog.changes("machines")
    published.home.catalog.accept_change("machines", change.change, "tester", "retired")
    assert published.ingest().decision.status == "published"  # type: ignore[union-attr]
    assert "machines:pump.html" not in published.found("gland packing")


def test_a_paused_home_publishes_nothing(published: Project) -> None:
    edit_animals(published)
    published.ingest()
    published.home.catalog.move_live(1, "rollback", "tester", "wrong newt", paused="wrong newt")
    (published.root / "sources" / "animals" / "otter.md").write_text(ANIMALS["otter.md"] + "\nIt whistles.\n")
    outcome = published.ingest()
    assert not outcome.success
    assert any("paused: wrong newt" in failure for failure in outcome.failures)
    assert published.home.catalog.pointer().live == 1


@pytest.mark.slow
def test_a_source_that_was_not_ingested_with_the_new_model_keeps_it_from_going_live(published: Project, tmp_path: Path) -> None:
    before = published.visible()
    tiny_model(tmp_path / "parts").save(str(tmp_path / "tiny"))
    published.options["model"] = str(tmp_path / "tiny")
    edit_animals(published)
    alone = published.ingest(["animals"])
    assert not alone.success
    assert any("The vectors of machines were made by another model" in failure for failure in alone.failures)
    assert published.visible() == before
    together = published.ingest()
    assert together.success, together.failures
    assert {sha for _, sha, _ in published.visible()}.isdisjoint({sha for _, sha, _ in before})
