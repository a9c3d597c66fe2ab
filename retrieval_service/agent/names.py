"""Names in a question: what may be one by how it is written, and whether it is one by where the index has it.

A name stands in passages with a capital (or is no plain word at all), and it stands in some documents and not in most of them. Both
are read off a search for it, so a name that only documents hold which the caller may not read is none.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from retrieval_service.agent.parts import COMMON
from search_index.model.search import Hit

MOST: Final = 6
"""Names of one question that are looked up."""
LONGEST: Final = 100
"""Code points of a name."""
CAPITALS: Final = 0.8
"""A name has a capital in so many of the places where it stands; words of headings have not."""
AT_MOST: Final = 0.5
"""What stands in a larger share of the documents tells none of them from another."""
OFTEN: Final = 0.25
"""A document that has a name a quarter as often as the one that has it most is about it; another mentions it."""
_TOKEN: Final = re.compile(r"[^\W_][\w&.\-]*(?:['’]\w+)?")
_POSSESSIVE: Final = re.compile(r"['’]s?$|['’]s\b")
_NO_PLAIN_WORD: Final = re.compile(r".*(?:[^\W\d_]\d|\d[^\W\d_]|[a-z][A-Z]|\w_\w)")


class Candidate(NamedTuple):
    """What may be a name, as it was written, and where it stands in the question."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Name:
    """A name that the index knows: the ids of the documents it stands in often, those that have it most first.

    ``everywhere`` says that most documents mention it, if only once: then it may as well be a matter as somebody's name.
    """

    text: str
    documents: tuple[str, ...]
    everywhere: bool = False


def candidates(question: str) -> list[Candidate]:
    """What may be a name in a question, as it comes; of a question without capitals, every word that is not a common one.

    >>> [each.text for each in candidates("How did Sand Bridge's load compare with PR-7?")]
    ['Sand Bridge', 'PR-7']
    """
    tokens = [_plain(found) for found in _TOKEN.finditer(question)]
    cased = [each for each in tokens if _is_written_as_name(each.text) and each.text.lower() not in COMMON]
    if any(each.start or _NO_PLAIN_WORD.match(each.text) for each in cased):
        return _distinct(_runs(question, cased))[:MOST]
    words = [each for each in tokens if each.text.lower() not in COMMON and len(each.text) > 2]
    return _distinct(words)[: 2 * MOST]


def known_as(candidate: str, hits: Sequence[Hit], documents: int) -> Name | None:
    """The name that a candidate is, by the passages that a search for it found; None where it is none.

    Args:
        hits: of a search for the candidate.
        documents: how many documents may be seen.
    """
    pattern = re.compile(rf"(?<!\w){re.escape(candidate)}(?!\w)", re.IGNORECASE)
    counts: Counter[str] = Counter()
    written = capitals = 0
    for hit in hits:
        stands = pattern.findall(f"{hit.title}\n{hit.text}")
        counts[hit.document_id] += bool(stands)
        written += len(stands)
        capitals += sum(_is_written_as_name(each) for each in stands)
    having = [(document, count) for document, count in counts.most_common() if count]
    if not having or capitals < CAPITALS * written:
        return None
    often = [document for document, count in having if count >= OFTEN * having[0][1]]
    most = max(1.0, AT_MOST * documents)
    return Name(candidate, tuple(often), everywhere=len(having) > most) if len(often) <= most else None


def apart(names: Iterable[Name], limit: int) -> list[Name]:
    """Names of documents that others have not, as they come.

    Of two that mostly stand in the same documents the wider is kept, for the narrower is likely one of its matters; but not one of more
    documents than an answer has room for. A name that is mentioned everywhere counts only where there is no other.
    """
    ordered = list(names)
    ordered = [name for name in ordered if not name.everywhere] or ordered
    kept: list[Name] = []
    for name in sorted(ordered, key=lambda each: (len(each.documents) > limit, -len(each.documents))):
        if not any(len({*name.documents} & {*wider.documents}) >= 0.5 * min(len(name.documents), len(wider.documents)) for wider in kept):
            kept.append(name)
    return [name for name in ordered if name in kept]


def _is_written_as_name(text: str) -> bool:
    return text[:1].isupper() or bool(_NO_PLAIN_WORD.match(text))


def _plain(found: re.Match[str]) -> Candidate:
    text = _POSSESSIVE.sub("", found[0]).rstrip(".-&")
    return Candidate(text, found.start(), found.start() + len(text))


def _runs(question: str, tokens: Sequence[Candidate]) -> list[Candidate]:
    """Neighbouring ones as one, at most four words."""
    runs: list[Candidate] = []
    for token in tokens:
        if runs and question[runs[-1].end : token.start] == " " and runs[-1].text.count(" ") < 3:
            last = runs[-1]
            runs[-1] = Candidate(f"{last.text} {token.text}", last.start, token.end)
        else:
            runs.append(token)
    return runs


def _distinct(found: Iterable[Candidate]) -> list[Candidate]:
    by_text: dict[str, Candidate] = {}
    for each in found:
        if 1 < len(each.text) <= LONGEST:
            by_text.setdefault(each.text.lower(), each)
    return list(by_text.values())
