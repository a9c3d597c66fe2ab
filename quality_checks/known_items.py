"""Known items: questions made from passages themselves, which a sound index must answer with those passages.

They borrow the passages' own words, so they tell whether something broke and not how good the search is. They are all there is for a
source that nobody has written a golden set for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

import pyarrow.compute as pc

from quality_checks.folding import fold
from search_index.bm25 import TermStatistics, count_terms
from search_index.engine.interface import IndexReader, Payload
from search_index.model.search import OPEN_END, Mode

LEAST_WORDS, MOST_WORDS = 6, 16
TOP = 10
"""A passage counts as found when it, or one that holds the same sentence, is among so many."""
_SENTENCE_END = re.compile(r"(?<=[.!?;:])\s+|\n+")
_LOOKED_AT = 4


@dataclass(frozen=True, slots=True)
class KnownItem:
    """A sentence of one passage that hardly any other holds."""

    chunk_id: str
    source: str
    tenant: str
    uri: str
    sentence: str


Ask = Callable[[KnownItem, Mode], Sequence[Payload]]
"""The best passages for an item's sentence in a mode, of its own tenant."""


def known_items(reader: IndexReader, revision: int, most: int, sources: Sequence[str] | None = None) -> list[KnownItem]:
    """One item each of about ``most`` current passages, shared out evenly among the sources: these, or all there are.

    Passages come in the order of their ids, which are hashes: a fair sample that a small change hardly alters.
    """
    ledger = reader.ledger()
    current = ledger.filter(pc.and_(pc.equal(ledger["valid_to"], OPEN_END), pc.greater(pc.list_value_length(ledger["access"]), 0)))
    asked = sources if sources is not None else sorted(pc.unique(current["source"]).to_pylist())
    items: list[KnownItem] = []
    for source in asked:
        share = -(-most // len(asked))
        rows = current.filter(pc.equal(current["source"], source)).select(["chunk_id", "point_id"]).sort_by("chunk_id")
        points = rows["point_id"].to_pylist()[: _LOOKED_AT * share]
        payloads = reader.payloads(points)
        made = (_item(payloads[point], reader, revision) for point in points)
        items += islice((item for item in made if item is not None), share)
    return items


def _item(payload: Payload, reader: IndexReader, revision: int) -> KnownItem | None:
    chunk, source, tenant, uri, text = (str(payload[name]) for name in ("chunk_id", "source", "tenant", "uri", "text"))
    sentence = distinctive_sentence(text, reader.statistics(revision, tenant), reader.bm25.language)
    return KnownItem(chunk, source, tenant, uri, sentence) if sentence else None


def distinctive_sentence(text: str, statistics: TermStatistics, language: str) -> str:
    """The sentence of a passage whose terms are the rarest on average, cut to ``MOST_WORDS`` words; empty where all are too short."""
    best, rarity = "", 0.0
    for sentence in _SENTENCE_END.split(text):
        words = sentence.split()[:MOST_WORDS]
        if len(words) < LEAST_WORDS:
            continue
        terms = count_terms(cut := " ".join(words), language)
        if len(terms.ids) * 3 < len(words):  # figures, marks and stop words say nothing
            continue
        mean = float(statistics.idf(terms.ids).mean())
        if mean > rarity:
            best, rarity = cut, mean
    return best


def lost_by_mode(items: Sequence[KnownItem], modes: Sequence[Mode], ask: Ask) -> dict[Mode, list[KnownItem]]:
    """The items that each mode does not find among its first ``TOP``."""
    return {mode: [item for item in items if not _found(item, ask(item, mode))] for mode in modes}


def _found(item: KnownItem, answers: Sequence[Payload]) -> bool:
    if any(payload["chunk_id"] == item.chunk_id for payload in answers[:TOP]):
        return True
    wanted = fold(item.sentence).text
    return any(wanted in fold(str(payload["text"])).text for payload in answers[:TOP])
