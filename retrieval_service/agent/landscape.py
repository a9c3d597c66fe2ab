"""What has been learned of the index while a question was looked at: documents by what they are called, and nothing else.

It is made of hits alone, so it holds no document that the caller could not have found.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from retrieval_service.agent.periods import Period, periods_in, version_of_name, versions_in, without
from search_index.model.search import Hit


@dataclass(frozen=True, slots=True)
class Known:
    """A document that a search found.

    ``periods`` are those that it says it is of, by where it says so, the most telling place first: its address, its title, its metadata,
    when it was modified. ``series`` is its address without them, the same for all of a series.
    """

    document_id: str
    uri: str
    periods: tuple[tuple[Period, ...], ...]
    series: str

    @property
    def newest_by(self) -> tuple[tuple[tuple[int, ...], int, int, int], ...]:
        """Rises with the time that the most telling place says."""
        return tuple(max((period.key for period in told), default=((), 0, 0, 0)) for told in self.periods)


@dataclass(slots=True)
class Landscape:
    """Documents by id, and how many there are to be seen; ``facets`` are the values that fields have, with their documents."""

    documents: dict[str, Known] = field(default_factory=dict)
    total: int = 0
    facets: dict[str, dict[str, int]] = field(default_factory=dict)

    def learn(self, hits: Iterable[Hit]) -> None:
        """Remember the documents of some hits."""
        for hit in hits:
            if hit.document_id not in self.documents:
                self.documents[hit.document_id] = known_of(hit)
        self.total = max(self.total, len(self.documents))

    def of_period(self, wanted: Period, among: Sequence[str]) -> list[str]:
        """Those that say they are of a period: by the most telling place at which any of them does."""
        known = [self.documents[each] for each in among]
        for place in range(max((len(each.periods) for each in known), default=0)):
            if found := [each.document_id for each in known if any(wanted.holds(period) for period in each.periods[place])]:
                return found
        return []

    def newest_first(self, among: Iterable[str]) -> list[str]:
        """By the time that each is of; those that say none as they come."""
        return sorted(among, key=lambda each: self.documents[each].newest_by, reverse=True)

    def dated(self, among: Iterable[str]) -> bool:
        """Whether they are of different times."""
        return len({self.documents[each].newest_by[:3] for each in among}) > 1

    def series_of(self, hits: Sequence[Hit], share: float) -> list[str]:
        """The documents of the series that so large a share of some hits is from; none where there is no such series of several."""
        counts = Counter(self.documents[hit.document_id].series for hit in hits)
        if not counts:
            return []
        series, count = counts.most_common(1)[0]
        found = [each.document_id for each in self.documents.values() if each.series == series]
        return found if len(found) > 1 and count >= share * len(hits) and self.dated(found) else []

    def versions(self) -> set[tuple[int, ...]]:
        """The versions that documents say they are of."""
        return {period.version for each in self.documents.values() for told in each.periods for period in told if period.version}


def known_of(hit: Hit) -> Known:
    """What a hit says of its document."""
    path = hit.uri.partition(":")[2]
    of_source = version_of_name(hit.source)
    said = [
        " ".join(map(str, value)) if isinstance(value, list) else value for value in hit.metadata.values() if not isinstance(value, bool)
    ]
    in_metadata = " ; ".join(each for each in said if isinstance(each, str))
    modified = (Period(hit.modified_at.year, month=hit.modified_at.month, day=hit.modified_at.day),) if hit.modified_at else ()
    return Known(
        document_id=hit.document_id,
        uri=hit.uri,
        periods=((*_told(path), *((of_source,) if of_source else ())), _told(hit.title), _told(in_metadata), modified),
        series=f"{re.sub(r'[0-9_]+$', '', hit.source)}:{_series(path)}",
    )


def _told(text: str) -> tuple[Period, ...]:
    dates = periods_in(text)
    versions = [each for each in versions_in(text) if not any(each.start < date.end and date.start < each.end for date in dates)]
    return tuple(dict.fromkeys(each.period for each in (*dates, *versions)))


def _series(path: str) -> str:
    named = without(path, [(each.start, each.end) for each in (*periods_in(path), *versions_in(path))])
    return re.sub(r"[\s_./-]+", " ", named).strip().lower()
