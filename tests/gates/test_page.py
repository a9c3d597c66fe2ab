"""docs/gates.md lists every check as the code has it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from quality_checks.contracts import load_contract
from quality_checks.default_contract import default_contract
from quality_checks.gates import CANDIDATE_CHECKS, EVALUATION_CHECKS, STAGES, stage_checks
from tests.conftest import ROOT


@dataclass(frozen=True)
class Row:
    """One check."""

    name: str
    on: str
    severity: str
    description: str


def every_check(folder: Path) -> list[Row]:
    """The checks that every source and every candidate is asked, in order; a contract's own rules come on top."""
    path = folder / "docs.yaml"
    path.write_text(default_contract("docs", "/srv/docs"))
    contract = load_contract(path, {})
    lanes = [Row(c.name, stage, c.severity, c.description) for stage in STAGES for c in stage_checks(contract, stage)]
    whole = [("candidate", CANDIDATE_CHECKS), ("evaluation", EVALUATION_CHECKS)]
    return lanes + [Row(c.name, on, c.severity, c.description) for on, checks in whole for c in checks]


def test_the_page_lists_every_check_as_it_is(tmp_path: Path) -> None:
    lines = (ROOT / "docs" / "gates.md").read_text().splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| `")]
    listed = [Row(name.strip("`"), on, severity, description) for name, on, severity, description, _ in cells]
    assert listed == every_check(tmp_path)
    assert all(len(remedy) > 10 for *_, remedy in cells)
