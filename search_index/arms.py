"""Whether an arm is to be asked at all: the seam between ranking, which asks, and whoever minds that arms fail."""

from __future__ import annotations

from typing import Protocol

from search_index.model.search import Arm


class ArmGate(Protocol):
    """Minds the arms of one process. Safe for use by many threads at once."""

    def admit(self, arm: Arm) -> None:
        """Let an arm be asked.

        Raises:
            Exception: it is not to be asked now; the class says why in the answer's ``degraded``.
        """
        ...

    def answered(self, arm: Arm) -> None:
        """An arm that was admitted has answered."""
        ...

    def failed(self, arm: Arm, error: Exception) -> None:
        """An arm that was admitted has not."""
        ...


class AlwaysOpen:
    """Asks every arm every time: for evaluation, which wants to know, and not to be spared."""

    def admit(self, arm: Arm) -> None:
        """See ``ArmGate``."""

    def answered(self, arm: Arm) -> None:
        """See ``ArmGate``."""

    def failed(self, arm: Arm, error: Exception) -> None:
        """See ``ArmGate``."""


ALWAYS_OPEN: ArmGate = AlwaysOpen()
