"""The ranking a candidate pins: the head's as it is, or learned anew where golden sets, index or passages have changed enough."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow.compute as pc
from threadpoolctl import threadpool_limits

from pipelines.evaluation.calibrating import learned_confidence
from pipelines.evaluation.judged_sets import everyone_of, judge_golden
from pipelines.evaluation.tuning_outcome import Tuning
from pipelines.workspace import Workspace
from quality_checks.adapter_trial import MOST_ROUNDS, try_adapter
from quality_checks.evaluation import Judged, ask
from quality_checks.golden import golden_digest
from quality_checks.judged_queries import MEASURE, JudgedQuery, Values, judged_queries
from quality_checks.passages_in_memory import PassagesInMemory, Vectors, passages_in_memory, visible_rows
from quality_checks.tuning import LEAST_QUERIES, tune_fusion
from search_index.adapter import QueryAdapter, load_adapter, prune_adapters, save_adapter
from search_index.engine.interface import Candidate, IndexReader
from search_index.fusion import Ranking
from search_index.model.release import Manifest, ModelPin
from search_index.model.tenant import DEFAULT_TENANT
from search_index.searcher import Searcher
from search_index.tuned import Trial, Tuned

MOST_PASSAGES = 200_000
"""Larger indexes keep the ranking they have: passages are held in memory while it is tuned."""
CHANGED_SHARE = 0.2
"""A ranking is tuned anew once more of the passages than this are others than those it was tuned on."""


def inherited_ranking(workspace: Workspace, head: Manifest | None, model: ModelPin) -> Ranking:
    """What a candidate pins when nothing new is learned: the head's tuned ranking, else the one of the settings; reranked as they say.

    An adapter belongs to the encoder it was trained with, and confidence to the reranker; each stays behind when that changes.

    Errors:
        WrongUsage: the reranker that settings ask for is none.
    """
    ranking = _inherited(workspace, head, model).model_copy(update={"reranking": workspace.reranking})
    return ranking.model_copy(update={"confidence": ranking.own_confidence})


def _inherited(workspace: Workspace, head: Manifest | None, model: ModelPin) -> Ranking:
    if head is None or not workspace.settings.tunes:
        return workspace.settings.ranking
    ranking = Ranking.model_validate(head.ranking)
    if ranking.tuned is None:
        return workspace.settings.ranking
    return ranking if head.model.encoder == model.encoder else ranking.model_copy(update={"adapter": None})


def has_new_judgements(workspace: Workspace, ranking: Ranking) -> bool:
    """Whether golden sets are others than ``ranking`` was tuned with, and are, or were, enough to learn from."""
    if not workspace.settings.tunes:
        return False
    if ranking.tuned is not None:
        return ranking.tuned.golden != _judgements(workspace)
    return bool(workspace.training_sets) or sum(len(golden.queries) for golden in workspace.golden_sets) >= LEAST_QUERIES


def tuned_ranking(workspace: Workspace, draft: Manifest, candidate: Candidate) -> Ranking:
    """The ranking that a staged candidate is to pin: that of its draft, or a better one where there is something new to learn from.

    A new adapter's file is in the home when this returns. What was done is left in ``workspace.tuning``.
    """
    current = Ranking.model_validate(draft.ranking)
    if not workspace.settings.tunes:
        return current
    fits = current.tuned is None or current.tuned.reranking == current.reranking
    if (
        fits
        and not has_new_judgements(workspace, current)
        and not _has_other_passages(current, draft, candidate, tenant_that_teaches(workspace))
    ):
        return current
    reader = candidate.reader()
    try:
        # One thread gives the same bits whatever the number of CPUs, and on a busy machine wastes none of them on waiting.
        with threadpool_limits(limits=1):
            return _tuned(workspace, draft, reader, current)
    finally:
        reader.close()


def _judgements(workspace: Workspace) -> str:
    return golden_digest([*workspace.golden_sets, *workspace.training_sets])


def _has_other_passages(ranking: Ranking, draft: Manifest, candidate: Candidate, tenant: str) -> bool:
    """Whether a tuned ranking was tuned on another index, or on passages of which over a fifth have changed since."""
    tuned = ranking.tuned
    if tuned is None:
        return False
    if tuned.index != draft.index:
        return True
    current = visible_rows(candidate.ledger(), draft.revision, tenant, everyone_of(draft, tenant).groups)
    kept = int(pc.sum(pc.less_equal(current["valid_from"], tuned.revision)).as_py() or 0)
    return bool(kept < (1 - CHANGED_SHARE) * max(tuned.chunks, int(current.num_rows)))


def _tuned(workspace: Workspace, draft: Manifest, reader: IndexReader, current: Ranking) -> Ranking:
    began, cpu_before = time.perf_counter(), time.process_time()
    everyone = everyone_of(draft, tenant_that_teaches(workspace))
    rows = visible_rows(reader.ledger(), draft.revision, everyone.tenant, everyone.groups).num_rows
    training = judge_golden(workspace.lake, workspace.training_sets, draft)
    if rows > MOST_PASSAGES:
        untried = Trial(adopted=False, reason=f"{rows} passages are too many to hold in memory; {MOST_PASSAGES} are the most.")
        ranking, fusion, adapted = current, untried, untried
    else:
        learner = _Learner(workspace, draft, reader, passages_in_memory(reader, draft.revision, everyone.tenant, everyone.groups))
        ranking, fusion, adapted = learner.learn(training, judge_golden(workspace.lake, workspace.golden_sets, draft), current)
    tuned = Tuned(
        golden=_judgements(workspace),
        index=draft.index,
        revision=draft.revision,
        chunks=rows,
        reranking=current.reranking,
        fusion=fusion,
        adapter=adapted,
    )
    ranking = ranking.model_copy(update={"tuned": tuned})
    workspace.tuning = Tuning(
        ranking,
        wall_s=round(time.perf_counter() - began, 2),
        cpu_s=round(time.process_time() - cpu_before, 2),
        stale=sum(len(one.resolved.stale) for one in training),
    )
    return ranking


class _Learner:
    """Learns a ranking from judged queries on a staged candidate. A query is encoded once, by the encoder that is served."""

    def __init__(self, workspace: Workspace, draft: Manifest, reader: IndexReader, passages: PassagesInMemory) -> None:
        self._workspace, self._draft, self._reader, self._passages = workspace, draft, reader, passages
        self._encoder = workspace.home.encoder(draft.model)
        self._vectors: dict[str, Vectors] = {}

    def encode_query(self, text: str) -> Vectors:
        """See ``QueryEncoder``."""
        if text not in self._vectors:
            self._vectors[text] = self._encoder.encode_query(text)
        return self._vectors[text]

    def learn(self, training: Sequence[Judged], golden: Sequence[Judged], current: Ranking) -> tuple[Ranking, Trial, Trial]:
        """The ranking to pin, and what was tried of fusion and of the adapter. An adapter that is new is in the home afterwards.

        Both are chosen by the ranking as it is fused: a reranker would hide most of what they do, and cost many times what they cost.
        """
        reranking, current = current.reranking, current.model_copy(update={"reranking": None})
        evaluated = judged_queries(self._passages, _of_tenant(golden, self._passages.tenant))
        measured_on = {query.folded for query in evaluated}
        # A query that releases are measured on teaches nothing, whichever sets it stands in.
        training = _of_tenant(training, self._passages.tenant)
        taught = [query for query in judged_queries(self._passages, training) if query.folded not in measured_on]
        adapter, adapted = self._adapter(training, taught, evaluated, current)
        ranking = current.model_copy(update={"adapter": adapter.sha256 if adapter else None})
        progress = self._workspace.progress
        progress.start("tuning", len(evaluated))
        ranking, fusion = tune_fusion(self._passages, evaluated, self.encode_query, ranking, adapter, progress.advance)
        progress.finish()
        if adapter is not None:
            self._keep(adapter)
        # Last, for how sure an answer may be hangs on how it was ranked.
        ranking = ranking.model_copy(update={"reranking": reranking})
        reranker = self._workspace.home.reranker(reranking) if reranking else None
        learned = learned_confidence(Searcher(self._reader, self, ranking, adapter, reranker), golden, self._draft)
        return ranking.model_copy(update={"confidence": learned}), fusion, adapted

    def _adapter(
        self, training: Sequence[Judged], taught: Sequence[JudgedQuery], evaluated: Sequence[JudgedQuery], current: Ranking
    ) -> tuple[QueryAdapter | None, Trial]:
        folder, dimension = self._workspace.home.settings.adapters_dir, self._draft.model.dimension
        incumbent = load_adapter(folder, current.adapter, dimension) if current.adapter else None

        def asked(queries: Sequence[JudgedQuery], adapter: QueryAdapter | None) -> Values:
            ranking = current.model_copy(update={"adapter": adapter.sha256 if adapter else None})
            searcher = Searcher(self._reader, self, ranking, adapter)
            result = ask(searcher, _only(training, queries), "hybrid", self._draft.revision, everyone_of(self._draft))
            return np.array([result.values[MEASURE][query.name] for query in queries])

        progress = self._workspace.progress
        progress.start("training (rounds)", MOST_ROUNDS)
        found = try_adapter(self._passages, taught, self.encode_query, current, incumbent, asked, evaluated, progress.advance)
        progress.finish()
        return found

    def _keep(self, adapter: QueryAdapter) -> None:
        """Write the adapter, and remove those that no release that can be rolled back to pins."""
        home = self._workspace.home
        releases = home.catalog.releases(limit=10_000, published_only=True)
        pinned = {Ranking.model_validate(release.manifest.ranking).adapter for release in releases if release.manifest}
        save_adapter(home.settings.adapters_dir, adapter)
        prune_adapters(home.settings.adapters_dir, {adapter.sha256, *(sha256 for sha256 in pinned if sha256)})


def tenant_that_teaches(workspace: Workspace) -> str:
    """The tenant whose judged queries a ranking is learned from: the one with most. None are held against another's documents."""
    judged: Counter[str] = Counter()
    for golden in [*workspace.golden_sets, *workspace.training_sets]:
        judged[golden.tenant] += len(golden.queries)
    return max(sorted(judged), key=judged.__getitem__, default=DEFAULT_TENANT)


def _of_tenant(judged: Sequence[Judged], tenant: str) -> list[Judged]:
    return [one for one in judged if one.golden.tenant == tenant]


def _only(judged: Sequence[Judged], queries: Sequence[JudgedQuery]) -> list[Judged]:
    """The sets with nothing but some of their queries."""
    names = {query.name for query in queries}
    kept = []
    for one in judged:
        asked = tuple(query for query in one.golden.queries if f"{one.golden.name}/{query.id}" in names)
        if asked:
            kept.append(replace(one, golden=one.golden.model_copy(update={"queries": asked})))
    return kept
