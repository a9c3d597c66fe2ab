"""What the service answers instead of what was asked for, as an exception."""

from __future__ import annotations

import httpx


class PlumblineProblem(Exception):
    """The service said no, or could not be reached.

    ``slug`` names the class of problem (``unauthorized``, ``nothing-published``, ``overloaded``, ...; ``unreachable`` where there was no
    answer), ``status`` is 0 there. ``remedy`` says what to do; ``request_id`` is in the service's log. ``retry_after_s`` is set where
    asking again makes sense.
    """

    def __init__(
        self, slug: str, status: int, detail: str, remedy: str = "", request_id: str = "", retry_after_s: float | None = None
    ) -> None:
        super().__init__(f"{detail} {remedy}".strip())
        self.slug = slug
        self.status = status
        self.detail = detail
        self.remedy = remedy
        self.request_id = request_id
        self.retry_after_s = retry_after_s


def problem_in(response: httpx.Response) -> PlumblineProblem:
    """The problem that a response with a status of 400 or more states; something of its own where a proxy answered instead."""
    try:
        said = response.json()
        slug, detail = str(said["type"]).rpartition(":")[2], str(said["detail"])
    except (ValueError, KeyError, TypeError):
        return PlumblineProblem(
            "http", response.status_code, f"The service answered {response.status_code}.", retry_after_s=_wait(response)
        )
    return PlumblineProblem(
        slug, response.status_code, detail, str(said.get("remedy", "")), str(said.get("request_id", "")), _wait(response)
    )


def unreachable(error: httpx.TransportError) -> PlumblineProblem:
    """That there was no answer."""
    return PlumblineProblem(
        "unreachable", 0, f"The service cannot be reached: {type(error).__name__}.", "Is it running, and is this its address?"
    )


def _wait(response: httpx.Response) -> float | None:
    try:
        return float(response.headers["Retry-After"])
    except (KeyError, ValueError):
        return None
