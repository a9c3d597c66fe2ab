"""A release learns its ranking where there is something new to learn from, pins what it learned, and otherwise leaves it alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import numpy as np
import pytest

from pipelines.run import Outcome, dagster_instance
from search_index.adapter import adapter_of, save_adapter
from search_index.errors import HomeDamaged, ReleaseUntrusted
from search_index.fusion import Ranking
from search_index.home import open_release
from search_index.model.release import Manifest
from search_index.model.search import Principal
from tests.project import Project

pytestmark = pytest.mark.slow

QUALITIES = dict(
    zip(
        "red heavy frozen wooden silent broken cheap ancient round striped".split(),
        "alpha bravo charlie delta echo foxtrot golf hotel india juliet".split(),
        strict=True,
    )
)
THINGS = "pump ladder violin bridge kettle tractor carpet clock basket helmet engine curtain".split()
CODED = [(f"{QUALITIES[quality]} {thing}", f"{quality}-{thing}.md") for quality in QUALITIES for thing in THINGS]
"""What people here call each thing, with a word for its quality that no document has, and the document that is meant."""

SHUFFLED = np.random.default_rng(1).permutation(len(CODED)).tolist()


def document(quality: str, thing: str) -> str:
    return (
        f"# The {quality} {thing}\n\nThis page is about the {quality} {thing}: how a {quality} {thing} is bought, kept, mended and sold.\n"
    )


def training(project: Project, pairs: list[tuple[str, str]], name: str = "coded", purpose: str = "training") -> Path:
    folder = project.root / "contracts" / "golden"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.jsonl"
    queries = [{"id": str(at), "query": query, "relevant": [{"document": f"things:{uri}"}]} for at, (query, uri) in enumerate(pairs)]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in ({"name": name, "purpose": purpose}, *queries)))
    return path


def published(outcome: Outcome, project: Project) -> tuple[Manifest, Ranking]:
    assert outcome.decision is not None
    assert (outcome.decision.status, outcome.failures) == ("published", [])
    manifest = project.home.catalog.release(outcome.decision.revision or 0).manifest
    assert manifest is not None
    return manifest, Ranking.model_validate(manifest.ranking)


def said_of_candidate(project: Project) -> dict[str, object]:
    """What the Dagster UI shows of the latest candidate."""
    event = dagster_instance(project.settings).get_latest_materialization_event(dg.AssetKey("candidate"))
    assert event is not None and event.asset_materialization is not None
    return {name: value.value for name, value in event.asset_materialization.metadata.items()}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path)
    made.source("things", {f"{quality}-{thing}.md": document(quality, thing) for quality in QUALITIES for thing in THINGS})
    return made


def share_found(project: Project) -> float:
    """Of some coded names, how many have their document among the first three hits."""
    home = project.home
    loaded = open_release(home, home.catalog.resolve(None))
    try:
        found = [
            {uri for uri, _ in loaded.searcher.rank_documents(query, "hybrid", loaded.record.revision, Principal(), 3)}
            for query, _ in CODED[::9]
        ]
        return float(np.mean([f"things:{uri}" in uris for (_, uri), uris in zip(CODED[::9], found, strict=True)]))
    finally:
        loaded.close()
        home.catalog.close()


def test_a_ranking_is_learned_and_pinned_and_not_learned_twice(project: Project) -> None:
    _, untaught = published(project.ingest(), project)
    assert untaught == Ranking()
    before = share_found(project)

    training(project, CODED)
    manifest, taught = published(project.ingest(), project)
    assert taught.adapter is not None and taught.tuned is not None
    assert taught.tuned.adapter.adopted
    assert taught.tuned.adapter.estimate is not None and taught.tuned.adapter.estimate.gains
    assert not taught.tuned.fusion.adopted
    assert (taught.tuned.revision, taught.tuned.chunks, taught.tuned.index) == (2, manifest.counts.chunks, manifest.index)
    assert [path.stem for path in project.settings.adapters_dir.iterdir()] == [taught.adapter]
    shown = said_of_candidate(project)
    assert shown["adapter_adopted"] is True
    assert shown["adapter_gain"] == taught.tuned.adapter.estimate.difference
    assert (shown["fusion_adopted"], shown["fusion_reason"]) == (False, taught.tuned.fusion.reason)
    assert shown["ranking"] == manifest.ranking
    assert share_found(project) > before + 0.1
    assert manifest.counts.staged == 0

    again = project.ingest()
    assert again.decision is not None and again.decision.status == "unchanged"


def test_a_small_change_inherits_the_ranking_and_a_large_one_learns_it_anew(project: Project) -> None:
    training(project, CODED)
    _, taught = published(project.ingest(), project)
    assert taught.adapter is not None

    (project.root / "sources" / "things" / "red-pump.md").write_text(document("green", "pump"))
    _, inherited = published(project.ingest(), project)
    assert inherited == taught

    for number in range(60):
        (project.root / "sources" / "things" / f"new{number}.md").write_text(
            f"# Note {number}\n\nAn unrelated note with the number {number}.\n"
        )
    _, learned_again = published(project.ingest(), project)
    assert learned_again.tuned is not None
    assert learned_again.tuned.revision == 3


def test_what_was_learned_is_served_as_it_was_signed_or_not_at_all(project: Project) -> None:
    training(project, CODED)
    _, ranking = published(project.ingest(), project)
    assert ranking.adapter is not None
    path, home = project.settings.adapters_dir / f"{ranking.adapter}.npy", project.home
    record = home.catalog.resolve(None)
    content = path.read_bytes()
    other = adapter_of(np.eye(384, dtype=np.float32))
    path.write_bytes(save_adapter(project.root / "elsewhere", other).read_bytes())
    with pytest.raises(ReleaseUntrusted, match="not what the release was signed with"):
        open_release(home, record)
    path.unlink()
    with pytest.raises(HomeDamaged, match="cannot be read"):
        open_release(home, record)
    path.write_bytes(content)
    open_release(home, record).close()
    home.catalog.close()

    # Without its training set the adapter has nothing to stand on, and goes; the release before still has its own.
    (project.root / "contracts" / "golden" / "coded.jsonl").unlink()
    _, without = published(project.ingest(), project)
    assert without.adapter is None
    assert path.exists()


def test_a_training_set_measures_nothing_and_its_queries_teach_nothing_once_they_are_golden(project: Project) -> None:
    training(project, CODED)
    training(project, CODED[:40], "golden", "evaluation")
    outcome = project.ingest()
    record = project.home.catalog.release(1)
    assert record.scores["queries"] == 40
    assert outcome.decision is not None
    if record.manifest is not None and record.manifest.ranking["tuned"]:
        ranking = Ranking.model_validate(record.manifest.ranking)
        assert ranking.tuned is not None
        taught = len(CODED) - 40
        estimate = ranking.tuned.adapter.estimate
        assert estimate is None or estimate.queries < taught


@pytest.mark.parametrize(
    ("pairs", "reason"),
    [
        (lambda: CODED[:10], "10 training queries are too few"),
        (lambda: [(query, CODED[other][1]) for (query, _), other in zip(CODED, SHUFFLED, strict=True)], "noise"),
        (lambda: [(query, f"elsewhere/{uri}") for query, uri in CODED], "no training queries"),
    ],
)
def test_what_teaches_nothing_is_not_adopted_and_says_why(
    project: Project, pairs: Callable[[], list[tuple[str, str]]], reason: str
) -> None:
    training(project, pairs())
    _, ranking = published(project.ingest(), project)
    assert ranking.adapter is None
    assert ranking.tuned is not None
    assert reason in ranking.tuned.adapter.reason
    assert not ranking.tuned.adapter.adopted
    assert not project.settings.adapters_dir.exists()
    again = project.ingest()
    assert again.decision is not None and again.decision.status == "unchanged"


def test_tuning_can_be_turned_off_and_a_ranking_that_somebody_gave_wins(project: Project) -> None:
    training(project, CODED)
    project.options = {"tuning": "off"}
    assert published(project.ingest(), project)[1] == Ranking()
    project.options = {"ranking": Ranking(dense_weight=0.6)}
    assert published(project.ingest(), project)[1] == Ranking(dense_weight=0.6)
    assert project.settings.tunes is False
    assert not project.settings.adapters_dir.exists()
