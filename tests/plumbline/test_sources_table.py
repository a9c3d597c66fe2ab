"""The table of sources: whose each is, where anybody speaks of tenants."""

from __future__ import annotations

from dataclasses import replace

import pytest

from plumbline.cli.facts import SourceFacts
from plumbline.cli.sources_table import show_sources

DOCS = SourceFacts("docs", "live", 3, 9, 0, "/srv/docs", "default", None, None, None, None, None, [])


def test_tenants_are_named_where_any_source_has_another_than_the_default(capfd: pytest.CaptureFixture[str]) -> None:
    show_sources([DOCS])
    assert "tenant" not in capfd.readouterr().out
    show_sources([DOCS, replace(DOCS, name="plans", tenant="north")])
    shown = capfd.readouterr().out
    assert all(word in shown for word in ("tenant", "default", "north"))
