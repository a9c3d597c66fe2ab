"""What a changed contract changed, and which changes a person has to acknowledge."""

from __future__ import annotations

from pathlib import Path

import pytest

from quality_checks.contract_versions import differences, opened, terms_of, weakened
from quality_checks.contracts import load_contract
from quality_checks.default_contract import default_contract

TERMS = """
slaProperties:
  - {property: latency, value: 2, unit: d}
schema:
  - name: documents
    quality:
      - {name: enough, rule: rowCount, mustBeGreaterThan: 10}
      - {name: hint, rule: rowCount, mustBeGreaterThan: 50, severity: warning}
    properties:
      - name: title
        quality:
          - {name: titles, rule: nullValues, mustBeLessOrEqualTo: 5, unit: percent}
      - name: parser
        quality:
          - {name: parsers, rule: validValues, validValues: [markdown, pdf]}
      - name: path
        quality:
          - name: sizes
            type: custom
            engine: greatExpectations
            implementation: {type: expect_column_values_to_be_in_set, kwargs: {column: status, value_set: [ok], mostly: 0.9}}
customProperties:
  - {property: removalThreshold, value: 0.2}
  - {property: privacy, value: {classification: restricted, personal_data: true}}
"""


def terms(tmp_path: Path, *changes: tuple[str, str]) -> dict[str, object]:
    text = default_contract("docs", "/srv/docs").replace("role: everyone", "role: staff") + TERMS
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    path = tmp_path / "docs.yaml"
    path.write_text(text)
    return dict(terms_of(load_contract(path, {})))


WEAKER = [
    (("status: active", "status: active\ntenant: north"), "moves the source from the tenant default to the tenant north"),
    (("mustBeGreaterThan: 10", "mustBeGreaterThan: 5"), "weakens the rule contract_enough (min_value)"),
    (("      - {name: enough, rule: rowCount, mustBeGreaterThan: 10}\n", ""), "drops the rule contract_enough"),
    (("mustBeGreaterThan: 10", "mustBeGreaterThan: 10, severity: warning"), "makes the rule contract_enough a warning"),
    (("mustBeLessOrEqualTo: 5", "mustBeLessOrEqualTo: 20"), "weakens the rule contract_titles (max_value)"),
    (("validValues: [markdown, pdf]", "validValues: [markdown, pdf, docx]"), "asks something else by the rule contract_parsers"),
    (("value_set: [ok]", "value_set: [ok, quarantined]"), "weakens the rule contract_sizes (value_set)"),
    (("mostly: 0.9", "mostly: 0.5"), "weakens the rule contract_sizes (mostly)"),
    (("value: 0.2", "value: 0.5"), "lets 50% of the documents vanish at once"),
    (("classification: restricted", "classification: internal"), "is internal where it was restricted"),
    (("personal_data: true", "personal_data: false"), "says that it holds no personal data"),
    (("value: 2, unit: d", "value: 3, unit: d"), "promises less freshness"),
    (("  - {property: latency, value: 2, unit: d}", "  []"), "promises less freshness"),
]


@pytest.mark.parametrize(("change", "said"), WEAKER, ids=[said for _, said in WEAKER])
def test_a_weaker_contract_is_told(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    assert weakened(terms(tmp_path), terms(tmp_path, change)) == [said]


@pytest.mark.parametrize(
    "change",
    [
        ("mustBeGreaterThan: 10", "mustBeGreaterThan: 20"),
        ("mustBeGreaterThan: 50", "mustBeGreaterThan: 5"),
        ("mustBeLessOrEqualTo: 5", "mustBeLessOrEqualTo: 1"),
        ("mostly: 0.9", "mostly: 0.95"),
        ("value: 0.2", "value: 0.1"),
        ("value: 2, unit: d", "value: 1, unit: d"),
        ("purpose: ", "purpose: All "),
        ("personal_data: true", "personal_data: true, legal_basis: contract"),
    ],
)
def test_a_stricter_or_better_described_contract_is_not_weaker(tmp_path: Path, change: tuple[str, str]) -> None:
    before, after = terms(tmp_path), terms(tmp_path, change)
    assert weakened(before, after) == []
    assert differences(before, after)


def test_differences_name_terms_with_what_they_were_and_are(tmp_path: Path) -> None:
    before, after = terms(tmp_path), terms(tmp_path, ("version: 1.0.0", "version: 1.1.0"), ("value: 0.2", "value: 0.1"))
    (found,) = differences(before, after)
    assert (found.term, found.old, found.new) == ("removal_threshold", 0.2, 0.1)


def test_groups_that_may_read_now_are_named(tmp_path: Path) -> None:
    before, after = terms(tmp_path), terms(tmp_path, ("role: staff", "role: everyone"))
    assert opened(before, after) == ["everyone"]
    assert opened(after, before) == []
