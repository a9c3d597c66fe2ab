"""An index in which documents have many passages, metadata of every kind, and passages that not everyone may read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from search_index.deadline import Deadline
from search_index.engine.interface import Vector
from search_index.model.search import Principal, ReleaseRef, SearchAnswer, SearchRequest
from search_index.searcher import Searcher
from tests.search_index.engine.points import INDEX, Passage, vector_of

EVERYONE, BOARD = Principal(), Principal(groups=frozenset({"everyone", "board"}))
SECRET = "golden secret of the board"


class Encoder:
    """Knows the vector of every text by heart, and counts a word as a token."""

    model_name = "by heart"

    def encode_query(self, text: str) -> Vector:
        return vector_of(text)

    def count_tokens(self, text: str) -> int:
        return len(text.split())


def document(number: int, source: str, metadata: dict[str, str | int | float | bool | list[str]], year: int, parts: int) -> list[Passage]:
    """Passages of one document, each as far along in it as it is long."""
    modified = float(np.datetime64(f"{year}-03-05T12:00:00", "s").astype(int))
    return [
        Passage(
            f"{number:02d}.md", f"golden part {part} of {number} in {source}", source, modified_ts=modified, metadata=metadata, ordinal=part
        )
        for part in range(parts)
    ]


CORPUS: list[Passage] = [
    passage
    for number in range(20)
    for passage in document(
        number,
        "wiki" if number % 3 else "manual",
        {
            "lang": "en" if number % 4 else "de",
            "pages": number,
            "draft": number % 2 == 0,
            "on": f"20{10 + number}-0{1 + number % 9}-11",
            "tags": ["x", "y"] if number % 5 else ["z"],
        },
        2000 + number % 7,
        1 + number % 4,
    )
]
HIDDEN = [
    Passage("hidden.md", SECRET, "boardroom", access=("board",), metadata={"lang": "fr", "verdict": "guilty", "pages": "many"}, ordinal=0),
    replace(CORPUS[-1], text="golden secret part of an open document", access=("board",), ordinal=CORPUS[-1].ordinal + 1),
]
ALL = [*CORPUS, *HIDDEN]


def ask(
    searcher: Searcher, principal: Principal = EVERYONE, revision: int = 1, excluded: Sequence[str] = (), **request: object
) -> SearchAnswer:
    """One search; what is not said is as a caller finds it."""
    release = ReleaseRef(revision=revision, index=INDEX, run_id="run", published_at=None)
    asked = SearchRequest.model_validate({"query": "golden part", **request})
    return searcher.search(asked, release, principal, frozenset(excluded))


@dataclass(frozen=True)
class After(Deadline):
    """Passes after it was looked at so many times."""

    looks: int = 0
    looked: list[int] = field(default_factory=lambda: [0])

    @property
    def passed(self) -> bool:
        self.looked[0] += 1
        return self.looked[0] > self.looks

    def sooner(self, milliseconds: float | None) -> Deadline:
        return self
