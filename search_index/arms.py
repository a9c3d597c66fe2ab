"""Each time an arm is asked somebody may mind it: the seam between ranking and whoever times arms, traces them or lets them rest."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Literal, Protocol

from search_index.model.search import Arm

Work = Literal["encode", "find", "score"]
"""Of an arm: making the query's vector or term weights, finding candidates, scoring or reading given points."""


class ArmGate(Protocol):
    """Minds the arms of one process. Safe for use by many threads at once."""

    def asking(self, arm: Arm, work: Work) -> AbstractContextManager[None]:
        """Round each call of an arm.

        Raises (on entering):
            Exception: it is not to be asked now; the class says why in the answer's ``degraded``.
        """
        ...


class AlwaysOpen:
    """Asks every arm every time: for evaluation, which wants to know, and not to be spared."""

    def asking(self, arm: Arm, work: Work) -> AbstractContextManager[None]:
        """See ``ArmGate``."""
        return nullcontext()


ALWAYS_OPEN: ArmGate = AlwaysOpen()
