"""Why an answer may be empty: what a gate holds back, and what could not be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

from search_index.model.release import Held
from search_index.model.search import Hint


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
