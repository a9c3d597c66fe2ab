"""Every kind of change does the least work: one project of many sources, each of which changes in a way of its own."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipelines.evaluation.candidate import evaluate_candidate, expected_chunks
from pipelines.evaluation.judged_sets import judge_golden
from pipelines.lane.chunks import converge_chunks
from pipelines.lane.counting_again import FITS_ENCODER, fits_encoder
from pipelines.lane.documents import converge_documents
from pipelines.lane.judging import judge
from pipelines.lane.manifest import converge_manifest
from pipelines.lane.vectors import converge_vectors
from pipelines.release.outcomes import StagedCandidate, StepReport
from pipelines.release.publishing import conclude
from pipelines.release.staging import stage_candidate
from pipelines.resources import opened
from pipelines.tables import Lake, rows_of
from pipelines.workspace import LogProgress, Workspace
from quality_checks.contracts import Contract
from quality_checks.golden import GoldenQuery, GoldenSet, Judgement
from quality_checks.index_checks import check_index
from search_index.home import trusted_manifest
from search_index.model.document import document_id
from search_index.model.release import Stage
from search_index.model.search import Place
from tests.project import Project, Visible

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

OTTER = "# The otter\n\nThe otter hunts eels at dusk in slow rivers and sleeps in a holt under the roots of an alder tree by the water.\n"
HERON = "# The heron\n\nThe grey heron stands motionless in the shallows and spears fish with a sudden thrust of its long yellow bill.\n"
SWIFT = "# The swift\n\nThe common swift sleeps on the wing and lands only to lay its eggs under the eaves of old roofs in the village.\n"
NEWT = "# The newt\n\nThe crested newt courts in ponds without fish and hibernates under logs and stones until the frost is over.\n"
LONG = "".join(f"Rule {n}: the keeper of pond {n} shall count its newts before the frost, and write the number down. " for n in range(60))
THREE = {"otter.md": OTTER, "heron.md": HERON, "swift.md": SWIFT}
COPIES = {"a/newt.md": NEWT, "b/newt.md": NEWT, "c/newt.md": f"{LONG}\n", "d/newt.md": f"{LONG}once more\n", "otter.md": OTTER}

Counts = dict[str, int]
STEPS: dict[Stage, Callable[[Workspace, Contract, str], StepReport]] = {
    "manifest": converge_manifest,
    "documents": converge_documents,
    "chunks": converge_chunks,
    "vectors": converge_vectors,
}


@dataclass(frozen=True)
class Run:
    """One ingest: each source's counts, with the points of it that were staged and retired."""

    did: dict[str, Counts]


@dataclass(frozen=True)
class History:
    project: Project
    folders: dict[str, Path]
    runs: list[Run]


def custom(name: str, value: object) -> Callable[[str], str]:
    """An edit of a contract that sets one of its custom properties."""

    def edit(text: str) -> str:
        yaml, out = YAML(), io.StringIO()
        contract = yaml.load(text)
        contract["customProperties"] = [{"property": name, "value": value}]
        yaml.dump(contract, out)
        return out.getvalue()

    return edit


def ingested(project: Project) -> Run:
    """The steps of an ingest in order, as the assets call them, without Dagster's records of fifteen lanes."""
    with opened(project.settings, LogProgress(lambda _: None), wait_s=0, say=lambda _: None) as workspace:
        for contract in workspace.contracts.values():
            for stage, step in STEPS.items():
                step(workspace, contract, "run")
                judge(workspace, contract, stage, "run")
        staged = stage_candidate(workspace, "run")
        assert isinstance(staged, StagedCandidate)
        workspace.candidate = staged
        reader = staged.candidate.reader()
        try:
            verdicts = check_index(staged.manifest, reader, expected_chunks(workspace, staged.manifest), "run")
            points = reader.ledger().select(["source", "valid_from", "valid_to"]).to_pylist()
        finally:
            reader.close()
        workspace.home.catalog.add_verdicts([*verdicts, *evaluate_candidate(workspace, staged, "run").verdicts])
        decision = conclude(workspace)
        assert (decision.status, decision.held, decision.reasons) == ("published", {}, [])
        did: dict[str, Counts] = {}
        for source, reports in workspace.reports.items():
            did[source] = {name: count for report in reports.values() for name, count in report.counts.items()}
            did[source]["staged"] = sum(p["source"] == source and p["valid_from"] == decision.revision for p in points)
            did[source]["retired"] = sum(p["source"] == source and p["valid_to"] == decision.revision for p in points)
        workspace.home.catalog.close()
        return Run(did)


def places(project: Project) -> dict[str, list[Place]]:
    """What each URI that is found shows as its near-duplicates."""
    return {
        hit.uri: hit.near_duplicates for query in ("newt frost pond", "keeper rule count") for hit in project.search(query, limit=100).hits
    }


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> History:
    """Three ingests; the second after one change of each kind, the third after those that need a step more."""
    project = Project(tmp_path_factory.mktemp("change"))
    plain = ("added", "edited", "removed", "renamed", "moved", "touched", "access", "metadata", "same", "returns")
    folders = {name: project.source(name, THREE) for name in plain}
    folders["chunking"] = project.source("chunking", {**THREE, "rules.txt": LONG})
    folders["copies"] = project.source("copies", {"a.md": OTTER, "b.md": OTTER, "c.md": HERON})
    for policy in ("keep", "mark", "index_once"):
        folders[policy] = project.source(policy, COPIES, custom("nearDuplicates", {"policy": policy, "threshold": 0.9}))
    runs = [ingested(project)]

    (folders["added"] / "newt.md").write_text(NEWT)
    (folders["edited"] / "otter.md").write_text(OTTER.replace("eels", "trout"))
    (folders["removed"] / "otter.md").unlink()
    (folders["renamed"] / "otter.md").rename(folders["renamed"] / "lutra.md")
    (folders["moved"] / "old").mkdir()
    (folders["moved"] / "otter.md").rename(folders["moved"] / "old" / "otter.md")
    os.utime(folders["touched"] / "otter.md", (1, 1))
    (folders["returns"] / "otter.md").unlink()
    (folders["copies"] / "b.md").write_text(OTTER.replace("eels", "crayfish"))
    _edit(project, "access", lambda text: text.replace("role: everyone", "role: wardens"))
    _edit(project, "metadata", custom("metadata", {"team": "rivers"}))
    _edit(project, "chunking", custom("chunking", {"max_tokens": 256, "overlap_tokens": 32, "strategy": "fixed"}))
    for policy in ("mark", "index_once"):
        (folders[policy] / "a" / "newt.md").unlink()
    runs.append(ingested(project))

    (folders["returns"] / "otter.md").write_text(OTTER)
    for policy in ("mark", "index_once"):
        (folders[policy] / "e").mkdir()
        (folders[policy] / "e" / "newt.md").write_text(NEWT)
    runs.append(ingested(project))
    return History(project, folders, runs)


def _edit(project: Project, source: str, edit: Callable[[str], str]) -> None:
    contract = project.root / "contracts" / f"{source}.yaml"
    contract.write_text(edit(contract.read_text()))


NOTHING = {"parsed": 0, "moved": 0, "cut": 0, "embedded": 0, "staged": 0, "retired": 0}
SECOND: dict[str, Counts] = {
    "added": NOTHING | {"parsed": 1, "cut": 1, "staged": 1},  # its text was embedded for another source
    "edited": NOTHING | {"parsed": 1, "cut": 1, "embedded": 1, "staged": 1, "retired": 1},
    "removed": NOTHING | {"removed": 1, "retired": 1},
    "renamed": NOTHING | {"parsed": 1, "removed": 1, "cut": 1, "staged": 1, "retired": 1},
    "moved": NOTHING | {"moved": 1, "removed": 1, "cut": 1, "staged": 1, "retired": 1},
    "touched": NOTHING,
    "same": NOTHING,
    "access": NOTHING | {"restated": 3, "staged": 3, "retired": 3},
    "metadata": NOTHING | {"staged": 3, "retired": 3},
    "copies": NOTHING | {"parsed": 1, "cut": 1, "embedded": 1, "staged": 1, "retired": 1},
    "keep": NOTHING,
}


@pytest.mark.parametrize("change", SECOND)
def test_a_change_costs_what_it_must_and_no_more(history: History, change: str) -> None:
    did = history.runs[1].did[change]
    assert {name: did[name] for name in SECOND[change]} == SECOND[change]


def test_equal_texts_are_embedded_once_over_all_sources(history: History) -> None:
    embedded = sum(did["embedded"] for did in history.runs[0].did.values())
    rules = history.runs[0].did["chunking"]["chunks"] - len(THREE)
    assert len(THREE) <= embedded < len(THREE) + 4 * rules
    assert history.runs[0].did["same"]["cut"] == len(THREE)


def test_another_chunker_cuts_all_anew_and_embeds_only_texts_that_are_new(history: History) -> None:
    before, did = history.runs[0].did["chunking"], history.runs[1].did["chunking"]
    assert (did["parsed"], did["cut"], did["retired"]) == (0, len(THREE) + 1, before["chunks"])
    assert did["staged"] == did["chunks"]
    assert did["embedded"] <= did["chunks"] - len(THREE)


def test_a_removed_file_that_returns_is_parsed_but_not_embedded(history: History) -> None:
    gone, back = (history.runs[n].did["returns"] for n in (1, 2))
    assert (gone["parsed"], gone["retired"]) == (0, 1)
    assert {name: back[name] for name in NOTHING} == NOTHING | {"parsed": 1, "cut": 1, "staged": 1}


def test_two_files_of_the_same_content_are_two_documents_until_the_contract_says_otherwise(history: History) -> None:
    first = {policy: history.runs[0].did[policy] for policy in ("keep", "mark", "index_once")}
    assert [did["documents"] for did in first.values()] == [5, 5, 5]
    assert [did["near_duplicates"] for did in first.values()] == [2, 2, 2]
    assert [did["not_indexed"] for did in first.values()] == [0, 0, 2]
    assert [did["cut"] for did in first.values()] == [5, 5, 3]
    assert history.runs[2].did["keep"]["near_duplicates"] == 2  # the step that had nothing to do still says so


def test_when_what_stood_for_others_goes_the_next_takes_over_in_the_same_run(history: History) -> None:
    did = history.runs[1].did["index_once"]
    assert {name: did[name] for name in NOTHING} == NOTHING | {"cut": 1, "staged": 1, "retired": 1}
    assert (did["near_duplicates"], did["not_indexed"]) == (1, 1)


def test_another_place_is_shown_without_cutting_or_embedding(history: History) -> None:
    once, mark = (history.runs[2].did[policy] for policy in ("index_once", "mark"))
    assert {name: once[name] for name in NOTHING} == NOTHING | {"moved": 1, "staged": 1, "retired": 1}
    assert {name: mark[name] for name in NOTHING} == NOTHING | {"moved": 1, "cut": 1, "staged": 2, "retired": 1}


def test_hits_say_where_else_a_passage_stands(history: History) -> None:
    shown = {uri: [place.uri for place in found] for uri, found in places(history.project).items()}
    assert shown["index_once:b/newt.md"] == ["index_once:e/newt.md"]
    assert "index_once:e/newt.md" not in shown
    assert shown["mark:b/newt.md"] == ["mark:e/newt.md"]
    assert shown["mark:e/newt.md"] == ["mark:b/newt.md"]
    assert shown["mark:c/newt.md"] == ["mark:d/newt.md"]
    assert shown["keep:a/newt.md"] == shown["keep:b/newt.md"] == []
    hit = next(h for h in history.project.search("newt frost pond", limit=50).hits if h.uri == "index_once:b/newt.md")
    assert hit.near_duplicates[0].document_id == document_id("index_once", "e/newt.md")


def test_a_history_of_changes_ends_where_one_fresh_ingest_does(history: History, tmp_path: Path) -> None:
    fresh = Project(tmp_path, {"contracts": history.project.root / "contracts"})
    ingested(fresh)
    ended: Visible = history.project.visible()
    assert ended == fresh.visible()
    assert places(history.project) == places(fresh)


def test_a_tokens_column_that_lies_and_a_text_too_long_are_found(history: History) -> None:
    workspace = Workspace(history.project.settings, LogProgress(lambda _: None))
    chunks = workspace.lake.read_source("chunks", "chunking")
    pin = trusted_manifest(workspace.home, workspace.home.catalog.release(workspace.home.catalog.pointer().head or 0)).sources["chunking"]
    assert FITS_ENCODER in pin.checks
    assert all(fits_encoder(workspace, "chunking", chunks, None))
    assert all(fits_encoder(workspace, "chunking", chunks, pin))
    rows = chunks.to_pylist()
    rows[0] |= {"tokens": rows[0]["tokens"] - 1}
    rows[1] |= {"text": "word " * 300, "tokens": 302, "vector_key": "other"}
    lies = type(chunks).from_pylist(rows, schema=chunks.schema)
    for published in (None, pin):
        assert fits_encoder(workspace, "chunking", lies, published) == [False, False, *[True] * (len(rows) - 2)]
    workspace.home.catalog.close()


def test_what_is_judged_of_a_document_that_is_not_indexed_is_asked_of_the_one_that_is(history: History) -> None:
    catalog = history.project.home.catalog
    manifest = trusted_manifest(history.project.home, catalog.release(catalog.pointer().head or 0))
    judged = (
        Judgement(document="index_once:e/newt.md", quote="courts in ponds WITHOUT fish"),
        Judgement(document="index_once:d/newt.md", quote="once more"),
        Judgement(document="mark:e/newt.md", quote="courts in ponds without fish"),
    )
    golden = GoldenSet(name="newts", queries=(GoldenQuery(id="q", query="newts", relevant=judged),))
    (one,) = judge_golden(Lake(history.project.settings.lake), [golden], manifest)
    assert [unit.document for unit in one.resolved.units["q"]] == ["index_once:b/newt.md", "mark:e/newt.md"]
    assert [stale.reason for stale in one.resolved.stale] == ["quote not found in index_once:c/newt.md, which is indexed instead"]
    catalog.close()


LIES: dict[str, tuple[str, dict[str, object]]] = {
    "tokens": ("chunk_fits_encoder", {"tokens": 9}),
    "places": ("chunk_places_exact", {"also_at": ["pond:heron.md"]}),
}


@pytest.mark.parametrize("about", LIES)
def test_a_chunk_that_lies_of_its_tokens_or_places_holds_its_source(tmp_path: Path, models_dir: Path, about: str) -> None:
    check, lie = LIES[about]
    project = Project(tmp_path)
    project.source("pond", {"newt.md": NEWT, "heron.md": HERON})
    with opened(project.settings, LogProgress(lambda _: None), wait_s=0, say=lambda _: None) as workspace:
        contract = workspace.contracts["pond"]
        for stage in ("manifest", "documents", "chunks"):
            STEPS[stage](workspace, contract, "run")
        first, *others = workspace.lake.read_source("chunks", "pond").to_pylist()
        workspace.lake.replace_source("chunks", "pond", rows_of("chunks", [first | lie, *others]))
        verdicts = judge(workspace, contract, "chunks", "run")
        assert [(v.check, v.severity) for v in verdicts if v.outcome == "failed"] == [(check, "error")]
        workspace.home.catalog.close()
