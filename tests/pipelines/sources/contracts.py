"""Contracts for the tests of sources."""

from __future__ import annotations

from pathlib import Path

from pipelines.sources import SourceItem, open_source
from quality_checks.contract_terms import Limits
from quality_checks.contracts import Contract


def contract(location: Path | str, limits: dict[str, int] | None = None, **more: object) -> Contract:
    """A contract of that location; more of its terms by name."""
    made = Contract(name="s", version="1", digest="d", status="active", owner="o", location=str(location))
    return made.model_copy(update={"limits": Limits.model_validate(limits or {}), **more})


def listed(of: Contract) -> dict[str, SourceItem]:
    """What a source lists, by path."""
    return {item.path: item for item in open_source(of).list()}


def problems(of: Contract) -> dict[str, str]:
    """What a source lists with a problem: path and problem."""
    return {path: item.problem for path, item in listed(of).items() if item.problem}
