"""What an answer gives away: words, ids and digests of passages, found in it wherever they stand."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pydantic import JsonValue as Json

from search_index.model.document import sha256
from tests.retrieval_service.access_property.worlds import NAMES
from tests.search_index.engine.points import Passage

_TOKEN = re.compile(
    r"(?:tx|pp|mv|mf|Load)(?:north|south)\d\d(?:p\d)?"
    r"|(?:north|south)_(?:\d|late)"
    r"|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    r"|\b[0-9a-f]{64}\b"
)
_STRICT = frozenset(
    "chunk_id document_id uri text title chunk_ids chunks near_duplicates quote note source metadata facets groups hits neighbours".split()
)
"""Never repeats what was asked for, but for `text` and `title` of a problem, which have none of it."""
_VOLATILE = frozenset("id took_ms published_at created_at at loaded_at request_id".split())


def tokens(passages: Iterable[Passage]) -> frozenset[str]:
    """Everything by which passages and their documents are known."""
    found: set[str] = set()
    for passage in passages:
        found |= set(_TOKEN.findall(f"{passage.text} {passage.path} {json.dumps(passage.metadata)} {passage.source}"))
        found |= {passage.chunk, passage.document, sha256(passage.text)}
    return frozenset(found)


def addresses(passages: Iterable[Passage]) -> frozenset[str]:
    """By what the documents of passages are known as places."""
    return frozenset(name for p in passages for name in (p.document, p.source, *_TOKEN.findall(p.path)))


def in_text(text: str) -> set[str]:
    """The words, ids and digests of a text that may be anybody's."""
    return set(_TOKEN.findall(text))


@dataclass(frozen=True)
class Judge:
    """Knows what somebody may be told.

    Args:
        known: all that there is to be known.
        seen: what of it they may see.
        sources: names of sources they may hear of besides.
    """

    known: frozenset[str]
    seen: frozenset[str]
    tenant: str
    sources: frozenset[str] = frozenset()

    def leaks(self, answer: Json, asked: Json) -> set[str]:
        """What of the answer they may not know, beside what they said themselves."""
        said = json.dumps(asked, ensure_ascii=False)
        mine = in_text(said)
        found = {each for each in in_text(json.dumps(answer, ensure_ascii=False)) if self._hidden(each)} - mine
        for part in _strict(answer):
            found |= {each for each in in_text(json.dumps(part, ensure_ascii=False)) if self._hidden(each)}
        for other in (name for tenant, name in NAMES.items() if tenant != self.tenant):
            if other not in said:
                found |= set(re.findall(rf"\w*{other}\w*", json.dumps(answer, ensure_ascii=False)))
        return found

    def _hidden(self, token: str) -> bool:
        if token in self.seen or token in self.sources:
            return False
        return token in self.known or "_" in token


def _strict(answer: Json) -> Iterator[Json]:
    """The parts of an answer in which not even what was asked for is repeated."""
    if isinstance(answer, list):
        for each in answer:
            yield from _strict(each)
    elif isinstance(answer, dict):
        for name, value in answer.items():
            if name in _STRICT:
                yield value
            elif name not in ("query", "filters"):
                yield from _strict(value)


def settled(answer: Json) -> Json:
    """An answer without what differs from home to home: times, names of answers, and cursors but for whether there is one."""
    if isinstance(answer, list):
        return [settled(each) for each in answer]
    if not isinstance(answer, dict):
        return answer
    kept = {name: settled(value) for name, value in answer.items() if name not in _VOLATILE}
    return kept | ({"next": True} if "next" in kept else {})


def differing(one: Json, other: Json) -> set[str]:
    """The parts in which two answers differ, by their names."""
    one, other = settled(one), settled(other)
    if isinstance(one, dict) and isinstance(other, dict):
        return {name for name in one.keys() | other.keys() if one.get(name) != other.get(name)}
    return set() if one == other else {"answer"}
