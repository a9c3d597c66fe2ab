"""What stands in for an engine that is gone: the release's passages in memory, found by their words, and said so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

from search_index.errors import ArmsUnavailable, HomeDamaged, NotInMemory, PlumblineError, ServerUnavailable
from search_index.model.search import Arm, Degraded, Mode, SearchAnswer

if TYPE_CHECKING:
    from search_index.searcher import Searcher

Standby: TypeAlias = "Callable[[], Searcher | None]"
"""Gives a searcher over the passages in memory, or None while there is none."""

ENGINE_LOST: Final = (ArmsUnavailable, HomeDamaged, ServerUnavailable)
"""What a search fails with where the engine does not answer, be it in an arm or in reading what the arms found."""


def no_standby() -> None:
    """Nothing stands by."""


def stands_in(mode: Mode) -> bool:
    """Whether words may answer for a mode: not for one that asks for meaning alone."""
    return mode != "dense"


def standing_by(memory: Searcher | None) -> Searcher:
    """What answers in mode ``lexical``.

    Raises:
        NotInMemory: nothing does.
    """
    if memory is None:
        raise NotInMemory(
            "No passages are kept in memory: there are too many, or they are being copied.",
            "Ask in mode `sparse`, or set PLUMBLINE_FALLBACK_PASSAGES to more than the release has.",
        )
    return memory


def left_out(answer: SearchAnswer, arms: Sequence[Arm], lost: PlumblineError) -> SearchAnswer:
    """An answer from memory that says which arms it does without, and by what class of error each was lost."""
    reason = type(lost.__cause__ or lost).__name__
    return answer.model_copy(update={"degraded": [*(Degraded(arm=arm, reason=reason) for arm in arms), *answer.degraded]})
