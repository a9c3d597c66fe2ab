"""Drift of one source: the live release held against an older one, its freshness against its promise, its vectors against the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import numpy as np
import pyarrow.dataset as ds
from pydantic import JsonValue as Json

from pipelines.automation.freshness import freshness_of
from pipelines.lane.probing import encoder_texts
from pipelines.reports.baseline import SourceRows, baseline_of, points_of, source_rows
from pipelines.workspace import Workspace
from quality_checks.drift import AccessShift, Shift, access_shift, count_shift, distribution_shift, share_shift
from quality_checks.drift_resampling import vector_shift, vocabulary_shift
from quality_checks.finding import Finding
from quality_checks.probes import PRECISE_FROM, made_again, probed
from search_index.errors import ModelMismatch
from search_index.home import Home, trusted_manifest
from search_index.model.release import Manifest

Family = Literal["volume", "lengths", "languages", "vocabulary", "vectors", "access", "freshness", "model"]
FAMILIES: Mapping[Family, str] = {
    "volume": "The source holds about as many documents, of about as many bytes and passages.",
    "lengths": "Its passages are about as long.",
    "languages": "Its documents are in the same languages, in about the same shares.",
    "vocabulary": "Its documents use about the same words.",
    "vectors": "Its passages lie in about the same places of the embedding.",
    "access": "The same groups may read about the same shares of it.",
    "freshness": "The live release is as fresh as the contract promises.",
    "model": "Passages embedded again today give the stored vectors.",
}


@dataclass(frozen=True)
class SourceDrift:
    """What was found for one source. A family is missing from ``findings`` where there was nothing to compare: ``missing`` says why."""

    source: str
    live: int | None
    baseline: int | None
    findings: Mapping[Family, Finding]
    missing: str = ""
    shifts: Sequence[Shift] = ()
    now: SourceRows | None = None
    before: SourceRows | None = None

    @property
    def drifted(self) -> dict[Family, str]:
        """What drifted, and how."""
        return {family: found.problem for family, found in self.findings.items() if found.problem}


@dataclass
class _Compared:
    findings: dict[Family, Finding]
    shifts: list[Shift] = field(default_factory=list)


def drift_of(workspace: Workspace, source: str, at: datetime) -> SourceDrift:
    """Look for drift of one source. Reads only: no lease is needed, and nothing is written.

    Args:
        at: the day decides which passages are embedded again, so that a week of looks probes other ones each day.

    Errors:
        ReleaseUntrusted: the live or the older release is not what was signed.
        HomeDamaged: tables or index cannot be read.
    """
    home = workspace.home
    live = home.catalog.pointer().live
    if live is None:
        return SourceDrift(source, None, None, {}, "nothing is published yet")
    record = home.catalog.release(live)
    manifest = trusted_manifest(home, record)
    if source not in manifest.sources:
        return SourceDrift(source, live, None, {}, f"release {live} holds nothing of it")
    alone: dict[Family, Finding] = {
        "freshness": _freshness(workspace, source),
        "model": _model(workspace, manifest, source, f"{at:%Y-%m-%d}"),
    }
    older = baseline_of(home, record, source)
    if older is None:
        return SourceDrift(source, live, None, alone, f"no release before {live} is kept that holds it")
    baseline = trusted_manifest(home, older)
    now, before = (_rows(home, workspace, each, source) for each in (manifest, baseline))
    compared = compare(before, now)
    return SourceDrift(source, live, older.revision, compared.findings | alone, "", compared.shifts, now, before)


def compare(before: SourceRows, now: SourceRows) -> _Compared:
    """The families that need two releases."""
    looks: dict[Family, Callable[[], list[Shift]]] = {
        "volume": lambda: [
            count_shift("documents", before.documents, now.documents),
            distribution_shift("bytes a document", before.sizes, now.sizes),
            distribution_shift("passages a document", before.passages_each, now.passages_each),
        ],
        "lengths": lambda: [distribution_shift("tokens a passage", before.tokens, now.tokens)],
        "languages": lambda: [share_shift("documents by language", before.languages, now.languages)],
        "vocabulary": lambda: [vocabulary_shift("words of documents", before.terms, now.terms)],
        "vectors": lambda: [vector_shift("vectors of passages", before.vectors, now.vectors)],
    }
    compared = _Compared({})
    for family, look in looks.items():
        shifts = look()
        drifted = [shift.says for shift in shifts if shift.drifted]
        compared.shifts += shifts
        compared.findings[family] = Finding("; ".join(drifted) or None, {"shifts": [shift.evidence() for shift in shifts]})
    compared.findings["volume"].evidence.update(
        {
            "documents_before": before.documents,
            "documents_now": now.documents,
            "passages_before": before.passages,
            "passages_now": now.passages,
            "bytes_before": int(before.sizes.sum()),
            "bytes_now": int(now.sizes.sum()),
        }
    )
    compared.findings["access"] = _access(access_shift(before.groups, now.groups, before.passages, now.passages))
    return compared


def _rows(home: Home, workspace: Workspace, manifest: Manifest, source: str) -> SourceRows:
    with points_of(home, manifest) as (_, points):
        return source_rows(workspace.lake, manifest, source, points)


def _access(shift: AccessShift) -> Finding:
    moved: dict[str, Json] = {group: round(by, 4) for group, by in shift.moved.items()}
    evidence: dict[str, Json] = {"gained": [*shift.gained], "lost": [*shift.lost], "moved": moved, "effect": round(shift.effect, 4)}
    if not shift.drifted:
        return Finding(None, evidence)
    said = [
        f"{group} reads {shift.now.get(group, 0):.0%} of the passages, and read {shift.before.get(group, 0):.0%}" for group in shift.moved
    ]
    return Finding("; ".join(said[:5]), evidence)


def _freshness(workspace: Workspace, source: str) -> Finding:
    found = next((each for each in freshness_of(workspace.home.catalog, workspace.contracts) if each.source == source), None)
    if found is None or found.lag_s is None:
        return Finding("the live release is not known to have held what the source held", {})
    evidence: dict[str, Json] = {"lag_s": round(found.lag_s), "sla_s": found.sla_s and round(found.sla_s)}
    problem = f"{found.lag_s / 3600:.1f} hours old, and {(found.sla_s or 0) / 3600:.1f} are promised" if found.stale else None
    return Finding(problem, evidence)


def _model(workspace: Workspace, manifest: Manifest, source: str, day: str) -> Finding:
    """A few passages of the live release, embedded again with the model that it pins, as that runs today."""
    pin, lake = manifest.sources[source], workspace.lake
    keys = sorted(set(lake.read_source("chunks", source, columns=["vector_key"], version=pin.chunks.version)["vector_key"].to_pylist()))
    chosen = probed(keys, keys, f"{day} {pin.vectors.digest}")
    stored = lake.vectors(chosen, version=pin.vectors.version)
    where = (ds.field("source") == source) & ds.field("vector_key").isin(chosen)
    texts = encoder_texts(lake.read("chunks", columns=["vector_key", "header", "text"], where=where, version=pin.chunks.version))
    try:
        again = workspace.home.encoder(manifest.model).encode([texts[key] for key in chosen]) if chosen else np.empty((0, 0), np.float32)
    except ModelMismatch as error:
        return Finding(error.what, {"rows": len(chosen)})
    none = np.empty(0, np.float32)
    return made_again(chosen, [np.frombuffer(stored[key], np.float32) if key in stored else none for key in chosen], again, PRECISE_FROM)
