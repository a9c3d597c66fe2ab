"""Silver questions: made from the documents' own headings and most distinctive sentences, for sources that nobody has judged yet.

They borrow the documents' words and so flatter the search: they tell when something broke, not how good it is. Every one is tagged.
"""

from __future__ import annotations

from itertools import islice, zip_longest

import numpy as np
import pyarrow.compute as pc

from quality_checks.golden import GoldenQuery, GoldenSet, Judgement
from quality_checks.known_items import known_items
from search_index.bm25 import TermStatistics, count_terms
from search_index.engine.interface import IndexReader, Payload
from search_index.model.search import OPEN_END

AUTHOR = "made by `plumbline golden suggest` from headings and sentences: silver, not judged by a person"
TAG, HEADING, SENTENCE = "silver", "heading", "sentence"
_LEAST_WORDS = 2
_QUOTE_WORDS = 12
_ASKED_WORDS = 6
_Question = tuple[str, str, str, str]
"""What is asked, of which document, with which quote, and what it was made from."""


def silver_set(reader: IndexReader, revision: int, source: str, most: int) -> GoldenSet | None:
    """Up to ``most`` questions for one source, headings and sentences by turns; None where nothing can be asked for."""
    payloads = _passages(reader, source)
    headings, sentences = _headings(payloads), _sentences(reader, revision, source, most)
    headings = headings[:: max(1, len(headings) // max(1, most - min(len(sentences), most // 2)))]
    by_turns = (question for pair in zip_longest(headings, sentences) for question in pair if question is not None)
    chosen = list(islice({question[0].casefold(): question for question in by_turns}.values(), most))
    if not chosen:
        return None
    queries = tuple(
        GoldenQuery(id=f"silver{number:04d}", query=asked, tags=(TAG, kind), relevant=(Judgement(document=uri, quote=quote, grade=1),))
        for number, (asked, uri, quote, kind) in enumerate(chosen, start=1)
    )
    tenant = str(payloads[0]["tenant"])
    return GoldenSet(name=f"{source}_silver", author=AUTHOR, tenant=tenant, queries=queries)


def keywords(sentence: str, statistics: TermStatistics, language: str, most: int = _ASKED_WORDS) -> str:
    """The rarest words of a sentence in their order: what somebody types who remembers it."""
    words = sentence.split()
    rarity = [float(statistics.idf(terms).max()) if len(terms := count_terms(word, language).ids) else -1.0 for word in words]
    kept = sorted(np.argsort([-value for value in rarity], kind="stable")[:most].tolist())
    return " ".join(words[at] for at in kept if rarity[at] >= 0)


def _passages(reader: IndexReader, source: str) -> list[Payload]:
    """Every current passage of a source that somebody may read, in the order of its documents."""
    ledger = reader.ledger()
    wanted = pc.and_(pc.equal(ledger["source"], source), pc.equal(ledger["valid_to"], OPEN_END))
    current = ledger.filter(pc.and_(wanted, pc.greater(pc.list_value_length(ledger["access"]), 0)))
    found = reader.payloads(current["point_id"].to_pylist())
    return sorted(found.values(), key=lambda payload: (str(payload["uri"]), str(payload["ordinal"]).zfill(9)))


def _headings(payloads: list[Payload]) -> list[_Question]:
    """Each heading that occurs once, asking for the passage that begins below it."""
    places: dict[str, dict[tuple[str, ...], _Question]] = {}
    for payload in payloads:
        section = payload.get("section")
        if not isinstance(section, list) or not section or len((heading := str(section[-1])).split()) < _LEAST_WORDS:
            continue
        uri, quote = str(payload["uri"]), " ".join(str(payload["text"]).split()[:_QUOTE_WORDS])
        place = (uri, *map(str, section))
        places.setdefault(heading.casefold(), {}).setdefault(place, (heading, uri, quote, HEADING))
    return sorted((next(iter(below.values())) for below in places.values() if len(below) == 1), key=lambda found: (found[1], found[0]))


def _sentences(reader: IndexReader, revision: int, source: str, most: int) -> list[_Question]:
    items = known_items(reader, revision, most, [source])
    asked = [keywords(item.sentence, reader.statistics(revision, item.tenant), reader.bm25.language) for item in items]
    return [(words, item.uri, item.sentence, SENTENCE) for words, item in zip(asked, items, strict=True) if words]
