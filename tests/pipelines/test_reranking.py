"""A reranker that settings name is pinned by the next release, through its gates, and gone again with the setting."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest

from pipelines.evaluation.tuning import inherited_ranking, tuned_ranking
from pipelines.release.staging import stage_candidate
from pipelines.release.vacuum import plan_vacuum
from pipelines.run import Outcome
from pipelines.workspace import LogProgress, Workspace
from quality_checks.golden import golden_digest
from search_index.confidence import Confidence, Logistic
from search_index.engine.interface import Candidate, IndexReader
from search_index.errors import ReleaseUntrusted, WrongUsage
from search_index.fusion import Ranking
from search_index.home import Home, open_release
from search_index.model.release import Manifest
from search_index.reranking import Reranking
from search_index.tuned import Trial, Tuned
from tests.project import Project
from tests.search_index.tiny_reranker import tiny_reranker

QUESTION = "what does the otter hunt in slow rivers"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_reranker(tmp_path_factory.mktemp("models") / "tiny-reranker")


def workspace_of(project: Project) -> Workspace:
    return Workspace(project.settings, LogProgress(lambda _: None))


def manifest_of(home: Home, revision: int) -> Manifest:
    manifest = home.catalog.release(revision).manifest
    assert manifest is not None
    return manifest


def pinned(project: Project, outcome: Outcome) -> Reranking | None:
    assert outcome.decision is not None
    assert (outcome.decision.status, outcome.failures) == ("published", [])
    manifest = manifest_of(project.home, outcome.decision.revision or 0)
    assert manifest.counts.staged == 0
    return Ranking.model_validate(manifest.ranking).reranking


@pytest.mark.slow
def test_switching_a_reranker_on_and_off_makes_a_release_each_time(published: Project, folder: Path) -> None:
    before = published.search(QUESTION)
    published.options |= {"reranker": folder, "rerank_top": 3}
    reranking = pinned(published, published.ingest())
    assert reranking is not None
    assert (reranking.name, reranking.top) == ("tiny-reranker", 3)
    kept = published.settings.rerankers_dir / reranking.model
    assert sorted(path.name for path in kept.iterdir()) == sorted(path.name for path in folder.iterdir())
    answer = published.search(QUESTION)
    assert ["rerank" in hit.scores for hit in answer.hits] == [True, True, True, False, False]
    assert [hit.score for hit in answer.hits] == sorted((hit.score for hit in answer.hits), reverse=True)
    assert {hit.chunk_id for hit in answer.hits[:3]} == {hit.chunk_id for hit in before.hits[:3]}
    assert published.search(QUESTION, as_of=1).hits == before.hits

    again = published.ingest()
    assert again.decision is not None and again.decision.status == "unchanged"

    del published.options["reranker"]
    assert pinned(published, published.ingest()) is None
    assert published.search(QUESTION).hits == before.hits
    home = published.home
    assert plan_vacuum(home, workspace_of(published).lake).rerankers == {}  # release 2 can still be rolled back to
    weights = kept / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    with pytest.raises(ReleaseUntrusted, match=reranking.model):
        open_release(home, home.catalog.release(2))
    open_release(home, home.catalog.release(3)).close()


def test_a_folder_that_holds_no_reranker_is_told_of_before_anything_is_staged(published: Project, tmp_path: Path) -> None:
    published.options["reranker"] = tmp_path / "absent"
    workspace = workspace_of(published)
    with pytest.raises(WrongUsage, match="absent") as error:
        stage_candidate(workspace, "run")
    assert "PLUMBLINE_RERANKER" in error.value.remedy
    pointer = workspace.home.catalog.pointer()
    assert (pointer.head, pointer.live) == (1, 1)
    assert workspace.home.catalog.abandoned() == []
    assert not workspace.settings.rerankers_dir.exists()


FLAT = Logistic(means=(0.0,) * 9, scales=(1.0,) * 9, weights=(0.0,) * 9, intercept=0.0)


def taught(manifest: Manifest, workspace: Workspace, reranking: Reranking | None) -> Ranking:
    """A ranking that was tuned on what the home holds, its confidence learned from answers reranked so."""
    trial = Trial(adopted=False, reason="")
    tuned = Tuned(
        golden=golden_digest([*workspace.golden_sets, *workspace.training_sets]), index=manifest.index, revision=1,
        chunks=manifest.counts.chunks, reranking=reranking, fusion=trial, adapter=trial,
    )  # fmt: skip
    return Ranking(reranking=reranking, confidence=Confidence(relevant=FLAT, answerable=FLAT, threshold=0.5), tuned=tuned)


@dataclass
class Staged:
    """What tuning asks a candidate for."""

    home: Home
    manifest: Manifest

    def reader(self) -> IndexReader:
        return self.home.engine.open(self.manifest.index, 1, head=1)

    def ledger(self) -> pa.Table:
        return self.home.engine.ledger(self.manifest.index, 1, head=1)


def test_confidence_is_left_behind_and_learned_anew_where_the_reranker_changes(published: Project, folder: Path) -> None:
    plain = workspace_of(published)
    manifest = manifest_of(plain.home, 1)
    without = manifest.model_copy(update={"ranking": taught(manifest, plain, None).model_dump(mode="json")})
    assert inherited_ranking(plain, without, manifest.model) == taught(manifest, plain, None)

    published.options["reranker"] = folder
    workspace = workspace_of(published)
    switched = inherited_ranking(workspace, without, manifest.model)
    assert switched.reranking == workspace.reranking is not None
    assert switched.confidence is None

    def tuned_from(ranking: Ranking) -> Ranking:
        draft = manifest.model_copy(update={"ranking": ranking.model_dump(mode="json")})
        staged: Candidate = Staged(workspace.home, manifest)  # type: ignore[assignment]
        return tuned_ranking(workspace, draft, staged)

    learned = tuned_from(switched)
    assert workspace.tuning is not None
    assert learned.reranking == workspace.reranking
    assert learned.tuned is not None and learned.tuned.reranking == workspace.reranking
    same = taught(manifest, workspace, workspace.reranking)
    assert tuned_from(same) is not None and tuned_from(same) == same
    # And with the setting gone.
    with_it = manifest.model_copy(update={"ranking": same.model_dump(mode="json")})
    off = inherited_ranking(plain, with_it, manifest.model)
    assert (off.reranking, off.confidence) == (None, None)
