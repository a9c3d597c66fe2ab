"""From judged quotes to places in the documents as they are now, and from a ranked passage to the judgements it meets.

Quotes match NFKC-casefolded with white space collapsed, so that they survive a reflow, a change of case or of typographic form.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from quality_checks.folding import Folded, Place, fold
from quality_checks.golden import GoldenSet, Judgement
from search_index.model.document import normalise, sha256


@dataclass(frozen=True, slots=True)
class Unit:
    """One judgement found in a document: hit by a passage that shares with one of its places at least half of the shorter of the two.

    So a judged sentence is met by a passage that holds most of it, and a judged page by any passage that is cut out of it.

    ``id`` is the document's URI and, for a passage, a digest of what was judged, so it outlives edits around it. A quote that
    stands in several places has them all; no place means that any passage of the document is a hit.
    """

    id: str
    document: str
    places: tuple[Place, ...]
    grade: int


@dataclass(frozen=True, slots=True)
class Stale:
    """A judgement that no passage can meet any more, and why."""

    query: str
    document: str
    reason: str


@dataclass(frozen=True)
class Resolved:
    """The judgements of one golden set against the documents as they are now.

    ``units`` has every query. Stale judgements are in no unit: they are reported instead of counted, and a query none of
    whose judgements resolves is left out of ``qrels``.
    """

    units: Mapping[str, tuple[Unit, ...]]
    stale: tuple[Stale, ...]

    @cached_property
    def qrels(self) -> dict[str, dict[str, int]]:
        """Grade of each unit, by query."""
        return {query: {unit.id: unit.grade for unit in units} for query, units in self.units.items() if units}

    def relevant_units(self, query: str, document: str, place: Place) -> list[str]:
        """The units of a query that a passage meets, the most relevant first."""
        there = self._by_document.get(query, {}).get(document, ())
        met = [unit for unit in there if not unit.places or any(_covers(place, wanted) for wanted in unit.places)]
        return [unit.id for unit in sorted(met, key=lambda unit: (-unit.grade, unit.id))]

    @cached_property
    def _by_document(self) -> dict[str, dict[str, tuple[Unit, ...]]]:
        found: dict[str, dict[str, tuple[Unit, ...]]] = {}
        for query, units in self.units.items():
            for unit in units:
                documents = found.setdefault(query, {})
                documents[unit.document] = (*documents.get(unit.document, ()), unit)
        return found


class Resolver:
    """Finds quotes in documents; a document is folded once, however many quotes are looked for in it.

    Args:
        documents: the text of each document by URI, as stored (NFC). Whole-document judgements only need the key.
        indexed_as: for each document that is not indexed because a near-duplicate is, that one's URI. What is judged of the first is
            looked for in the second: a span by the text it has, so that it need not stand at the same place.
    """

    def __init__(self, documents: Mapping[str, str], indexed_as: Mapping[str, str] | None = None) -> None:
        self._documents = documents
        self._indexed_as = indexed_as or {}
        self._folded: dict[str, Folded] = {}

    def resolve(self, golden: GoldenSet) -> Resolved:
        """Every judgement of the set, found or stale."""
        units: dict[str, tuple[Unit, ...]] = {}
        stale: list[Stale] = []
        for query in golden.queries:
            found = [(judgement, self._unit(judgement)) for judgement in query.relevant]
            units[query.id] = _best(unit for _, unit in found if isinstance(unit, Unit))
            stale += [Stale(query.id, judgement.document, reason) for judgement, reason in found if isinstance(reason, str)]
        return Resolved(units, tuple(stale))

    def quote_places(self, document: str, quote: str) -> tuple[Place, ...]:
        """Where a quote stands in a document, in order and without overlaps; empty when it does not."""
        if document not in self._folded:
            self._folded[document] = fold(self._documents[document])
        return self._folded[document].find(_needle(quote))

    def _unit(self, judgement: Judgement) -> Unit | str:
        grade, quote = judgement.grade, judgement.quote
        document = self._indexed_as.get(judgement.document, judgement.document)
        if judgement.document not in self._documents or document not in self._documents:
            return "no such document"
        instead = f" in {document}, which is indexed instead" if document != judgement.document else ""
        if judgement.span is not None:
            start, end = judgement.span
            if end > len(self._documents[judgement.document]):
                return "span ends after the text"
            if not instead:
                return Unit(f"{document}#{start}-{end}", document, (judgement.span,), grade)
            quote = self._documents[judgement.document][start:end]
        if quote is not None:
            places = self.quote_places(document, quote)
            return Unit(f"{document}#{sha256(_needle(quote))[:12]}", document, places, grade) if places else f"quote not found{instead}"
        return Unit(document, document, (), grade)


def resolve(golden: GoldenSet, documents: Mapping[str, str]) -> Resolved:
    """The judgements of one golden set against the documents' texts by URI; see ``Resolver`` for several sets."""
    return Resolver(documents).resolve(golden)


def _needle(quote: str) -> str:
    return fold(normalise(quote)).text.strip(" ")


def _best(units: Iterable[Unit]) -> tuple[Unit, ...]:
    """One unit an id: quotes that fold alike are one judgement, at its best grade."""
    best: dict[str, Unit] = {}
    for unit in units:
        if unit.id not in best or unit.grade > best[unit.id].grade:
            best[unit.id] = unit
    return tuple(best.values())


def _covers(passage: Place, wanted: Place) -> bool:
    overlap = min(passage[1], wanted[1]) - max(passage[0], wanted[0])
    return overlap > 0 and 2 * overlap >= min(wanted[1] - wanted[0], passage[1] - passage[0])
