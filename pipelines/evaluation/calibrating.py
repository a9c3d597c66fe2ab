"""What a candidate's ranking learns of how sure its answers may be, from judged queries and from questions on other matters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipelines.evaluation.judged_sets import everyone_of
from quality_checks.calibration import Labels, Matrix, calibration, enough_to_learn, learn, measure, worth_stating
from quality_checks.evaluation import SEED, Judged
from quality_checks.off_topic import QUESTIONS
from search_index.confidence import SIGNALS, Calibration, Confidence
from search_index.model.release import Manifest
from search_index.searcher import Searcher


def learned_confidence(searcher: Searcher, judged: Sequence[Judged], manifest: Manifest) -> Confidence | None:
    """Ask the judged queries and the questions on other matters, and learn from the answers; None where too little is judged."""
    found, relevant = _answers(searcher, judged, manifest)
    if not enough_to_learn(relevant):
        return None
    elsewhere = _elsewhere(searcher, judged, manifest)
    measured = measure(found, relevant, elsewhere, SEED)
    return learn(found, relevant, elsewhere).model_copy(update={"calibration": measured, "stated": worth_stating(measured)})


def calibration_of(learned: Confidence, searcher: Searcher, judged: Sequence[Judged], manifest: Manifest) -> Calibration | None:
    """How far what an earlier release learned holds for this one's answers; None where too little is judged to say."""
    found, relevant = _answers(searcher, judged, manifest)
    return calibration(learned, found, relevant, _elsewhere(searcher, judged, manifest)) if enough_to_learn(relevant) else None


def _answers(searcher: Searcher, judged: Sequence[Judged], manifest: Manifest) -> tuple[Matrix, Labels]:
    """Signals of each judged query's answer, and whether its first passage is relevant.

    A query that finds nothing says so by itself, and teaches nothing.
    """
    signals: list[tuple[float, ...]] = []
    relevant: list[bool] = []
    for one in judged:
        everyone = everyone_of(manifest, one.golden.tenant)
        for query in one.golden.queries:
            if query.id not in one.resolved.qrels:
                continue
            answer = searcher.first_with_signals(query.query, manifest.revision, everyone)
            if answer is None:
                continue
            first, said = answer
            place = (int(str(first["start"])), int(str(first["end"])))
            signals.append(said)
            relevant.append(bool(one.resolved.relevant_units(query.id, str(first["uri"]), place)))
    return _matrix(signals), np.array(relevant, dtype=np.bool_)


def _elsewhere(searcher: Searcher, judged: Sequence[Judged], manifest: Manifest) -> Matrix:
    everyone = [everyone_of(manifest, tenant) for tenant in sorted({one.golden.tenant for one in judged})]
    answers = (searcher.first_with_signals(question, manifest.revision, each) for each in everyone for question in QUESTIONS)
    return _matrix([answer[1] for answer in answers if answer is not None])


def _matrix(rows: Sequence[tuple[float, ...]]) -> Matrix:
    return np.array(rows, dtype=np.float64).reshape(len(rows), len(SIGNALS))
