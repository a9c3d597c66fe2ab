"""Checks on a staged index: that it holds what the tables hold, for whom it should, and that both arms find it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import JsonValue as Json

from quality_checks.arm_checks import (
    Staged,
    dense_arm_complete,
    dense_finds_itself,
    dense_recall,
    sparse_agrees_with_rank_bm25,
    sparse_arm_complete,
    terms_are_the_texts,
)
from quality_checks.finding import EXAMPLES, Finding, share_of
from quality_checks.gates import CANDIDATE, CANDIDATE_CHECKS, candidate_inputs
from search_index.engine.interface import IndexReader, Payload
from search_index.errors import PlumblineError
from search_index.model.document import sha256
from search_index.model.release import Manifest, Verdict
from search_index.model.search import OPEN_END

__all__ = ["ExpectedChunk", "ExpectedIndex", "Finding", "check_index"]
_PORTION = 1000


@dataclass(frozen=True)
class ExpectedChunk:
    """What the tables and the source's pin say of one chunk. ``text_sha256`` is of the text in its payload."""

    vector_key: str
    access: tuple[str, ...]
    source: str
    tenant: str
    document_id: str
    start: int
    end: int
    text_sha256: str


@dataclass(frozen=True)
class ExpectedIndex:
    """What the tables say, at the versions that the manifest pins: every chunk by its id, and vectors by their keys, float32 bytes."""

    chunks: Mapping[str, ExpectedChunk]
    vectors: Callable[[Sequence[str]], Mapping[str, memoryview]]


def check_index(manifest: Manifest, reader: IndexReader, expected: ExpectedIndex, run_id: str) -> list[Verdict]:
    """A verdict of each check on the candidate's index.

    Ids and counts are held against the tables for all points, from the ledger; what a point stores is read back for those that this
    revision added.

    Args:
        reader: the candidate's own.
        expected: of every source.
    """
    staged = staged_index(manifest, reader)
    checks: dict[str, Callable[[], Finding]] = {
        "index_reconciled": lambda: reconciled(
            staged.current, expected.chunks, sum(reader.count(staged.seen_by(tenant)) for tenant in staged.tenants)
        ),
        "access_on_every_point": lambda: access_on_every_point(staged.current),
        "payloads_exact": lambda: payloads_exact(staged, expected.chunks),
        "dense_arm_complete": lambda: dense_arm_complete(staged, expected.vectors),
        "dense_finds_itself": lambda: dense_finds_itself(staged),
        "dense_recall_at_10": lambda: dense_recall(staged),
        "sparse_arm_complete": lambda: sparse_arm_complete(staged),
        "terms_are_the_texts": lambda: terms_are_the_texts(staged),
        "sparse_agrees_with_rank_bm25": lambda: sparse_agrees_with_rank_bm25(staged),
    }
    verdicts = []
    for check in CANDIDATE_CHECKS:
        found = _found(checks[check.name])
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


def staged_index(manifest: Manifest, reader: IndexReader) -> Staged:
    """The points of a staged index that are valid in it, and those of them that it added."""
    ledger = reader.ledger()
    current = ledger.filter(pc.equal(ledger["valid_to"], OPEN_END))
    everyone = frozenset(group for groups in current["access"].to_pylist() for group in groups)
    changed = current.filter(pc.equal(current["valid_from"], manifest.revision))
    return Staged(reader, manifest.revision, everyone, current, changed)


def _found(check: Callable[[], Finding]) -> Finding:
    """What a check finds; an index that cannot be asked has failed it."""
    try:
        return check()
    except PlumblineError as error:
        return Finding(f"the index cannot be asked: {error.what}", {})


def reconciled(current: pa.Table, expected: Mapping[str, ExpectedChunk], visible: int) -> Finding:
    """The current points are the tables' chunks, each once, with the same vector, tenant and access; all with access are searchable.

    Args:
        visible: how many points the tenants see, each its own.
    """
    columns = [current[c].to_pylist() for c in ("chunk_id", "vector_key", "tenant", "access")]
    found = {chunk: (key, tenant, tuple(access)) for chunk, key, tenant, access in zip(*columns, strict=True)}
    wrong = {
        "missing": sorted(expected.keys() - found.keys()),
        "unexpected": sorted(found.keys() - expected.keys()),
        "different": sorted(c for c, e in expected.items() if c in found and found[c] != (e.vector_key, e.tenant, e.access)),
    }
    doubled = current.num_rows - len(found)
    reachable = sum(bool(access) for *_, access in found.values())
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


def payloads_exact(staged: Staged, expected: Mapping[str, ExpectedChunk]) -> Finding:
    """Every added point, read back, is of the tables' document, span, text and access: what is shown is what was checked."""
    points, chunks = (staged.changed[name].to_pylist() for name in ("point_id", "chunk_id"))
    wrong: list[str] = []
    for start in range(0, len(points), _PORTION):
        stored = staged.reader.payloads(points[start : start + _PORTION])
        for point, chunk in zip(points[start : start + _PORTION], chunks[start : start + _PORTION], strict=True):
            if chunk not in expected or point not in stored or _told(stored[point]) != expected[chunk]:
                wrong.append(point)
    problem = f"{len(wrong)} of {len(points)} points say something else than the tables" if wrong else None
    evidence: dict[str, Json] = {"rows": len(points), "failed": len(wrong), "percent": share_of(len(wrong), len(points))}
    return Finding(problem, evidence | {"ids": [*sorted(wrong)[:EXAMPLES]]})


def _told(payload: Payload) -> ExpectedChunk:
    access = payload.get("access")
    return ExpectedChunk(
        vector_key=str(payload.get("vector_key")),
        access=tuple(str(group) for group in access) if isinstance(access, list) else (),
        source=str(payload.get("source")),
        tenant=str(payload.get("tenant")),
        document_id=str(payload.get("document_id")),
        start=_whole(payload.get("start")),
        end=_whole(payload.get("end")),
        text_sha256=sha256(str(payload.get("text"))),
    )


def _whole(value: Json) -> int:
    return value if isinstance(value, int) else -1
