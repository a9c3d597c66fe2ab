"""How long an answer may take: every stage looks before it starts, none is cut off in its middle."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Deadline:
    """An instant on the clock of ``time.monotonic``, in seconds; infinity is never."""

    at: float = math.inf

    @staticmethod
    def after(milliseconds: float) -> Deadline:
        """That many milliseconds from now."""
        return Deadline(time.monotonic() + milliseconds / 1e3)

    @property
    def passed(self) -> bool:
        """Whether it is too late to start anything."""
        return self.at != math.inf and time.monotonic() >= self.at

    def sooner(self, milliseconds: float | None) -> Deadline:
        """This one, or that many milliseconds from now, whichever is sooner."""
        return self if milliseconds is None else Deadline(min(self.at, Deadline.after(milliseconds).at))


NEVER = Deadline()
