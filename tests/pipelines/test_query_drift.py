"""What people ask drifts: from figures alone, and from words where they are kept."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from pipelines.definitions import build_definitions
from pipelines.reports.query_drift import LEAST, QUERY_FAMILIES, query_drift
from pipelines.show.drift import check_name
from pipelines.workspace import LogProgress, Workspace
from search_index.model.release import now
from search_index.model.usage import LoggedQuery
from tests.conftest import ROOT
from tests.project import Project

AT = datetime(2026, 3, 2, 5, 30, tzinfo=UTC)
SAILING = "letter delivery harbour customs cargo vessel port schedule captain freight crane berth tide pilot".split()
BAKING = "flour yeast oven crust dough sourdough salt proving kneading loaf tin butter glaze rye".split()


def logged(count: int, days: tuple[float, float], *, terms: int, cosine: float, words: list[str] | None = None) -> list[LoggedQuery]:
    """Queries spread over the days before ``AT``."""
    chance = random.Random(f"{count} {days} {terms} {cosine}")
    return [
        LoggedQuery(
            id=f"{days[0]}-{n}",
            at=AT - timedelta(days=days[0] + (days[1] - days[0]) * (n + 0.5) / count),
            release=1,
            mode="hybrid",
            principal="p",
            text=" ".join(chance.sample(words, 4)) if words else None,
            terms=max(1, round(chance.gauss(terms, 1))),
            hits=10,
            chunks=[],
            took_ms=5.0,
            best_cosine=chance.gauss(cosine, 0.05),
            confidence=chance.uniform(0.4, 0.9),
        )
        for n in range(count)
    ]


@pytest.fixture
def workspace(project: Project) -> Workspace:
    return Workspace(project.settings, LogProgress(lambda _: None))


def test_the_same_questions_are_no_drift(workspace: Workspace) -> None:
    workspace.home.catalog.add_queries([*logged(200, (0, 7), terms=5, cosine=0.5), *logged(800, (7, 35), terms=5, cosine=0.5)])
    found = query_drift(workspace, AT)
    assert (found.before, found.now, found.missing, found.drifted) == (800, 200, "", {})
    assert found.findings.keys() == QUERY_FAMILIES.keys()


def test_longer_and_stranger_questions_are_told_apart(workspace: Workspace) -> None:
    workspace.home.catalog.add_queries([*logged(200, (0, 7), terms=9, cosine=0.3), *logged(800, (7, 35), terms=5, cosine=0.5)])
    assert query_drift(workspace, AT).drifted.keys() == {"wording", "meaning"}


def test_twice_as_many_and_empty_answers_are_told_apart(workspace: Workspace) -> None:
    empty = [query.model_copy(update={"hits": 0}) for query in logged(600, (0, 7), terms=5, cosine=0.5)]
    workspace.home.catalog.add_queries([*empty, *logged(800, (7, 35), terms=5, cosine=0.5)])
    assert query_drift(workspace, AT).drifted.keys() == {"volume", "outcome"}


def test_too_few_queries_are_not_compared(workspace: Workspace) -> None:
    workspace.home.catalog.add_queries([*logged(LEAST - 1, (0, 7), terms=9, cosine=0.1), *logged(800, (7, 35), terms=5, cosine=0.5)])
    found = query_drift(workspace, AT)
    assert (found.findings, found.drifted) == ({}, {})
    assert found.missing == f"Too few queries are logged: 800 before and {LEAST - 1} in the last week"


@pytest.mark.slow
def test_other_words_are_noticed_where_words_are_kept_and_none_is_shown(published: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    shift = now() - AT
    queries = [
        *logged(100, (0, 7), terms=5, cosine=0.5, words=BAKING),
        *logged(400, (7, 35), terms=5, cosine=0.5, words=SAILING),
    ]
    published.home.catalog.add_queries(query.model_copy(update={"at": query.at + shift}) for query in queries)
    published.home.catalog.close()
    monkeypatch.setenv("PLUMBLINE_HOME", str(published.settings.root))
    monkeypatch.setenv("PLUMBLINE_CONTRACTS", str(published.root / "contracts"))
    job = build_definitions(published.settings).resolve_job_def("drift_daily_job")
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(instance=instance, asset_selection=[dg.AssetKey("query_drift")])
    checks = {c.check_name: c for c in result.get_asset_check_evaluations()}
    assert {name for name, check in checks.items() if not check.passed} == {"meaning_steady"}
    shown = result.asset_materializations_for_node("query_drift")[0].metadata
    assert "| vectors of queries |" in str(shown["comparison"].value)
    assert "data:image/png;base64," in str(shown["effects"].value)
    told = json.dumps([str(value.value) for value in shown.values()] + [f"{c.description} {c.metadata}" for c in checks.values()])
    assert not [word for word in (*SAILING, *BAKING) if f" {word} " in told]


def test_the_page_explains_every_check() -> None:
    page = (ROOT / "docs" / "drift.md").read_text()
    assert all(f"| `{check_name(family)}` |" in page for family in QUERY_FAMILIES)
