"""Looking at sources between runs: has what a source holds moved on from what its manifest says?

A look lists names, sizes and times and reads no document, takes no lease and writes nothing. It is what lets a change go live
without a click, and an unchanged source cost next to nothing.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import timedelta

from pydantic import BaseModel, ConfigDict

from pipelines.sources import open_source
from pipelines.tables import Lake
from quality_checks.contracts import Contract
from search_index.catalog import Catalog
from search_index.errors import SourceUnavailable
from search_index.model.document import sha256

LOCAL_EVERY_S = 30.0
REMOTE_EVERY_S = 3600.0
LEAST_REMOTE_EVERY_S = 60.0
MOST_OF_THE_TIME = 0.05
"""A source is not listed for more than this share of the time."""
LISTING_DEADLINE_S = 20.0
MOST_ATTEMPTS = 6
_FIRST_WAIT_S = 120.0


class Look(BaseModel):
    """What the last look at a source found, kept between looks.

    ``digest`` is of the listing; ``handled`` names the run of the manifest step that the listing was compared with, ``held`` the
    digest of what that manifest lists. ``attempts`` counts how often this very change was announced, ``again_at`` is when it may be
    announced again, and ``next_at`` when the source is looked at next; both in seconds since the epoch.
    """

    model_config = ConfigDict(frozen=True)

    digest: str = ""
    contract: str = ""
    handled: str = ""
    held: str = ""
    attempts: int = 0
    again_at: float = 0.0
    next_at: float = 0.0


class Seen(BaseModel):
    """A change to announce: ``version`` is new with every announcement."""

    model_config = ConfigDict(frozen=True)

    source: str
    version: str
    files: int
    why: str


def look_every_s(contract: Contract) -> float:
    """Seconds between two looks: a folder of this machine is looked at all the time, other places a few times per promised freshness."""
    if (
        contract.website is None
        and contract.server_type != "custom"
        and ("://" not in contract.location or contract.location.startswith("file://"))
    ):
        return LOCAL_EVERY_S
    if contract.freshness_sla is None:
        return REMOTE_EVERY_S
    return max(LEAST_REMOTE_EVERY_S, contract.freshness_sla.total_seconds() / 4)


def look(contract: Contract, catalog: Catalog, lake: Lake, before: Look | None, now_s: float) -> tuple[Look, Seen | None]:
    """Look at one source once.

    A change is announced again, with a wait that doubles, for as long as the manifest does not show it: the run that was to
    take it in may have failed. After ``MOST_ATTEMPTS`` it is left to the scheduled runs, so that a source that cannot be
    ingested never loops.

    Returns:
        What to remember, and the change to announce when there is one.
    """
    began = time.monotonic()
    lane = catalog.lane(contract.name, "manifest")
    handled = lane.run_id + lane.at.isoformat() if lane else ""
    problem = str(lane.state.get("problem") or "") if lane else ""
    known: dict[str, str] | None = None if before is not None and before.handled == handled else _manifest(lake, contract.name)
    files, unlisted = 0, ""
    try:
        listed: dict[str, str] = {}
        for item in open_source(contract).list():
            listed[item.path] = item.signature
            if item.hides:  # a folder that cannot be looked into keeps what was known below it, as in the manifest
                known = _manifest(lake, contract.name) if known is None else known
                listed |= {path: signature for path, signature in known.items() if path.startswith(item.path) and path not in listed}
            if time.monotonic() - began > LISTING_DEADLINE_S:
                return _too_slow(before or Look(), contract, now_s), None
        digest, files = _listing_digest(listed), len(listed)
    except SourceUnavailable as e:
        unlisted = str(e)
        digest = sha256(f"unavailable\n{unlisted}")
    if before is not None and before.handled == handled:
        held = before.held
    elif contract.website is not None:
        held = digest  # its sitemap says other things than its pages: what it says first after a run is what later looks go by
    else:
        held = _listing_digest(known or {})
    wait = max(look_every_s(contract), (time.monotonic() - began) / MOST_OF_THE_TIME)
    why = _why(digest == held, unlisted, problem, lane is not None)
    if before is not None and before.contract != contract.digest:
        why = why or "its contract changed"
    found = Look(digest=digest, contract=contract.digest, handled=handled, held=held, next_at=now_s + wait)
    if not why:
        return found, None
    same = before is not None and before.attempts > 0 and (before.digest, before.contract) == (digest, contract.digest)
    if before is not None and same and (now_s < before.again_at or before.attempts >= MOST_ATTEMPTS):
        return found.model_copy(update={"attempts": before.attempts, "again_at": before.again_at}), None
    attempts = before.attempts + 1 if before is not None and same else 1
    found = found.model_copy(update={"attempts": attempts, "again_at": now_s + _FIRST_WAIT_S * 2 ** (attempts - 1)})
    return found, Seen(source=contract.name, version=f"{digest[:16]}.{contract.digest[:8]}.{attempts}", files=files, why=why)


def due(contracts: Mapping[str, Contract], looks: Mapping[str, Look], now_s: float) -> list[Contract]:
    """The sources that it is time to look at, the one that has waited longest first."""
    waiting = [(looks[name].next_at if name in looks else 0.0, name) for name in contracts]
    return [contracts[name] for next_at, name in sorted(waiting) if next_at <= now_s]


def confirm_cron(sla: timedelta | None) -> str | None:
    """When a lane runs even though nothing seems to have changed, as a cron expression: at least twice within its promised freshness.

    None: once a day is often enough, and that the daily schedule does.

    >>> confirm_cron(timedelta(hours=24))
    '0 */12 * * *'
    >>> confirm_cron(timedelta(minutes=15))
    '*/6 * * * *'
    """
    if sla is None or sla >= timedelta(days=2):
        return None
    minutes = sla.total_seconds() / 120
    if minutes >= 60:
        return f"0 */{_divisor(24, int(minutes // 60))} * * *"
    return f"*/{_divisor(60, max(1, int(minutes)))} * * * *"


def _divisor(whole: int, most: int) -> int:
    return next(n for n in range(min(most, whole), 0, -1) if whole % n == 0)


def _why(same_listing: bool, unlisted: str, problem: str, ran: bool) -> str:
    """What has changed, in a few words; empty when nothing has."""
    if unlisted:
        return "" if unlisted == problem else "it cannot be listed"
    if problem:
        return "it can be listed again"
    if not ran:
        return "it was never ingested"
    return "" if same_listing else "its files changed"


def _too_slow(before: Look, contract: Contract, now_s: float) -> Look:
    """Listing it takes longer than a look may: it is left to the scheduled runs, and tried again much later."""
    return before.model_copy(update={"contract": contract.digest, "next_at": now_s + max(REMOTE_EVERY_S, look_every_s(contract))})


def _manifest(lake: Lake, source: str) -> dict[str, str]:
    """Signature by path of what the manifest lists."""
    rows = lake.read_source("manifests", source, columns=["path", "signature"])
    return dict(zip(rows["path"].to_pylist(), rows["signature"].to_pylist(), strict=True))


def _listing_digest(listed: Mapping[str, str]) -> str:
    return sha256("\n".join(f"{path}\0{signature}" for path, signature in sorted(listed.items())))
