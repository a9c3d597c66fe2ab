"""Judged queries as tuning needs them: where each one's answers are among the passages in memory, and what a ranking of them is worth."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from quality_checks.evaluation import DEPTH, Judged
from quality_checks.metrics import evaluate_run
from quality_checks.passages_in_memory import PassagesInMemory, Positions, Vectors
from quality_checks.refusion import arms_of, rankings
from quality_checks.resolution import Resolved
from search_index.adapter import QueryAdapter
from search_index.fusion import Ranking
from search_index.model.document import document_id

MEASURE = "ndcg@10"
_CUT = 10
Values: TypeAlias = npt.NDArray[np.float64]
Encode: TypeAlias = Callable[[str], Vectors]


@dataclass(frozen=True, eq=False)
class JudgedQuery:
    """One query, with its judgements found among the passages.

    ``name`` is ``set/query``, ``qrels`` the grade of each unit of judgement, ``weight`` that of its set, ``by_passage`` whether a part of a
    document is judged, and ``units`` the units that each passage meets, by position.
    """

    name: str
    text: str
    weight: float
    qrels: Mapping[str, int]
    by_passage: bool
    units: Mapping[int, tuple[str, ...]]

    @property
    def folded(self) -> str:
        """The query without regard to case and white space: what makes it the same query in another set."""
        return " ".join(self.text.casefold().split())

    @cached_property
    def bucket(self) -> float:
        """A number from 0 to 1 that belongs to the query's words: where it falls in a split, whatever other queries there are."""
        return int.from_bytes(hashlib.sha256(self.folded.encode("utf-8", "surrogatepass")).digest()[:6], "big") / 2**48


def judged_queries(passages: PassagesInMemory, judged: Sequence[Judged]) -> list[JudgedQuery]:
    """Every query that has a judgement left, in the order of its sets."""
    documents = {unit.document for one in judged for units in one.resolved.units.values() for unit in units}
    ids = {uri: document_id(*uri.split(":", 1)) for uri in documents}
    found = []
    for one in judged:
        for query in one.golden.queries:
            if query.id not in one.resolved.qrels:
                continue
            units = one.resolved.units[query.id]
            by_passage = any(unit.places for unit in units)
            uris = sorted({unit.document for unit in units})
            met = _met_passages(passages, one.resolved, query.id, uris, ids) if by_passage else _met_documents(passages, uris, ids)
            name = f"{one.golden.name}/{query.id}"
            found.append(JudgedQuery(name, query.query, one.golden.weight, one.resolved.qrels[query.id], by_passage, met))
    return found


def _met_documents(passages: PassagesInMemory, uris: Iterable[str], ids: Mapping[str, str]) -> dict[int, tuple[str, ...]]:
    return {position: (uri,) for uri in uris for position in passages.by_document.get(ids[uri], ())}


def _met_passages(
    passages: PassagesInMemory, resolved: Resolved, query: str, uris: Iterable[str], ids: Mapping[str, str]
) -> dict[int, tuple[str, ...]]:
    """``Resolved.relevant_units`` of each passage of the judged documents."""
    met: dict[int, tuple[str, ...]] = {}
    for uri in uris:
        positions = passages.by_document.get(ids[uri], [])
        payloads = passages.reader.payloads([passages.ids[position] for position in positions])
        for position in positions:
            payload = payloads[passages.ids[position]]
            units = resolved.relevant_units(query, uri, (int(str(payload["start"])), int(str(payload["end"]))))
            if units:
                met[position] = tuple(units)
    return met


def measured(
    passages: PassagesInMemory,
    queries: Sequence[JudgedQuery],
    encode: Encode,
    settings: Sequence[Ranking],
    adapter: QueryAdapter | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Values:
    """nDCG@10 of every query under every setting, shape (settings, queries): what ``evaluation.ask`` gives for the searcher itself.

    Args:
        encode: a query's vector.
        adapter: what moves it, the same under all settings.
    """
    runs: list[dict[str, list[tuple[str, float]]]] = [{} for _ in settings]
    for query in queries:
        arms = arms_of(passages, query.text, encode(query.text), adapter)
        for run, order in zip(runs, rankings(passages, arms, settings, DEPTH), strict=True):
            run[query.name] = named(passages, query, order)
        progress(1)
    qrels = {query.name: query.qrels for query in queries}
    found = [evaluate_run(run, qrels, [MEASURE])[MEASURE] for run in runs]
    return np.array([[values[query.name] for query in queries] for values in found]).reshape(len(settings), len(queries))


def named(passages: PassagesInMemory, query: JudgedQuery, order: Positions) -> list[tuple[str, float]]:
    """The first ten of what a query is judged on: documents, each where its best passage stands, or units of judgement."""
    ranked: dict[str, float] = {}
    met: set[str] = set()
    for position in order[:DEPTH].tolist() if query.by_passage else order.tolist():
        units = query.units.get(position, ())
        if not query.by_passage:
            ranked.setdefault(units[0] if units else passages.documents[position], 0.0)
        else:
            # As ``metrics.units_run``: a passage that only repeats what was found already takes no place.
            for unit in units or (passages.ids[position],):
                if unit not in met:
                    ranked.setdefault(unit, 0.0)
            met.update(units)
        if len(ranked) >= _CUT:
            break
    return list(ranked.items())[:_CUT]
