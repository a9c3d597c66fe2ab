"""Packing passages into a budget of tokens: whole, each thing said once, with a number to cite each by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from search_index.answering.runs import Run, joined
from search_index.model.context import Dropped
from search_index.verbatim import words

Count: TypeAlias = Callable[[str], int]
Order: TypeAlias = Literal["relevance", "document"]
SHINGLE: Final = 5
REPEATED: Final = 0.8
"""A passage of whose runs of five words so many are in one that is there already says nothing new."""


@dataclass(frozen=True, slots=True)
class Packed:
    """Runs in the order they are cited, numbered from 1, their text, and what was left out."""

    runs: list[Run]
    text: str
    tokens: int
    dropped: list[Dropped]


def packed(candidates: Sequence[Run], budget: int, order: Order, count: Count) -> Packed:
    """As many of the candidates as there is room for, the best first; one that does not fit makes room for a smaller one behind it.

    Args:
        candidates: best first, a passage each.
        budget: most tokens of the text, headings included.
        count: tokens of a text.
    """
    kept: list[Run] = []
    dropped: list[tuple[str, Literal["budget", "repeats"], str | None]] = []
    said: dict[str, frozenset[str]] = {}
    costs: dict[tuple[str, ...], int] = {}
    for run in candidates:
        (chunk,) = run.chunk_ids
        shingles = _shingles(run.text)
        if (twin := _twin(shingles, said)) is not None:
            dropped.append((chunk, "repeats", twin))
            continue
        runs = joined([*kept, run])
        for each in runs:
            costs.setdefault(each.chunk_ids, count(_entry(99, each)) + 2)
        if kept and sum(costs[each.chunk_ids] for each in runs) > budget:
            dropped.append((chunk, "budget", None))
            continue
        kept.append(run)
        said[chunk] = shingles
    # What an entry costs by itself is close to what it costs among others, and the whole is what has to fit.
    while len(kept) > 1 and count(text_of(ordered(joined(kept), order))) > budget:
        dropped.append((kept.pop().chunk_ids[0], "budget", None))
    runs = ordered(joined(kept), order)
    if len(kept) == 1:
        runs = [run for run in [cut(runs[0], budget, count)] if run is not None]
        dropped += [(kept[0].chunk_ids[0], "budget", None)] if not runs else []
    text = text_of(runs)
    numbers = {chunk: number for number, run in enumerate(runs, start=1) for chunk in run.chunk_ids}
    return Packed(runs, text, count(text), [Dropped(chunk_id=c, reason=why, of=numbers.get(twin or "")) for c, why, twin in dropped])


def ordered(runs: Sequence[Run], order: Order) -> list[Run]:
    """By rank; or documents by their best rank, each in reading order."""
    if order == "relevance":
        return sorted(runs, key=lambda run: (run.rank, run.document_id, run.start))
    best: dict[str, float] = {}
    for run in runs:
        best[run.document_id] = min(run.rank, best.get(run.document_id, run.rank))
    return sorted(runs, key=lambda run: (best[run.document_id], run.document_id, run.start))


def text_of(runs: Sequence[Run]) -> str:
    """The block that is put before a language model."""
    return "\n\n".join(_entry(number, run) for number, run in enumerate(runs, start=1))


def cut(run: Run, budget: int, count: Count) -> Run | None:
    """A run that fits, whole or cut after a word; None where not even a word does."""
    if count(_entry(1, run)) <= budget:
        return run
    ends = [at for at, character in enumerate(run.text) if character.isspace() and at]
    fitting, beyond = 0, len(ends)
    while fitting < beyond:  # the most words that fit
        middle = (fitting + beyond) // 2
        if count(_entry(1, replace(run, text=run.text[: ends[middle]]))) <= budget:
            fitting = middle + 1
        else:
            beyond = middle
    text = run.text[: ends[fitting - 1]].rstrip() if fitting else ""
    shorter = replace(run, text=text, end=run.start + len(text), whole=False)
    return shorter if text and count(_entry(1, shorter)) <= budget else None


def _entry(number: int, run: Run) -> str:
    page = f", page {run.page}" if run.page is not None else ""
    section = f", {' > '.join(run.section)}" if run.section else ""
    return f"[{number}] {run.title} ({run.uri}{page}{section})\n{run.text}"


def _shingles(text: str) -> frozenset[str]:
    there = words(text)
    return frozenset(" ".join(there[at : at + SHINGLE]) for at in range(max(1, len(there) - SHINGLE + 1)))


def _twin(shingles: frozenset[str], said: dict[str, frozenset[str]]) -> str | None:
    """The passage that holds nearly all of these."""
    return next((chunk for chunk, there in said.items() if len(shingles & there) >= REPEATED * len(shingles)), None)
