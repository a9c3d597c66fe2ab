"""Whoever asks, in whatever way, is told nothing of what they may not see: no word, no id, no count, and of other tenants not a bit."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.retrieval_service.access_property.site import Found, Site

CASES = 700
"""Requests to the services over one corpus, of which there is one a round."""
PARTS = 2
"""So that two processes can take turns."""


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("part", range(PARTS))
def test_nothing_of_what_may_not_be_seen_is_told_in_any_way(
    tmp_path: Path, rounds: int, part: int, record_property: Callable[[str, object], None]
) -> None:
    found = [asked(tmp_path / str(seed), seed) for seed in range(part, max(rounds, PARTS), PARTS)]
    cases: Counter[str] = sum((each.cases for each in found), Counter())
    leaks = [wrong for each in found for wrong in each.wrong]
    record_property("access", json.dumps([dict(sorted(cases.items())), sum(each.refused for each in found), len(leaks)]))
    assert leaks == []
    assert all(each.told > CASES / 10 for each in found), "too few were answered for this to show anything"
    assert {way.removesuffix(", engine gone") for way in cases} >= {"search", "batch", "context", "agent", "tool search", "reviews"}


def asked(folder: Path, seed: int) -> Found:
    """All cases over one corpus."""
    with Site(folder, seed) as site:
        while site.found.cases.total() < CASES:
            site.case()
        return site.found
