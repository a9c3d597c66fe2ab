"""Breaking the glass: what an override excuses, and what it never does."""

from __future__ import annotations

from datetime import timedelta

import pytest

from quality_checks.gates import decide, shortfalls
from search_index.model.operating import Override
from search_index.model.release import Manifest, now
from tests.quality_checks.test_gates import expected, manifest, pin, verdict, whole


def override(*checks: str) -> Override:
    at = now()
    return Override(id="3fa9", checks=list(checks), reason="urgent", actor="ana", ordered_at=at, expires_at=at + timedelta(hours=2))


def under(standing: Override | None) -> Manifest:
    return manifest({"s": pin()}).model_copy(update={"override": standing})


@pytest.mark.parametrize("standing", [override(), override("golden_floor")], ids=["all", "named"])
def test_a_failed_verdict_that_is_overridden_does_not_refuse_and_is_told(standing: Override) -> None:
    m = under(standing)
    verdicts = [verdict(e, "failed" if e.check == "golden_floor" else "passed") for e in whole(m)]
    ruling = decide(m, None, whole(m), verdicts, standing)
    assert (ruling.outcome, ruling.reasons) == ("publish", [])
    assert ruling.overridden == ["golden_floor: what it found"]


def test_another_failed_verdict_refuses_all_the_same() -> None:
    m = under(override("golden_floor"))
    verdicts = [verdict(e, "failed" if e.check in ("golden_floor", "index_reconciled") else "passed") for e in whole(m)]
    ruling = decide(m, None, whole(m), verdicts, m.override)
    assert (ruling.outcome, ruling.reasons) == ("refuse", ["index_reconciled: what it found"])


def test_a_missing_verdict_is_never_excused() -> None:
    m = under(override())
    verdicts = [verdict(e) for e in whole(m) if e.check != "golden_floor"]
    ruling = decide(m, None, whole(m), verdicts, m.override)
    assert (ruling.outcome, ruling.reasons, ruling.overridden) == ("refuse", ["golden_floor has no verdict on this data"], [])


def test_a_failed_check_of_access_is_never_excused() -> None:
    m = under(override())
    verdicts = [verdict(e, "failed" if e.check == "access_on_every_point" else "passed") for e in whole(m)]
    assert decide(m, None, whole(m), verdicts, m.override).reasons == ["access_on_every_point: what it found"]


@pytest.mark.parametrize("standing", [None, override("golden_floor")], ids=["expired meanwhile", "ordered after it was staged"])
def test_an_override_counts_only_for_what_was_staged_under_it_and_while_it_stands(standing: Override | None) -> None:
    m = under(override("golden_floor") if standing is None else None)
    verdicts = [verdict(e, "failed" if e.check == "golden_floor" else "passed") for e in whole(m)]
    assert decide(m, None, whole(m), verdicts, standing).reasons == ["golden_floor: what it found"]


def test_a_source_is_not_held_for_an_overridden_check() -> None:
    e = expected()
    assert shortfalls([e], [verdict(e, "failed")], override("check")) == []
    assert shortfalls([e], [verdict(e, "failed")], override("other")) == ["check: what it found"]
