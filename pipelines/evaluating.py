"""Evaluating a candidate: the golden sets found in its documents, asked of it and of the live release side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pyarrow.compute as pc
from pydantic import JsonValue as Json

from pipelines.outcomes import StagedCandidate
from pipelines.tables import Lake
from pipelines.workspace import Workspace
from quality_checks.evaluation import SEED, Judged, ModeResult, ask
from quality_checks.gates import CANDIDATE, EVALUATION_CHECKS, candidate_inputs
from quality_checks.golden import GoldenSet
from quality_checks.index_checks import ExpectedChunk, Finding
from quality_checks.metrics import paired_difference
from quality_checks.resolution import Resolver
from search_index.fusion import Ranking
from search_index.home import open_release
from search_index.model.release import Manifest, SourcePin, Verdict
from search_index.model.search import Mode, Principal
from search_index.searcher import Searcher

MODES: tuple[Mode, ...] = ("hybrid", "dense", "sparse")
STALE_SHOWN = 20


def expected_chunks(workspace: Workspace, manifest: Manifest) -> dict[str, ExpectedChunk]:
    """Every chunk the candidate should hold, as the tables say at the pinned versions."""
    expected: dict[str, ExpectedChunk] = {}
    for source, pin in manifest.sources.items():
        rows = workspace.lake.read_source("chunks", source, columns=["chunk_id", "vector_key", "access"], version=pin.chunks.version)
        for row in rows.to_pylist():
            expected[row["chunk_id"]] = ExpectedChunk(row["vector_key"], tuple(row["access"] or ()))
    return expected


def judge_golden(lake: Lake, sets: Sequence[GoldenSet], manifest: Manifest) -> list[Judged]:
    """Each golden set with its judgements found in the documents that a release holds."""
    wanted = sorted({j.document for golden in sets for query in golden.queries for j in query.relevant})
    texts: dict[str, str] = {}
    indexed_as: dict[str, str] = {}
    for source, pin in manifest.sources.items():
        of_it = [uri for uri in wanted if uri.startswith(f"{source}:")]
        if of_it:
            instead = {uri: other for uri, other in _indexed_as(lake, source, pin).items() if uri in of_it}
            indexed_as.update(instead)
            where = (pc.field("source") == source) & pc.field("uri").isin([*of_it, *instead.values()]) & (pc.field("status") == "ok")
            rows = lake.read("documents", columns=["uri", "text"], where=where, version=pin.documents.version)
            texts.update(zip(rows["uri"].to_pylist(), rows["text"].to_pylist(), strict=True))
    resolver = Resolver(texts, indexed_as)
    return [Judged(golden, resolver.resolve(golden)) for golden in sets]


def _indexed_as(lake: Lake, source: str, pin: SourcePin) -> dict[str, str]:
    """For the URI of each document without chunks the URI of the near-duplicate that is indexed instead of it."""
    chunks = lake.read_source("chunks", source, columns=["document_id", "also_at"], version=pin.chunks.version)
    named = chunks.filter(pc.greater(pc.list_value_length(chunks["also_at"]), 0))
    if named.num_rows == 0:
        return {}
    documents = lake.read_source("documents", source, columns=["document_id", "uri"], version=pin.documents.version)
    uris = dict(zip(documents["document_id"].to_pylist(), documents["uri"].to_pylist(), strict=True))
    indexed = {uris[document] for document in set(chunks["document_id"].to_pylist())}
    places = zip(named["document_id"].to_pylist(), named["also_at"].to_pylist(), strict=True)
    return {uri: uris[document] for document, others in places for uri in others if uri not in indexed}


def everyone_of(manifest: Manifest) -> Principal:
    """One who may read every source of a release: what is measured is ranking, not access."""
    return Principal(name="evaluation", groups=frozenset(g for pin in manifest.sources.values() for g in pin.access))


def evaluate_candidate(workspace: Workspace, staged: StagedCandidate, run_id: str) -> tuple[dict[str, Json], list[Verdict]]:
    """Measure a staged candidate on the golden sets, and judge it against the floor and against the live release."""
    manifest, sets = staged.manifest, workspace.golden_sets
    judged = judge_golden(workspace.lake, sets, manifest)
    queries = sum(len(one.resolved.qrels) for one in judged)
    results: dict[Mode, ModeResult] = {}
    if queries:
        reader = staged.candidate.reader()
        try:
            searcher = Searcher(reader, workspace.home.encoder(manifest.model), Ranking.model_validate(manifest.ranking))
            workspace.progress.start("evaluating", queries * len(MODES))
            for mode in MODES:
                results[mode] = ask(searcher, judged, mode, manifest.revision, everyone_of(manifest), workspace.progress.advance)
            workspace.progress.finish()
        finally:
            reader.close()
    scores: dict[str, Json] = {"queries": queries, "modes": {mode: result.summary() for mode, result in results.items()}}
    hybrid = results.get("hybrid")
    findings = {
        "golden_sets_resolve": _resolve(judged),
        "golden_floor": _floor(hybrid, workspace.settings.floor_ndcg),
        "golden_regression": _regression(workspace, sets, hybrid),
    }
    scores["against_live"] = findings["golden_regression"].evidence
    verdicts = [
        Verdict(
            check=check.name,
            subject=CANDIDATE,
            inputs=candidate_inputs(manifest, check.code),
            outcome="failed" if findings[check.name].problem else "passed",
            severity=check.severity,
            summary=findings[check.name].problem or check.description,
            evidence=findings[check.name].evidence,
            run_id=run_id,
        )
        for check in EVALUATION_CHECKS
    ]
    return scores, verdicts


def _resolve(judged: Sequence[Judged]) -> Finding:
    stale = [f"{one.golden.name}/{s.query}: {s.document}: {s.reason}" for one in judged for s in one.resolved.stale]
    problem = f"{len(stale)} judgements are stale" if stale else None
    return Finding(problem, {"stale": len(stale), "which": list(stale[:STALE_SHOWN])})


def _floor(hybrid: ModeResult | None, floor: float) -> Finding:
    if hybrid is None:
        return Finding(None, {"queries": 0})
    values = list(hybrid.values["ndcg@10"].values())
    mean = sum(values) / len(values)
    problem = f"nDCG@10 is {mean:.3f}, below the floor of {floor:.2f}" if mean < floor else None
    return Finding(problem, {"queries": len(values), "ndcg@10": round(mean, 5), "floor": floor})


def _regression(workspace: Workspace, sets: Sequence[GoldenSet], hybrid: ModeResult | None) -> Finding:
    """The candidate against the live release on the queries that both can be judged on."""
    live = workspace.home.catalog.pointer().live
    if live is None or hybrid is None:
        return Finding(None, {"queries": 0})
    loaded = open_release(workspace.home, workspace.home.catalog.release(live))
    try:
        before = ask(loaded.searcher, judge_golden(workspace.lake, sets, loaded.manifest), "hybrid", live, everyone_of(loaded.manifest))
    finally:
        loaded.close()
    mine, theirs = hybrid.values["ndcg@10"], before.values["ndcg@10"]
    shared = sorted(mine.keys() & theirs.keys())
    if not shared:
        return Finding(None, {"queries": 0, "live": live})
    difference = paired_difference({q: theirs[q] for q in shared}, {q: mine[q] for q in shared}, SEED)
    worst = sorted(shared, key=lambda q: (mine[q] - theirs[q], q))[:10]
    evidence: dict[str, Json] = {
        "queries": len(shared),
        "live": live,
        "difference": round(difference.mean, 5),
        "ci95": [round(difference.lo, 5), round(difference.hi, 5)],
        "detectable_loss": round(difference.detectable_loss, 5) if math.isfinite(difference.detectable_loss) else None,
        "worst": [{"query": q, "was": round(theirs[q], 4), "is": round(mine[q], 4)} for q in worst if mine[q] < theirs[q]],
    }
    tolerance = workspace.settings.regression_tolerance
    if difference.hi < 0 or difference.mean < -tolerance:
        problem = (
            f"nDCG@10 changes by {difference.mean:+.3f} against live release {live} "
            f"(95% interval {difference.lo:+.3f} to {difference.hi:+.3f}, {len(shared)} queries)"
        )
        return Finding(problem, evidence)
    return Finding(None, evidence)
