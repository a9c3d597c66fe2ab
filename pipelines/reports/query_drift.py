"""Drift of what people ask: the queries of the last week held against those of the four weeks before, from the query log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import numpy as np

from pipelines.workspace import Workspace
from quality_checks.drift import Sample, Shift, count_shift, distribution_shift, share_shift
from quality_checks.drift_resampling import VECTORS, QueryWindow, query_shifts, terms_of
from quality_checks.finding import Finding
from search_index.bm25 import count_terms
from search_index.home import trusted_manifest
from search_index.model.release import Manifest
from search_index.model.usage import LoggedQuery

QueryFamily = Literal["volume", "wording", "meaning", "outcome"]
QUERY_FAMILIES: Mapping[QueryFamily, str] = {
    "volume": "About as many queries came as in the week before.",
    "wording": "Queries are about as long, and in the same modes.",
    "meaning": "Queries lie about as near to what is indexed, and, where their words are kept, use about the same ones.",
    "outcome": "About the same shares of answers are sure, unsure, unanswerable and empty.",
}
RECENT, BEFORE = timedelta(days=7), timedelta(days=28)
LEAST = 30
"""Fewer queries in a week say nothing of how people ask."""


@dataclass(frozen=True)
class QueryDrift:
    """What was found. ``missing`` says why nothing was compared, where nothing was."""

    before: int
    now: int
    findings: Mapping[QueryFamily, Finding]
    shifts: Sequence[Shift] = ()
    missing: str = ""

    @property
    def drifted(self) -> dict[str, str]:
        """What drifted, and how."""
        return {family: found.problem for family, found in self.findings.items() if found.problem}


def query_drift(workspace: Workspace, at: datetime) -> QueryDrift:
    """Look for drift of the queries up to an instant. Reads only.

    Errors:
        ReleaseUntrusted: the live release, whose model reads the queries whose words are kept, is not what was signed.
    """
    home = workspace.home
    now = home.catalog.queries_between(at - RECENT, at)
    earlier = home.catalog.queries_between(at - RECENT - BEFORE, at - RECENT)
    if min(len(now), len(earlier)) < LEAST:
        kept = "No log of queries is kept" if workspace.settings.query_log == "off" else "Too few queries are logged"
        return QueryDrift(len(earlier), len(now), {}, missing=f"{kept}: {len(earlier)} before and {len(now)} in the last week")
    last_week = [query for query in earlier if query.at >= at - 2 * RECENT]
    live = home.catalog.pointer().live
    manifest = trusted_manifest(home, home.catalog.release(live)) if live is not None else None
    looks: dict[QueryFamily, list[Shift]] = {
        "volume": [count_shift("queries a week", len(last_week), len(now))],
        "wording": [
            distribution_shift("terms a query", *(_numbers(each, "terms") for each in (earlier, now))),
            share_shift("queries by mode", *(_tally(query.mode for query in each) for each in (earlier, now))),
        ],
        "meaning": [
            distribution_shift("cosine of the nearest passage", *(_numbers(each, "best_cosine") for each in (earlier, now))),
            *_of_words(workspace, manifest, earlier, now),
        ],
        "outcome": [
            distribution_shift("stated confidence", *(_numbers(each, "confidence") for each in (earlier, now))),
            share_shift("answers by outcome", *(_tally(query.worth_a_look or "sure" for query in each) for each in (earlier, now))),
        ],
    }
    findings = {
        family: Finding(
            "; ".join(shift.says for shift in shifts if shift.drifted) or None, {"shifts": [shift.evidence() for shift in shifts]}
        )
        for family, shifts in looks.items()
    }
    return QueryDrift(len(earlier), len(now), findings, [shift for shifts in looks.values() for shift in shifts])


def _numbers(queries: Sequence[LoggedQuery], name: Literal["terms", "best_cosine", "confidence"]) -> Sample:
    """One figure of each query that has it."""
    return np.array([value for query in queries if (value := getattr(query, name)) is not None], dtype=np.float64)


def _tally(values: Iterable[str]) -> Counter[str]:
    return Counter(values)


def _of_words(workspace: Workspace, manifest: Manifest | None, earlier: Sequence[LoggedQuery], now: Sequence[LoggedQuery]) -> list[Shift]:
    """Vocabulary and vectors of the queries whose words are kept; nothing where too few are."""
    texts = [[query.text for query in each if query.text is not None] for each in (earlier, now)]
    if manifest is None or min(map(len, texts)) < LEAST:
        return []
    encoder, language = workspace.home.encoder(manifest.model), str(manifest.bm25.get("language", "english"))
    windows = []
    for some in texts:
        sample = some[:: -(-len(some) // VECTORS)]
        vectors = np.array([encoder.encode_query(text) for text in sample], dtype=np.float32)
        counted = [count_terms(text, language) for text in sample]
        terms = terms_of([dict(zip(each.ids.tolist(), each.counts.tolist(), strict=True)) for each in counted])
        windows.append(QueryWindow(vectors, terms))
    # How many there are is looked at in the log itself, not in the samples.
    return query_shifts(*windows)[1:]
