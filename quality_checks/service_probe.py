"""Golden queries as a probe asks them of the running service: which, and what the answers are worth."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue as Json

from quality_checks.evaluation import DEPTH, Judged
from quality_checks.metrics import MEASURES, evaluate_run, units_run
from quality_checks.resolution import Resolved
from search_index.model.search import SearchAnswer

MOST = 100
"""Queries that one probe asks."""


def sampled(names: Iterable[str], most: int = MOST) -> list[str]:
    """Some of the queries, named ``set/query``: the same each time, and as far as they are still there the same of another release."""
    return sorted(names, key=lambda name: hashlib.sha256(name.encode()).digest())[:most]


@dataclass(frozen=True)
class Asked:
    """One golden query. ``by_passage`` says on which ranking it is judged, as ``quality_checks.evaluation`` judges it."""

    name: str
    id: str
    query: str
    by_passage: bool
    resolved: Resolved

    def body(self) -> dict[str, Json]:
        """What is sent: as deep a ranking as a release is evaluated on."""
        return {"query": self.query, "limit": DEPTH} if self.by_passage else {"query": self.query, "limit": DEPTH, "group_by": "document"}

    def ranking(self, answer: SearchAnswer) -> list[tuple[str, float]]:
        """The answer as a ranking of what is judged."""
        if self.by_passage:
            return units_run(answer.hits, self.resolved, self.id)
        return [(hit.uri, hit.score) for hit in answer.hits]


def to_ask(judged: Sequence[Judged], tenant: str, most: int = MOST) -> list[Asked]:
    """Queries of a tenant's sets that have a judgement left in what a release holds, at most so many."""
    found = {
        f"{one.golden.name}/{query.id}": Asked(
            f"{one.golden.name}/{query.id}",
            query.id,
            query.query,
            any(unit.places for unit in one.resolved.units[query.id]),
            one.resolved,
        )
        for one in judged
        if one.golden.tenant == tenant
        for query in one.golden.queries
        if query.id in one.resolved.qrels
    }
    return [found[name] for name in sampled(found, most)]


def measured(answers: Sequence[tuple[Asked, SearchAnswer]]) -> dict[str, dict[str, float]]:
    """Each measure's value for each query that was answered, as ``evaluate_run`` has it."""
    run = {asked.name: asked.ranking(answer) for asked, answer in answers}
    return evaluate_run(run, {asked.name: asked.resolved.qrels[asked.id] for asked, _ in answers}, MEASURES)


def recorded_of(scores: Mapping[str, Json], names: Collection[str]) -> dict[str, float]:
    """nDCG@10 by query, as a release recorded it when it was evaluated; of those it recorded."""
    found = scores.get("probed")
    by_query = found if isinstance(found, dict) else {}
    return {name: float(value) for name in names if isinstance(value := by_query.get(name), int | float)}


def recorded_mean(scores: Mapping[str, Json]) -> float | None:
    """nDCG@10 of a hybrid search over all golden queries, as a release recorded it; None where it did not."""
    found: Json = dict(scores)
    for step in ("modes", "hybrid", "ndcg@10", "value"):
        found = found.get(step) if isinstance(found, dict) else None
    return float(found) if isinstance(found, int | float) else None
