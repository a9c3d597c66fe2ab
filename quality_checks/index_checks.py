"""Checks on a staged index: that it holds what the tables hold, for whom it should, and that both arms find it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import JsonValue as Json

from quality_checks.gates import CANDIDATE, CANDIDATE_CHECKS, candidate_inputs
from search_index.bm25 import Bm25Settings
from search_index.engine.interface import IndexReader, Visibility
from search_index.model.release import Manifest, Verdict
from search_index.model.search import OPEN_END

EXAMPLES = 20
PROBES = 10
"""How many chunks each arm is asked about."""
YARDSTICK_CHUNKS = 20_000
"""rank-bm25 keeps a dictionary a chunk: above this many chunks it is given the first so many, and the arm is asked among those."""


@dataclass(frozen=True)
class ExpectedChunk:
    """What the tables say of one chunk."""

    vector_key: str
    access: tuple[str, ...]


@dataclass(frozen=True)
class Finding:
    """What a check found: no problem, or one in a sentence; counts and ids as evidence."""

    problem: str | None
    evidence: dict[str, Json]


def check_index(manifest: Manifest, reader: IndexReader, expected: Mapping[str, ExpectedChunk], run_id: str) -> list[Verdict]:
    """A verdict of each check on the candidate's index.

    Args:
        reader: the candidate's own.
        expected: every chunk of every source at the table versions that the manifest pins, by chunk id.
    """
    ledger = reader.ledger()
    current = ledger.filter(pc.equal(ledger["valid_to"], OPEN_END))
    everyone = frozenset(group for groups in current["access"].to_pylist() for group in groups)
    visibility = Visibility(manifest.revision, everyone)
    checks: dict[str, Callable[[], Finding]] = {
        "index_reconciled": lambda: reconciled(current, expected, reader.count(visibility)),
        "access_on_every_point": lambda: access_on_every_point(current),
        "sparse_agrees_with_rank_bm25": lambda: sparse_agrees_with_rank_bm25(current, reader, visibility),
        "dense_finds_itself": lambda: dense_finds_itself(current, reader, visibility),
    }
    verdicts = []
    for check in CANDIDATE_CHECKS:
        found = checks[check.name]()
        verdicts.append(
            Verdict(
                check=check.name,
                subject=CANDIDATE,
                inputs=candidate_inputs(manifest, check.code),
                outcome="failed" if found.problem else "passed",
                severity=check.severity,
                summary=found.problem or check.description,
                evidence=found.evidence,
                run_id=run_id,
            )
        )
    return verdicts


def reconciled(current: pa.Table, expected: Mapping[str, ExpectedChunk], visible: int) -> Finding:
    """The current points are the tables' chunks, each once, with the same vector and access; all with access are searchable."""
    columns = [current[c].to_pylist() for c in ("chunk_id", "vector_key", "access")]
    found = {chunk: ExpectedChunk(key, tuple(access)) for chunk, key, access in zip(*columns, strict=True)}
    wrong = {
        "missing": sorted(expected.keys() - found.keys()),
        "unexpected": sorted(found.keys() - expected.keys()),
        "different": sorted(c for c in expected.keys() & found.keys() if expected[c] != found[c]),
    }
    doubled = current.num_rows - len(found)
    reachable = sum(bool(f.access) for f in found.values())
    problems = [f"{len(ids)} chunks are {what}" for what, ids in wrong.items() if ids]
    problems += [f"{doubled} chunks stand twice"] if doubled else []
    problems += [f"{visible} points can be searched, {reachable} should be"] if visible != reachable and not doubled else []
    evidence: dict[str, Json] = {"points": current.num_rows, "chunks": len(expected), "searchable": visible}
    evidence |= {what: list(ids[:EXAMPLES]) for what, ids in wrong.items() if ids}
    return Finding("; ".join(problems) or None, evidence)


def access_on_every_point(current: pa.Table) -> Finding:
    """A point that names no group can be read by nobody; it is a mistake of whoever wrote it."""
    bare = current.filter(pc.equal(pc.list_value_length(current["access"]), 0))["chunk_id"].to_pylist()
    problem = f"{len(bare)} of {current.num_rows} points name no group" if bare else None
    return Finding(problem, {"points": current.num_rows, "without": len(bare), "ids": sorted(bare)[:EXAMPLES]})


def sparse_agrees_with_rank_bm25(current: pa.Table, reader: IndexReader, visibility: Visibility) -> Finding:
    """The sparse arm gives the chunks of its first ten the scores that rank-bm25 gives them, and rank-bm25 knows none better.

    Each probe asks for the rarest terms of one chunk. Scores may differ by a thousandth: the index keeps 32-bit floats.
    """
    considered = current.slice(0, YARDSTICK_CHUNKS)
    if considered.num_rows == 0:
        return Finding(None, {"probes": 0})
    statistics = reader.statistics(visibility.revision)
    term_ids = [np.asarray(ids, dtype=np.uint32) for ids in considered["term_ids"].to_pylist()]
    term_counts = [np.asarray(counts, dtype=np.uint32) for counts in considered["term_counts"].to_pylist()]
    points = considered["point_id"].to_pylist()
    whole = considered.num_rows == current.num_rows
    yardstick = _rank_bm25(term_ids, term_counts, reader.bm25)
    wrong = []
    probes = [i for i in _evenly(len(points), PROBES) if len(term_ids[i])]
    for i in probes:
        idf = statistics.idf(term_ids[i])
        rarest = term_ids[i][np.argsort(-idf, kind="stable")[:8]]
        weights = statistics.idf(rarest).astype(np.float32)
        # rank-bm25's document frequencies are those of the chunks it was given; with all of them they must be ours as well.
        reference = yardstick(rarest, None if whole else statistics.idf(rarest))
        order = np.argsort(-reference, kind="stable")[:PROBES]
        exact = reader.sparse_scores(rarest, weights, [points[j] for j in order])
        answered = reader.sparse(rarest, weights, visibility, PROBES)
        agrees = np.allclose(exact, reference[order], rtol=1e-3, atol=1e-3)
        if whole:
            best = np.sort(answered.scores)[::-1]
            agrees = agrees and np.allclose(best, reference[order][reference[order] > 0][: len(best)], rtol=1e-3, atol=1e-3)
        if not agrees:
            wrong.append(points[i])
    problem = f"{len(wrong)} of {len(probes)} probes are scored differently" if wrong else None
    return Finding(problem, {"probes": len(probes), "chunks": len(points), "disagreeing": wrong[:EXAMPLES]})


def _rank_bm25(
    term_ids: list[np.ndarray], term_counts: list[np.ndarray], settings: Bm25Settings
) -> Callable[[np.ndarray, np.ndarray | None], np.ndarray]:
    from rank_bm25 import BM25Okapi

    class Lucene(BM25Okapi):  # type: ignore[misc]
        """Okapi with Lucene's IDF, which is never negative."""

        def _calc_idf(self, nd: dict[int, int]) -> None:
            self.idf = {term: math.log(1 + (self.corpus_size - n + 0.5) / (n + 0.5)) for term, n in nd.items()}

    corpus = [np.repeat(ids, counts).tolist() for ids, counts in zip(term_ids, term_counts, strict=True)]
    model = Lucene(corpus, k1=settings.k1, b=settings.b)
    model.avgdl = settings.avgdl

    def scores(terms: np.ndarray, idf: np.ndarray | None) -> np.ndarray:
        if idf is not None:
            model.idf.update(zip(terms.tolist(), idf.tolist(), strict=True))
        return np.asarray(model.get_scores(terms.tolist()))

    return scores


def dense_finds_itself(current: pa.Table, reader: IndexReader, visibility: Visibility) -> Finding:
    """A point asked for with its own vector comes back, or one whose vector is the same."""
    readable = current.filter(pc.greater(pc.list_value_length(current["access"]), 0))
    points, keys = readable["point_id"].to_pylist(), readable["vector_key"].to_pylist()
    probes = _evenly(len(points), PROBES)
    lost = []
    for i in probes:
        vector = reader.vectors([points[i]])[0]
        answered = reader.dense(vector, visibility, PROBES)
        if points[i] not in answered.ids and not (len(answered.scores) and float(answered.scores[0]) > 0.9999 and np.any(vector)):
            lost.append(points[i])
    problem = f"{len(lost)} of {len(probes)} chunks are not found by their own vector" if lost else None
    return Finding(problem, {"probes": len(probes), "vectors": len(set(keys)), "lost": lost[:EXAMPLES]})


def _evenly(count: int, wanted: int) -> list[int]:
    return sorted({round(x) for x in np.linspace(0, count - 1, min(count, wanted))}) if count else []
