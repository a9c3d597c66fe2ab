"""Times that a question names, and those that a document's address, title and metadata say it is of.

Only what is written is read: quarters, months and dates in digits or in English, and versions. A fiscal quarter is not reckoned from a
date, but a date answers for the calendar quarter that it lies in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_ORDINALS: Final = {"first": 1, "second": 2, "third": 3, "fourth": 4, "1st": 1, "2nd": 2, "3rd": 3, "4th": 4}
_YEAR: Final = r"(?P<{0}>(?:19|20)\d\d)"
# (?a:...): without it a long s or a dotless i counts as s or i where case is ignored, and what is then found is no name of a month.
_MONTH: Final = (
    r"(?P<{0}>(?a:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?"
    r"|dec(?:ember)?))\.?"
)
_GAP: Final = r"[\s_,./-]*"
_QUARTER: Final = (
    r"(?:q\s?(?P<{0}>[1-4])|(?P<{0}b>[1-4])q|(?P<{0}c>(?a:first|second|third|fourth|1st|2nd|3rd|4th))[\s_-]+(?:fiscal[\s_-]+)?quarter)"
)
_FISCAL: Final = r"(?:of\s+)?(?:the\s+)?(?:(?:fiscal|financial)\s+(?:year\s+)?|fy\s?)?"
_PATTERN: Final = re.compile(
    "|".join(
        (
            rf"(?<!\d){_YEAR.format('ya')}-(?P<ma>0[1-9]|1[0-2])(?:-(?P<da>[0-2]\d|3[01]))?(?!\d)",
            rf"(?<!\d){_YEAR.format('yb')}(?P<mb>0[1-9]|1[0-2])(?P<db>[0-2]\d|3[01])(?!\d)",
            rf"(?<!\d)(?P<mc>0?[1-9]|1[0-2])[/.](?P<dc>[0-2]?\d|3[01])[/.]{_YEAR.format('yc')}(?!\d)",
            rf"(?<![^\W_]){_QUARTER.format('qd')}{_GAP}{_FISCAL}{_YEAR.format('yd')}(?!\d)",
            rf"(?<![^\W_])(?:fy\s?)?{_YEAR.format('ye')}{_GAP}{_QUARTER.format('qe')}(?![^\W_])",
            rf"(?<![^\W_]){_MONTH.format('mf')}{_GAP}(?:(?P<df>[0-2]?\d|3[01])(?:st|nd|rd|th)?\b[\s,]*)?{_YEAR.format('yf')}(?!\d)",
            rf"(?<!\d)(?P<dg>[0-2]?\d|3[01])(?:st|nd|rd|th)?\s+{_MONTH.format('mg')}\s*,?\s*{_YEAR.format('yg')}(?!\d)",
            rf"(?<![^\W_]){_QUARTER.format('qh')}(?![^\W_])",
            rf"(?<![^\W_])(?<!\d[.,])(?:fy\s?)?{_YEAR.format('yi')}(?![^\W_]|[.,]\d)",
        )
    ),
    re.IGNORECASE,
)
_RANGE: Final = re.compile(r"(?<!\d)((?:19|20)\d\d)\s*(?:-|–|to|through|until|and)\s*((?:19|20)\d\d)(?!\d)", re.IGNORECASE)
_BEGINS_RANGE: Final = re.compile(r"(?:from|between)\s+$", re.IGNORECASE)
_VERSION: Final = re.compile(r"(?<![^\W_])(?<!\d[.,])v?(\d{1,4}(?:\.\d{1,4}){1,3})(?![^\W_]|[.,]\d)", re.IGNORECASE)
_VERSIONED_NAME: Final = re.compile(r"(\d{1,4}(?:_\d{1,4})+)$")
_MOST_YEARS: Final = 12


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of time as somebody wrote it, or a version. What is None was not said."""

    year: int | None = None
    quarter: int | None = None
    month: int | None = None
    day: int | None = None
    version: tuple[int, ...] = ()

    @property
    def key(self) -> tuple[tuple[int, ...], int, int, int]:
        """Rises with time; a stretch comes where it ends."""
        return self.version, self.year or 0, self.month or 3 * (self.quarter or 4), self.day or 31

    def holds(self, other: Period) -> bool:
        """Whether what ``other`` says lies within this.

        >>> Period(2023, 2).holds(Period(2023, month=4, day=1)), Period(2023, 2).holds(Period(2023))
        (True, False)
        """
        if self.version or other.version:
            return bool(self.version) and other.version[: len(self.version)] == self.version
        quarter = other.quarter or ((other.month + 2) // 3 if other.month else None)
        return all(
            wanted is None or wanted == had
            for wanted, had in ((self.year, other.year), (self.quarter, quarter), (self.month, other.month), (self.day, other.day))
        )

    def __str__(self) -> str:
        if self.version:
            return ".".join(map(str, self.version))
        if self.month:
            return "-".join([f"{self.year}", f"{self.month:02d}", *([f"{self.day:02d}"] if self.day else [])])
        return " ".join(part for part in (str(self.year or ""), f"Q{self.quarter}" if self.quarter else "") if part)


class Mention(NamedTuple):
    """A period and where it stands in a text."""

    period: Period
    start: int
    end: int


def periods_in(text: str) -> list[Mention]:
    """The times that a text names, as they stand; of a range of years each of them.

    >>> [str(each.period) for each in periods_in("from 2020 to 2022, and in the second quarter of fiscal 2023")]
    ['2020', '2021', '2022', '2023 Q2']
    """
    ranges = [found for found in _RANGE.finditer(text) if _is_range(text, found)]
    mentions = [Mention(Period(year), *found.span()) for found in ranges for year in range(int(found[1]), int(found[2]) + 1)]
    mentions += [
        Mention(_period_of({name[0] + name[2:]: value for name, value in found.groupdict().items() if value}), *found.span())
        for found in _PATTERN.finditer(text)
        if not any(each.start() < found.end() and found.start() < each.end() for each in ranges)
    ]
    return sorted(mentions, key=lambda each: each.start)


def versions_in(text: str) -> list[Mention]:
    """Numbers that may be versions; whether they are is for whoever knows the versions there are.

    >>> [str(each.period) for each in versions_in("since v2.19 up to 2.20.1, 3.5% of")]
    ['2.19', '2.20.1', '3.5']
    """
    return [Mention(Period(version=tuple(map(int, found[1].split(".")))), *found.span()) for found in _VERSION.finditer(text)]


def version_of_name(name: str) -> Period | None:
    """The version that the name of a source ends in, where it does: ``docs_2_19``."""
    found = _VERSIONED_NAME.search(name)
    return Period(version=tuple(map(int, found[1].split("_")))) if found else None


def without(text: str, mentions: Iterable[tuple[int, int]]) -> str:
    """The text with stretches of it left out."""
    kept, at = [], 0
    for start, end in sorted(mentions):
        kept.append(text[at:start] if start >= at else "")
        at = max(at, end)
    return re.sub(r"\s+", " ", " ".join([*kept, text[at:]])).strip()


def _is_range(text: str, found: re.Match[str]) -> bool:
    begins, ends = int(found[1]), int(found[2])
    joined = found[0][4:-4].strip().lower()
    said = joined in ("-", "–", "to", "through", "until") or _BEGINS_RANGE.search(text[: found.start()]) is not None
    return said and begins < ends <= begins + _MOST_YEARS


def _period_of(said: dict[str, str]) -> Period:
    month, quarter = said.get("m"), said.get("q") or said.get("qb") or said.get("qc")
    return Period(
        year=int(said["y"]) if "y" in said else None,
        quarter=(_ORDINALS.get(quarter.lower()) or int(quarter)) if quarter else None,
        month=(int(month) if month.isdigit() else 1 + _MONTHS.index(month[:3].lower())) if month else None,
        day=int(said["d"]) if said.get("d") else None,
    )
