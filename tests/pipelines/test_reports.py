"""The weekly audit and the monthly evaluation of a real home: what they say, what they write, and what they do not overlook."""

from __future__ import annotations

import json
import shutil
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from pipelines.definitions import build_definitions
from pipelines.reports.audit import audited
from pipelines.reports.audit_facts import Audit
from pipelines.reports.audit_page import audit_page
from pipelines.reports.evaluation import LiveEvaluation, evaluation_page, live_evaluation
from pipelines.reports.writing import rows, write_report
from pipelines.workspace import LogProgress, Workspace
from search_index.errors import HomeDamaged
from search_index.model.state import Change
from tests.pipelines.test_gates import GOLDEN
from tests.project import Project

AT = datetime(2026, 3, 2, 6, 30, tzinfo=UTC)


def workspace_of(project: Project) -> Workspace:
    return Workspace(project.settings, LogProgress(lambda _: None))


def audit_of(project: Project) -> Audit:
    return audited(workspace_of(project), datetime.now(UTC))


def whole(audit: Audit) -> dict[str, bool]:
    return {found.part: found.whole for found in audit.verification}


def edit_catalog(project: Project, statement: str) -> None:
    with sqlite3.connect(project.settings.root / "catalog.db") as catalog:
        assert catalog.execute(statement).rowcount == 1
    catalog.close()


class TestAudit:
    def test_of_a_sound_home(self, published: Project) -> None:
        audit = audit_of(published)
        assert audit.problems == []
        assert whole(audit) == dict.fromkeys(("release", "points", "tables", "reconciliation", "golden sets"), True)
        (release,) = audit.releases
        assert (release.revision, release.status, release.signed, release.retained, release.failed) == (1, "live", True, True, [])
        assert release.passed > 100
        assert [(s.name, s.documents, s.passages, s.stale, s.held) for s in audit.sources] == [
            ("animals", 4, 4, False, []),
            ("machines", 3, 3, False, []),
        ]
        assert audit.disk.keys() == {"index", "models", "dagster", "lake", "free"}
        page = audit_page(audit)
        assert "Nothing needs anybody's attention." in page
        assert "otter" not in page.lower(), "no text, and no document's name either"

    def test_who_let_what_through_and_why(self, published: Project) -> None:
        home = published.home
        home.catalog.order_override(["golden_floor"], 2, "ada", "ticket 4711", home.signing_key())
        home.catalog.pin(1, "ben", "audit of March")
        home.catalog.freeze("cy", "the move")
        change = Change(change="c" * 40, source="animals", kind="mass_removal", description="3 of 4", seen_at=datetime.now(UTC))
        home.catalog.propose_change(change)
        home.catalog.propose_change(change.model_copy(update={"change": "d" * 40}))
        home.catalog.accept_change("animals", "c" * 40, "dee", "they were drafts")
        audit = audit_of(published)
        assert audit.override is not None
        assert (audit.override.actor, audit.override.reason) == ("ada", "ticket 4711")
        assert [(c.change[0], c.actor, c.reason) for c in audit.accepted] == [("c", "dee", "they were drafts")]
        assert [c.change[0] for c in audit.waiting] == ["d"]
        assert [(p.revision, p.actor) for p in audit.pins] == [(1, "ben")]
        assert audit.problems == ["animals: change dddddddddddd (mass_removal) waits to be accepted"]
        page = audit_page(audit)
        assert all(said in page for said in ("ada", "ticket 4711", "ben", "audit of March", "cy", "the move", "dee", "they were drafts"))

    def test_a_tampered_manifest_shows(self, published: Project) -> None:
        edit_catalog(published, "update releases set manifest = replace(manifest, 'everyone', 'nobody') where revision = 1")
        audit = audit_of(published)
        assert [release.signed for release in audit.releases] == [False]
        assert not any(whole(audit).values())
        assert "release 1 is not what was signed" in audit.problems
        assert "| 1 | live |" in audit_page(audit)
        assert "| NO |" in audit_page(audit)

    def test_an_edited_override_shows(self, published: Project) -> None:
        home = published.home
        made = home.catalog.order_override([], 1, "ada", "ticket 4711", home.signing_key())
        edit_catalog(published, "update overrides set body = replace(body, 'ada', 'bob')")
        audit = audit_of(published)
        assert audit.override is None
        assert audit.problems == [f"override {made.id} was edited after it was signed"]

    def test_tables_that_are_gone_show_and_the_rest_is_looked_at_all_the_same(self, published: Project) -> None:
        for file in Path(published.settings.lake, "chunks").rglob("*.parquet"):
            file.unlink()
        assert whole(audit_of(published)) == {
            "release": True, "points": True, "tables": False, "reconciliation": False, "golden sets": True,
        }  # fmt: skip

    def test_an_index_of_other_passages_shows(self, published: Project) -> None:
        (ledger,) = (published.settings.root / "index").rglob("points.arrow")
        content = bytearray(ledger.read_bytes())
        content[content.index(b"everyone") + 3] ^= 1
        ledger.write_bytes(content)
        assert not whole(audit_of(published))["release"]

    def test_sources_without_a_contract_or_with_a_broken_one_show(self, published: Project) -> None:
        (published.root / "contracts" / "animals.yaml").unlink()
        (published.root / "contracts" / "machines.yaml").write_text("name: machines\n")
        problems = audit_of(published).problems
        assert any(said == "animals: its contract is gone" for said in problems)
        assert any(said.startswith("machines: ") and "contract" in said for said in problems)

    def test_stale_judgements_are_listed(self, published: Project) -> None:
        published.golden(GOLDEN.replace("a sudden thrust of its bill", "words that stand nowhere"))
        audit = audit_of(published)
        assert [stale.split(":")[0] for stale in audit.stale_judgements] == ["animals/c"]
        assert audit.problems == ["1 golden judgements are stale"]

    def test_of_a_home_where_nothing_is_published(self, project: Project) -> None:
        audit = audit_of(project)
        assert (audit.live, audit.releases, audit.verification) == (None, [], [])
        assert "Nothing is published yet." in audit_page(audit)


class TestEvaluation:
    @pytest.fixture
    def found(self, published: Project) -> LiveEvaluation:
        published.golden(GOLDEN.replace("id: a,", "id: a, tags: [sleep],"))
        return live_evaluation(workspace_of(published), AT)

    def test_every_mode_source_and_tag_is_measured(self, found: LiveEvaluation) -> None:
        assert (found.revision, found.queries, found.stale) == (1, 4, [])
        assert found.modes.keys() == {"hybrid", "dense", "sparse"}
        hybrid = found.modes["hybrid"]
        assert isinstance(hybrid, dict)
        assert hybrid["ndcg@10"]["value"] > 0.9  # type: ignore[call-overload,index,operator]
        assert found.by["source"].keys() == {"animals"}  # type: ignore[union-attr]
        assert found.by["tag"].keys() == {"sleep"}  # type: ignore[union-attr]
        assert [one["query"] for one in found.worst][-1].startswith("animals/")  # type: ignore[union-attr]
        assert found.against_arms.keys() == {"dense", "sparse"}

    def test_the_page_says_it_and_no_query(self, found: LiveEvaluation) -> None:
        page = evaluation_page(found)
        assert all(part in page for part in ("## By mode", "| hybrid |", "## By source", "## By tag", "| sleep |", "## Answered worst"))
        assert "heron" not in page

    def test_without_golden_sets_or_releases_it_says_so(self, published: Project, tmp_path: Path) -> None:
        assert "nothing can be measured" in evaluation_page(live_evaluation(workspace_of(published), AT))
        empty = Project(tmp_path / "empty")
        empty.root.mkdir()
        assert "Nothing is published yet." in evaluation_page(live_evaluation(workspace_of(empty), AT))

    def test_asking_changes_nothing(self, published: Project, found: LiveEvaluation) -> None:
        assert live_evaluation(workspace_of(published), AT).queries == found.queries
        assert published.home.catalog.release(1).scores.get("queries") == 0


@pytest.mark.parametrize("name", ["audit", "evaluation"])
def test_a_click_writes_the_report_and_shows_it(published: Project, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    published.golden(GOLDEN)
    monkeypatch.setenv("PLUMBLINE_HOME", str(published.settings.root))
    monkeypatch.setenv("PLUMBLINE_CONTRACTS", str(published.root / "contracts"))
    schedule = {"audit": "audit_weekly_job", "evaluation": "evaluation_monthly_job"}[name]
    with dg.DagsterInstance.ephemeral() as instance:
        result = build_definitions(published.settings).resolve_job_def(schedule).execute_in_process(instance=instance)
    shown = result.asset_materializations_for_node(f"{name}_report")[0].metadata
    page, facts = (Path(str(shown[f"{kind}_file"].value)) for kind in ("md", "json"))
    assert page.parent == published.settings.root / "reports"
    assert page.name == f"{name}-{datetime.now(UTC):%Y-%m-%d}.md"
    assert shown["report"].value == page.read_text()
    if name == "audit":
        assert Audit.model_validate_json(facts.read_text()).live == 1
        assert shown["problems"].value == 0
    else:
        assert LiveEvaluation.model_validate_json(facts.read_text()).queries == 4
        assert "answered_worst" in shown


class TestWriting:
    def test_a_second_report_of_a_day_replaces_the_first(self, project: Project) -> None:
        write_report(project.settings, "evaluation", AT, LiveEvaluation(at=AT, revision=7), "one")
        page, facts = write_report(project.settings, "evaluation", AT, LiveEvaluation(at=AT, revision=None), "two")
        assert sorted(file.name for file in page.parent.iterdir()) == ["evaluation-2026-03-02.json", "evaluation-2026-03-02.md"]
        assert page.read_text() == "two"
        assert json.loads(facts.read_text())["revision"] is None

    def test_a_folder_that_cannot_be_written_is_said(self, project: Project) -> None:
        project.settings.root.mkdir()
        (project.settings.root / "reports").write_text("in the way")
        with pytest.raises(HomeDamaged, match="reports cannot be written"):
            write_report(project.settings, "audit", AT, LiveEvaluation(at=AT, revision=None), "")
        shutil.rmtree(project.settings.root)

    def test_a_table_survives_what_stands_in_its_cells(self) -> None:
        assert rows(("a", "b"), [("x|y", None), ("line\nbreak", "")]) == "| a | b |\n|---|---|\n| x/y | - |\n| line break | - |"
