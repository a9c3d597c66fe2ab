"""Why an answer may be empty: what a gate holds back, and what could not be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Final

from search_index.engine.interface import IndexReader, Visibility
from search_index.model.filters import Filters
from search_index.model.release import Held
from search_index.model.search import Hint
from search_index.ranker import Ranked

LOW_COSINE: Final = 0.2
"""Where the nearest passage is farther from the query than this, the index probably holds nothing on the matter."""


def hints_of(reader: IndexReader, ranked: Ranked, visibility: Visibility, answerable: bool | None) -> list[Hint]:
    """Why the answer is empty or poor, from nothing but what this principal may see."""
    hints: list[Hint] = []
    if not ranked.ids:
        unfiltered = replace(visibility, filters=Filters())
        if not reader.count(unfiltered):
            hints.append(Hint(code="nothing_indexed", message="Nothing that you may read is indexed in this release."))
        elif visibility.filters.model_dump(exclude_defaults=True) and not reader.count(visibility):
            hints.append(Hint(code="all_filtered_out", message="No passage meets the filters; take one away."))
        elif ranked.words_known is False:
            hints.append(Hint(code="no_terms_known", message="No word of the query occurs in what you may read; ask with other words."))
    if answerable is False:
        hints.append(Hint(code="no_good_answer", message="The index seems to hold nothing on this; the hits are the nearest there is."))
    elif answerable is None and ranked.best_cosine is not None and ranked.best_cosine < LOW_COSINE:
        hints.append(Hint(code="low_scores", message="Nothing is close to the query in meaning; the index may hold nothing on it."))
    return hints


def why_missing(held: Sequence[Held], quarantined: Mapping[str, int], asked: AbstractSet[str]) -> list[Hint]:
    """Hints on sources whose newest documents the answer could not have held; in the words of the search API.

    Args:
        held: sources the release goes on without the changes of.
        quarantined: how many unreadable files each source has.
        asked: the sources that were asked; empty for all.
    """
    hints = [
        Hint(
            code="held",
            message=f"Source {h.source} is held at an earlier state: {'; '.join(h.reasons)}. Its latest changes are not searchable yet.",
        )
        for h in held
        if not asked or h.source in asked
    ]
    for source, count in sorted(quarantined.items()):
        if not asked or source in asked:
            files = "1 file" if count == 1 else f"{count} files"
            hints.append(Hint(code="quarantined", message=f"{files} of source {source} could not be read and are in quarantine."))
    return hints
