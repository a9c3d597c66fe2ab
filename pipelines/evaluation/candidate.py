"""Evaluating a candidate: the golden sets found in its documents, asked of it and of the live release side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import JsonValue as Json

from pipelines.evaluation.calibrating import calibration_of
from pipelines.evaluation.judged_sets import everyone_of, judge_golden
from pipelines.release.outcomes import StagedCandidate
from pipelines.workspace import Workspace
from quality_checks.breakdown import against_arms, by_group, worst_queries
from quality_checks.comparison import Comparison, compare
from quality_checks.evaluation import Judged, ModeResult, ask
from quality_checks.gates import CANDIDATE, EVALUATION_CHECKS, candidate_inputs
from quality_checks.golden import GoldenSet
from quality_checks.index_checks import ExpectedChunk, ExpectedIndex, Finding
from quality_checks.known_items import TOP, KnownItem, known_items, lost_by_mode
from quality_checks.metrics import ALL_MEASURES
from quality_checks.service_probe import sampled
from search_index.confidence import Calibration, Confidence
from search_index.engine.interface import Payload
from search_index.home import open_release, searcher_of
from search_index.model.release import Manifest, Verdict
from search_index.model.search import Mode
from search_index.searcher import Searcher

MODES: tuple[Mode, ...] = ("hybrid", "dense", "sparse")
_TOLD = ("vector_key", "access", "document_id", "start", "end", "text_sha256")
STALE_SHOWN = 20
MOST_ECE = 0.1
WORST_SHOWN = 20
KNOWN_ITEMS = 30
"""Vectors of another model or of other passages find next to none of them, sound ones more than half even of tables; so many tell the two
apart, and cost a CPU second."""


def expected_chunks(workspace: Workspace, manifest: Manifest) -> ExpectedIndex:
    """Every chunk the candidate should hold, as the tables say at the pinned versions."""
    expected: dict[str, ExpectedChunk] = {}
    versions: dict[str, int] = {}
    for source, pin in manifest.sources.items():
        rows = workspace.lake.read_source("chunks", source, columns=["chunk_id", *_TOLD], version=pin.chunks.version)
        told = zip(*(rows[name].to_pylist() for name in _TOLD), strict=True)
        for chunk, (key, access, *rest) in zip(rows["chunk_id"].to_pylist(), told, strict=True):
            expected[chunk] = ExpectedChunk(key, tuple(access or ()), source, pin.tenant, *rest)
            versions[key] = pin.vectors.version

    def vectors(keys: Sequence[str]) -> dict[str, memoryview]:
        found: dict[str, memoryview] = {}
        for version in sorted({versions[key] for key in keys if key in versions}):
            found |= workspace.lake.vectors([key for key in keys if versions.get(key) == version], version=version)
        return found

    return ExpectedIndex(expected, vectors)


@dataclass(frozen=True)
class Evaluation:
    """What measuring a candidate gave: figures for the catalog, verdicts for the gates, and the queries it answers worst."""

    scores: dict[str, Json]
    verdicts: list[Verdict]
    worst: list[dict[str, Json]]


def evaluate_candidate(workspace: Workspace, staged: StagedCandidate, run_id: str) -> Evaluation:
    """Measure a staged candidate on known items and golden sets, and judge it against the floors and against the live release."""
    manifest, sets = staged.manifest, workspace.golden_sets
    judged = judge_golden(workspace.lake, sets, manifest)
    reader = staged.candidate.reader()
    try:
        searcher = searcher_of(workspace.home, manifest, reader)
        results = asked(workspace, searcher, judged, manifest)
        with workspace.home.encoder(manifest.model).keeping_queries():
            known = _known_items(searcher, manifest, workspace.settings.floor_known_items)
        calibration = calibration_now(searcher, judged, manifest)
    finally:
        reader.close()
    against_live = _against_live(workspace, sets, results.get("hybrid"))
    regression = Finding(None, {"queries": 0})
    if against_live is not None:
        live, compared = against_live
        problem = compared.problem(workspace.settings.regression_tolerance)
        evidence: dict[str, Json] = {"live": live, **compared.evidence(), "worst": list(compared.losers())}
        regression = Finding(f"{problem} against live release {live}" if problem else None, evidence)
    findings = {
        "golden_sets_resolve": _resolve([*judged, *judge_golden(workspace.lake, workspace.training_sets, manifest)]),
        "known_items_found": known,
        "confidence_calibrated": _calibrated(calibration, searcher.ranking.confidence),
        "golden_floor": _floor(results.get("hybrid"), workspace.settings.floor_ndcg),
        "golden_regression": regression,
    }
    scores: dict[str, Json] = {
        "queries": sum(len(one.resolved.qrels) for one in judged),
        "modes": {mode: result.summary(ALL_MEASURES) for mode, result in results.items()},
        "by": by_group(judged, results),
        "against_arms": against_arms(results),
        "probed": _probed(results.get("hybrid")),
        "against_live": regression.evidence,
        "known_items": known.evidence,
        "calibration": calibration.model_dump(mode="json") if calibration else None,
    }
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
    return Evaluation(scores, verdicts, worst_queries(results, WORST_SHOWN))


def asked(workspace: Workspace, searcher: Searcher, judged: Sequence[Judged], manifest: Manifest) -> dict[Mode, ModeResult]:
    """Every judged query in every mode; nothing where there is none. Each mode encodes its queries itself: its cost is told."""
    queries = sum(len(one.resolved.qrels) for one in judged)
    if not queries:
        return {}
    workspace.progress.start("evaluating", queries * len(MODES))
    everyone = everyone_of(manifest)  # each golden set is asked as its own tenant
    results = {mode: ask(searcher, judged, mode, manifest.revision, everyone, workspace.progress.advance) for mode in MODES}
    workspace.progress.finish()
    return results


def _known_items(searcher: Searcher, manifest: Manifest, floor: float) -> Finding:
    items = known_items(searcher.reader, manifest.revision, KNOWN_ITEMS)

    def best(item: KnownItem, mode: Mode) -> list[Payload]:
        everyone = everyone_of(manifest, item.tenant)
        return [payload for payload, _ in searcher.rank_passages(item.sentence, mode, manifest.revision, everyone, TOP)]

    lost = lost_by_mode(items, MODES, best)
    found = {mode: 1 - len(of_mode) / len(items) for mode, of_mode in lost.items()} if items else {}
    below = [f"{mode} finds {share:.0%}" for mode, share in found.items() if share < floor]
    problem = f"{' and '.join(below)} of {len(items)} known items, below the floor of {floor:.0%}" if below else None
    evidence: dict[str, Json] = {"items": len(items), "floor": floor}
    evidence |= {mode: {"found": round(found[mode], 4), "lost": [item.chunk_id for item in lost[mode][:STALE_SHOWN]]} for mode in found}
    return Finding(problem, evidence)


def calibration_now(searcher: Searcher, judged: Sequence[Judged], manifest: Manifest) -> Calibration | None:
    """Of the confidence that answers are given: out of fold where this revision learned it, else measured on its answers."""
    learned, tuned = searcher.ranking.confidence, searcher.ranking.tuned
    if learned is None:
        return None
    if tuned is not None and tuned.revision == manifest.revision:
        return learned.calibration
    return calibration_of(learned, searcher, judged, manifest)


def _calibrated(found: Calibration | None, learned: Confidence | None) -> Finding:
    if found is None or learned is None:
        return Finding(None, {"queries": 0})
    evidence: dict[str, Json] = {**found.model_dump(mode="json"), "stated": learned.stated}
    if learned.stated and found.ece > MOST_ECE:
        return Finding(f"stated confidence and truth are {found.ece:.3f} apart on average ({found.queries} queries)", evidence)
    return Finding(None, evidence)


def _resolve(judged: Sequence[Judged]) -> Finding:
    stale = [f"{one.golden.name}/{s.query}: {s.document}: {s.reason}" for one in judged for s in one.resolved.stale]
    problem = f"{len(stale)} judgements are stale" if stale else None
    return Finding(problem, {"stale": len(stale), "which": list(stale[:STALE_SHOWN])})


def _probed(hybrid: ModeResult | None) -> dict[str, Json]:
    """nDCG@10 of the queries that probes of the running service ask."""
    values = hybrid.values["ndcg@10"] if hybrid else {}
    return {name: round(values[name], 5) for name in sampled(values)}


def _floor(hybrid: ModeResult | None, floor: float) -> Finding:
    if hybrid is None:
        return Finding(None, {"queries": 0})
    values = list(hybrid.values["ndcg@10"].values())
    mean = sum(values) / len(values)
    problem = f"nDCG@10 is {mean:.3f}, below the floor of {floor:.2f}" if mean < floor else None
    return Finding(problem, {"queries": len(values), "ndcg@10": round(mean, 5), "floor": floor})


def _against_live(workspace: Workspace, sets: Sequence[GoldenSet], hybrid: ModeResult | None) -> tuple[int, Comparison] | None:
    """The live release and how the candidate compares with it, asked of it now; None where there is nothing to compare."""
    live = workspace.home.catalog.pointer().live
    if live is None or hybrid is None:
        return None
    loaded = open_release(workspace.home, workspace.home.catalog.release(live))
    try:
        before = ask(loaded.searcher, judge_golden(workspace.lake, sets, loaded.manifest), "hybrid", live, everyone_of(loaded.manifest))
    finally:
        loaded.close()
    return live, compare(before, hybrid)
