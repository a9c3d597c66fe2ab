"""Waiting until what was pushed can be searched."""

from __future__ import annotations

from search_index.model.pushing import PushStatus

LOOK_EVERY_S = 1.0


class PushNotLive(Exception):
    """Something that was pushed is not live: it took too long, or it takes a person. ``status`` says what became of each document."""

    def __init__(self, status: PushStatus, why: str) -> None:
        left = [each.uri for each in status.documents if each.state != "live"]
        super().__init__(f"{len(left)} of {len(status.documents)} documents are not live: {why}. {left[0]} is one of them.")
        self.status = status


def settled(status: PushStatus, waited_s: float, timeout_s: float) -> bool:
    """Whether waiting is over.

    Raises:
        PushNotLive: and it will not become live by itself, or there is no more time.
    """
    if status.live:
        return True
    states = {each.state for each in status.documents}
    if states & {"held", "unreadable"}:
        checks = sorted({check for each in status.documents for check in each.checks})
        raise PushNotLive(status, f"held by {', '.join(checks)}" if checks else "they cannot be read")
    if waited_s >= timeout_s:
        raise PushNotLive(status, f"not within {timeout_s:g} seconds")
    return False
