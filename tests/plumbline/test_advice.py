"""From a symptom over its cause to the command that helps."""

from __future__ import annotations

from datetime import timedelta

import pytest

from plumbline.cli.advice import advise
from plumbline.cli.facts import Facts, LiveFacts, SourceFacts
from plumbline.up import UpState
from search_index.model.operating import EndedCanary, Freeze, Override
from search_index.model.release import now

AT = now()
FREEZE = Freeze(at=AT, actor="ana", reason="moving house")
OVERRIDE = Override(id="3fa9", checks=["golden_floor"], reason="urgent", actor="ana", ordered_at=AT, expires_at=AT + timedelta(hours=2))


def source(name: str = "docs", within_sla: bool | None = True, reasons: list[str] | None = None) -> SourceFacts:
    return SourceFacts(name, "live", 3, 9, 0, "docs", "default", AT, AT, 7200.0, 3600.0, within_sla, reasons or [])


def facts(live: LiveFacts | None = None) -> Facts:
    """All is well."""
    return Facts(
        home="home", live=live or LiveFacts(6, AT, 3, 9, 0.7), head=6, sources=[source()], disk={"free": 10**11}, golden_queries=4,
        service="http://127.0.0.1:8000", up=UpState(1, "http://127.0.0.1:8000", "http://127.0.0.1:3000"),
    )  # fmt: skip


def test_nothing_is_advised_where_all_is_well() -> None:
    assert advise(facts()) == []


BY_OVERRIDE = LiveFacts(6, AT, 3, 9, None, ["golden_floor: low"])
WITHDRAWN = EndedCanary(revision=7, share=0.1, at=AT, actor="ana", ended_at=AT, ended_by="the service", why="9 of 20 failed")
BEHIND = ("release 5 answers instead of release 6", "damaged", "plumbline releases rebuild 6")
LOW = ["golden_floor: nDCG@10 is 0.1"]
LOOK_AND_RESUME = "plumbline releases diff 6 6; then: plumbline releases resume"
TROUBLES: dict[str, tuple[dict[str, object], str, str, str]] = {
    "nothing published": ({"live": None}, "Nothing is published", "no run", "plumbline ingest"),
    "frozen": ({"frozen": FREEZE}, "frozen", "ana since", "plumbline releases resume"),
    "rolled back": ({"paused": "rolled back to release 5 by ana: prices"}, "prices", "automation", LOOK_AND_RESUME),
    "refused": ({"last_refused": (7, LOW)}, "Release 7 was refused", "golden_floor", "plumbline releases show 7"),
    "discarded while frozen": ({"last_refused": (7, [FREEZE.says])}, "Release 7 passed its gates", "no longer", "plumbline ingest"),
    "frozen with a candidate": ({"frozen": FREEZE, "last_refused": (7, [FREEZE.says])}, "frozen", "ana", "plumbline releases resume"),
    "override": ({"override": OVERRIDE}, "overridden", "golden_floor", "plumbline releases revoke"),
    "altered override": ({"altered_overrides": ["3fa9"]}, "3fa9 does not count", "edited", "plumbline releases revoke"),
    "live by override": ({"live": BY_OVERRIDE}, "did not pass", "golden_floor: low", "releases show 6"),
    "canary": ({"withdrawn": WITHDRAWN}, "Release 7 was withdrawn while it answered 10%", "9 of 20", "plumbline releases diff 6 7"),
    "held": ({"sources": [source(reasons=["source_reachable: gone"])]}, "docs is held", "source_reachable", "plumbline ingest"),
    "no golden set": ({"golden_queries": 0}, "not measured", "no golden set", "plumbline golden suggest"),
    "no service": ({"service": None}, "not running", "nothing answers", "plumbline up"),
    "service behind": ({"trouble": BEHIND}, "release 5 answers", "damaged", "rebuild 6"),
    "undelivered": ({"undelivered": ["since 2026: refused"]}, "1 alert", "refused", "PLUMBLINE_WEBHOOK_URL"),
    "disk": ({"disk": {"free": 10**8}}, "little room", "0.1 GB", "plumbline releases vacuum --dry-run"),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_trouble_is_named_with_its_cause_and_a_command(trouble: str) -> None:
    change, symptom, why, command = TROUBLES[trouble]
    troubled = facts()
    for name, value in change.items():
        setattr(troubled, name, value)
    (advice,) = advise(troubled)
    assert symptom in advice.symptom
    assert why in advice.why
    assert command in advice.command


@pytest.mark.parametrize(
    ("change", "why", "command"),
    [
        ({"frozen": FREEZE}, "publishing is frozen", "plumbline releases resume"),
        ({"paused": "rolled back"}, "publishing is paused", "plumbline releases resume"),
        ({"last_refused": (7, ["x"])}, "release 7, which would have brought it up to date, was refused", "plumbline releases show 7"),
        ({"up": None}, "nothing runs by itself", "plumbline ingest; to have it done by itself: plumbline up"),
        ({}, "no run has looked at it in time", "plumbline ingest"),
    ],
)
def test_a_stale_source_leads_to_what_makes_it_stale(change: dict[str, object], why: str, command: str) -> None:
    troubled = facts()
    troubled.sources = [source(within_sla=False)]
    for name, value in change.items():
        setattr(troubled, name, value)
    stale = next(advice for advice in advise(troubled) if "older than its contract promises" in advice.symptom)
    assert why in stale.why
    assert command in stale.command
