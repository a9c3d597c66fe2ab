"""Changes that are too large or too lax to go through unseen: each waits until a person accepts it."""

from __future__ import annotations

from collections.abc import Sequence

from search_index.model.release import SourcePin, digest_of, now
from search_index.model.search import EVERYONE
from search_index.model.state import Change

MASS_REMOVAL_MINIMUM = 10
"""Fewer removed documents than this are an ordinary edit, unless nothing is left."""


def mass_removal(source: str, published: set[str], present: set[str], threshold: float) -> Change | None:
    """The change that waits when more than ``threshold`` of a source's published documents vanished at once, else None."""
    gone = published - present
    if not gone or (len(gone) < MASS_REMOVAL_MINIMUM and present) or len(gone) / len(published) <= threshold:
        return None
    return _change(source, "mass_removal", f"{len(gone)} of {len(published)} documents are gone", sorted(gone))


def loosened_contract(
    source: str, published: SourcePin | None, access: list[str], checks: list[str], weakened: Sequence[str] = ()
) -> Change | None:
    """The change that waits when a contract lets more groups read, or demands less of the source, else None.

    Args:
        checks: names of the checks that can hold the source now.
        weakened: in what else it demands or protects less than the published one, a sentence each.
    """
    if published is None:
        return None
    # Whoever may read counts as everyone already, if everyone may.
    opened = [] if EVERYONE in published.access else sorted(set(access) - set(published.access))
    dropped = sorted(set(published.checks) - set(checks))
    more = [sentence for sentence in weakened if not any(name in sentence for name in dropped)]
    if not opened and not dropped and not more:
        return None
    said = [f"lets {', '.join(opened)} read" if opened else "", f"drops the checks {', '.join(dropped)}" if dropped else "", *more]
    identity = [opened, dropped, *([more] if more else [])]
    return _change(source, "loosened_contract", "the contract " + " and ".join(s for s in said if s), identity)


def unlike_published(source: str, check: str, problem: str, rows: str) -> Change:
    """The change that waits when documents differ from the published ones in a way that may be a fault.

    Args:
        rows: digest of the documents: it is these that are accepted, and none that come later.
    """
    return _change(source, "unlike_published", problem, [check, rows])


def source_removed(source: str, documents: int) -> Change:
    """The change that waits when a published source has no contract any more."""
    return _change(source, "source_removed", f"its contract is gone, with {documents} documents published", documents)


def _change(source: str, kind: str, description: str, of: object) -> Change:
    change = digest_of([source, kind, of])[:12]
    return Change.model_validate({"change": change, "source": source, "kind": kind, "description": description, "seen_at": now()})


def how_to_accept(change: Change) -> str:
    """What to say to the person who has to decide."""
    return f'{change.description}; to let it through: plumbline sources accept {change.source} --change {change.change} --reason "..."'
