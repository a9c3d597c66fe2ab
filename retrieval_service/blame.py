"""Whose an answer's failure is: what an operator wants to know before anything else."""

from __future__ import annotations

from typing import Literal

ErrorClass = Literal["caller", "model", "engine", "not_ready", "shed", "ours"]
_OF: dict[str, ErrorClass] = {
    "model-mismatch": "model",
    "arms-unavailable": "engine",
    "home-damaged": "engine",
    "release-untrusted": "engine",
    "server-unavailable": "engine",
    "disk-full": "engine",
    "nothing-published": "not_ready",
    "release-loading": "not_ready",
    "starting": "not_ready",
    "access-unknown": "not_ready",
    "overloaded": "shed",
    "too-many-requests": "shed",
    "deadline-exceeded": "shed",
}


def class_of(status: int, slug: str) -> ErrorClass | None:
    """None where nothing failed.

    ``caller``: the request, or who sent it. ``model``, ``engine``: what answers is not what it should be, or not there. ``not_ready``: it
    passes by itself. ``shed``: more came, or was asked for sooner, than can be answered. ``ours``: a defect.
    """
    if status < 400:
        return None
    return _OF.get(slug) or ("caller" if status < 500 else "ours")
