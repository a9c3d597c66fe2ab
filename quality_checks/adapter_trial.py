"""A query adapter tried on judged queries: trained on some, stopped by others, and adopted only where a third part gains beyond noise.

Which part a query is in depends on its words alone: what was held out once is held out for ever, so that an adapter trained on more can
be compared with the one before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, TypeAlias

import numpy as np

from quality_checks.adapter_training import examples_of, trained
from quality_checks.judged_queries import MEASURE, Encode, JudgedQuery, Values, measured, named
from quality_checks.metrics import evaluate_run
from quality_checks.passages_in_memory import PassagesInMemory, Positions
from quality_checks.refusion import arms_of, rankings
from quality_checks.tuning import SEED, estimate_of
from search_index.adapter import QueryAdapter, adapter_of
from search_index.fusion import Ranking
from search_index.tuned import Trial

LEAST_QUERIES: Final = 100
"""Of fewer, too few could be held out to tell a gain from chance."""
STOP_BELOW: Final = 0.1
DECIDE_BELOW: Final = 0.3
"""Queries whose bucket is below the first say when to stop training, those below the second whether to adopt; the rest is trained on."""
MOST_ROUNDS: Final = 20
PATIENCE: Final = 4
"""Training ends when so many rounds brought nothing."""

Asked: TypeAlias = Callable[[Sequence[JudgedQuery], QueryAdapter | None], Values]
"""nDCG@10 of hybrid search for each query, by the searcher that would be served."""


@dataclass(frozen=True, eq=False)
class Parts:
    """Judged queries by what they are for."""

    train: list[JudgedQuery]
    stop: list[JudgedQuery]
    decide: list[JudgedQuery]


def parts_of(queries: Sequence[JudgedQuery]) -> Parts:
    """Split by what the queries' words say."""
    train = [query for query in queries if query.bucket >= DECIDE_BELOW]
    stop = [query for query in queries if query.bucket < STOP_BELOW]
    return Parts(train, stop, [query for query in queries if STOP_BELOW <= query.bucket < DECIDE_BELOW])


def try_adapter(
    passages: PassagesInMemory,
    queries: Sequence[JudgedQuery],
    encode: Encode,
    current: Ranking,
    incumbent: QueryAdapter | None,
    asked: Asked,
    golden: Sequence[JudgedQuery] = (),
    progress: Callable[[int], None] = lambda _: None,
) -> tuple[QueryAdapter | None, Trial]:
    """The adapter to go on with, and why.

    Without queries to learn from there is none. Else the incumbent stays, unless the judgements have to do with what search finds by
    itself, a newly trained adapter gains beyond noise on queries that it never saw, and gains more on a query's own judgements than on
    another query's: moving every query towards what is popular is not what an adapter is for.

    Args:
        queries: those of training sets.
        incumbent: the adapter that ``current`` names.
        golden: queries that releases are measured on: they teach nothing, but an adapter that loses on them is not adopted.
        progress: told of each round of training.
    """
    queries = [query for query in queries if query.units]
    if len(queries) < LEAST_QUERIES:
        what = f"{len(queries)} training queries are too few to hold some out; {LEAST_QUERIES} are the least."
        return None, Trial(adopted=False, reason=what if queries else "There are no training queries.")
    parts = parts_of(queries)
    if not _fit_their_queries(passages, [*parts.stop, *parts.decide], encode, current.model_copy(update={"adapter": None})):
        reason = (
            "Search finds what a query was judged with no better than what another was: these judgements are noise or another collection's."
        )
        return incumbent, Trial(adopted=False, reason=reason)
    adapter = _best_stopped(passages, parts, encode, current, progress)
    if adapter is None:
        return incumbent, Trial(adopted=False, reason="Training brought nothing on the queries that say when to stop.")
    estimate = estimate_of(asked(parts.decide, incumbent), asked(parts.decide, adapter))
    if not estimate.gains:
        reason = "On queries that it was not trained with, the adapter is not better beyond noise."
    elif not _learned_what_is_asked(passages, parts.decide, encode, current, incumbent, adapter):
        reason = "The adapter gains no more on a query's own judgements than on another's: it learned what is popular, not what is asked."
    elif golden and _loses(passages, golden, encode, current, incumbent, adapter):
        reason = "The queries that releases are measured on lose by the adapter."
    else:
        return adapter, Trial(adopted=True, reason="Better beyond noise on queries it was not trained with.", estimate=estimate)
    return incumbent, Trial(adopted=False, reason=reason, estimate=estimate)


def _best_stopped(
    passages: PassagesInMemory, parts: Parts, encode: Encode, current: Ranking, progress: Callable[[int], None]
) -> QueryAdapter | None:
    """Train for as long as hybrid search gains on the queries held out for it; None where it never does."""
    unadapted = current.model_copy(update={"adapter": None})
    best, since, kept = float(measured(passages, parts.stop, encode, [unadapted]).mean()), 0, None
    rounds = trained(examples_of(passages, parts.train, encode, SEED), SEED)
    for matrix in islice(rounds, MOST_ROUNDS):
        adapter = adapter_of(matrix)
        value = float(measured(passages, parts.stop, encode, [unadapted], adapter).mean())
        since += 1
        if value > best:
            best, since, kept = value, 0, adapter
        progress(1)
        if since >= PATIENCE:
            break
    return kept


def _fit_their_queries(passages: PassagesInMemory, queries: Sequence[JudgedQuery], encode: Encode, ranking: Ranking) -> bool:
    """Whether the ranking without an adapter does better by a query's own judgements than by those of the query after it, beyond noise.

    Pairs of another collection hang together: queries alike share judged documents, whatever those are about, so that an adapter trained
    on some of them gains on the others.
    """
    orders = _orders(passages, queries, encode, ranking, None)
    return estimate_of(_values(passages, queries, orders, 1), _values(passages, queries, orders, 0)).gains


def _learned_what_is_asked(
    passages: PassagesInMemory,
    queries: Sequence[JudgedQuery],
    encode: Encode,
    ranking: Ranking,
    incumbent: QueryAdapter | None,
    adapter: QueryAdapter,
) -> bool:
    """Whether a query's own judgements gain more than those of the query after it, beyond noise."""
    before, after = (_orders(passages, queries, encode, ranking, used) for used in (incumbent, adapter))
    own, others = (_values(passages, queries, after, shift) - _values(passages, queries, before, shift) for shift in (0, 1))
    return estimate_of(others, own).gains


def _orders(
    passages: PassagesInMemory, queries: Sequence[JudgedQuery], encode: Encode, ranking: Ranking, adapter: QueryAdapter | None
) -> list[Positions]:
    """Each query's hybrid ranking, positions best first."""
    return [rankings(passages, arms_of(passages, query.text, encode(query.text), adapter), [ranking], 100)[0] for query in queries]


def _values(passages: PassagesInMemory, queries: Sequence[JudgedQuery], orders: Sequence[Positions], shift: int) -> Values:
    """nDCG@10 of each ranking by the judgements of the query that stands ``shift`` places on, by its own where that is 0."""
    judging = [queries[(at + shift) % len(queries)] for at in range(len(queries))]
    run = {str(at): named(passages, judge, order) for at, (judge, order) in enumerate(zip(judging, orders, strict=True))}
    found = evaluate_run(run, {str(at): judge.qrels for at, judge in enumerate(judging)}, [MEASURE])[MEASURE]
    return np.array([found[str(at)] for at in range(len(queries))])


def _loses(
    passages: PassagesInMemory,
    golden: Sequence[JudgedQuery],
    encode: Encode,
    ranking: Ranking,
    incumbent: QueryAdapter | None,
    adapter: QueryAdapter,
) -> bool:
    before, after = (measured(passages, golden, encode, [ranking], used)[0] for used in (incumbent, adapter))
    return estimate_of(before, after).ci95[1] < 0
