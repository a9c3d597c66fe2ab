"""What an evaluation found, taken apart: by source, by tag, by arm, and query by query with the worst first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from pydantic import JsonValue as Json

from quality_checks.comparison import MEASURE, compare
from quality_checks.evaluation import Judged, ModeResult, mean_of
from quality_checks.metrics import MEASURES
from search_index.model.search import Mode


def groups_of(judged: Sequence[Judged]) -> dict[str, dict[str, list[str]]]:
    """The judged queries by ``source`` and by ``tag``; a query that asks about two sources counts in both."""
    found: dict[str, dict[str, list[str]]] = {"source": defaultdict(list), "tag": defaultdict(list)}
    for one in judged:
        for query in one.golden.queries:
            units = one.resolved.units.get(query.id, ())
            if not units:
                continue
            name = f"{one.golden.name}/{query.id}"
            for source in sorted({unit.document.partition(":")[0] for unit in units}):
                found["source"][source].append(name)
            for tag in query.tags:
                found["tag"][tag].append(name)
    return {kind: dict(sorted(names.items())) for kind, names in found.items()}


def by_group(judged: Sequence[Judged], results: Mapping[Mode, ModeResult]) -> dict[str, Json]:
    """Means with intervals for each source and tag, in every mode that was asked."""
    return {
        kind: {name: _group(queries, results) for name, queries in groups.items()} for kind, groups in groups_of(judged).items() if groups
    }


def _group(queries: Sequence[str], results: Mapping[Mode, ModeResult]) -> Json:
    modes: dict[str, Json] = {
        mode: {measure: mean_of(result.values[measure][query] for query in queries) for measure in MEASURES}
        for mode, result in results.items()
    }
    return {"queries": len(queries), "modes": modes}


def against_arms(results: Mapping[Mode, ModeResult]) -> dict[str, Json]:
    """By how much hybrid is better than each arm alone, with its interval."""
    hybrid = results.get("hybrid")
    arms: Iterable[tuple[Mode, ModeResult]] = ((mode, result) for mode, result in results.items() if mode != "hybrid")
    return {mode: compare(arm, hybrid).evidence() for mode, arm in arms} if hybrid is not None else {}


def worst_queries(results: Mapping[Mode, ModeResult], most: int) -> list[dict[str, Json]]:
    """The queries that hybrid answers worst, with what each mode made of them. Ids and figures: a query's text may be private."""
    hybrid = results.get("hybrid")
    if hybrid is None:
        return []
    order = sorted(hybrid.values[MEASURE].items(), key=lambda found: (found[1], found[0]))
    rows: list[dict[str, Json]] = []
    for query, _ in order[:most]:
        first = next((rank for rank, (unit, _) in enumerate(hybrid.run[query], start=1) if unit in hybrid.qrels[query]), None)
        rows.append(
            {"query": query, **{mode: round(result.values[MEASURE][query], 4) for mode, result in results.items()}, "first_relevant": first}
        )
    return rows
