"""When a request is sent again: the service asked for it, or could not be reached."""

from __future__ import annotations

from dataclasses import dataclass

from tenacity import RetryCallState, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from retrieval_service.client.problem import PlumblineProblem

LONGEST_WAIT_S = 30.0
"""Whoever says `Retry-After: 3600` is not waited for; the problem is raised instead."""
_jitter = wait_exponential_jitter(multiplier=0.1, max=5.0)


@dataclass(frozen=True)
class Retrying:
    """At most ``attempts`` tries in all. Only 429, 503 and failed connections are tried again."""

    attempts: int = 4

    def worth_it(self, error: BaseException) -> bool:
        """Whether a try that ended so may end otherwise."""
        if not isinstance(error, PlumblineProblem):
            return False
        if error.retry_after_s is not None and error.retry_after_s > LONGEST_WAIT_S:
            return False
        return error.status in (0, 429, 503)

    def wait_s(self, state: RetryCallState) -> float:
        """What the service asked for, and no less than a growing, jittered wait."""
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after_s if isinstance(error, PlumblineProblem) else None
        return max(asked or 0.0, float(_jitter(state)))

    def rules(self) -> dict[str, object]:
        """For tenacity."""
        return {
            "retry": retry_if_exception(self.worth_it),
            "stop": stop_after_attempt(max(1, self.attempts)),
            "wait": self.wait_s,
            "reraise": True,
        }
