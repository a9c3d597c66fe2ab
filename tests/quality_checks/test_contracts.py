"""Data contracts: what the shipped ones say, and mistakes with file, line and reason."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quality_checks.contracts import Contract, RecordMapping, load_contract, load_contracts
from quality_checks.default_contract import default_contract, source_name_for
from search_index.errors import ContractInvalid

ROOT = Path(__file__).resolve().parents[2]
FULL = """\
apiVersion: v3.0.2
kind: DataContract
id: urn:acme:support
name: support
version: 2.1.0
status: active
domain: service
tags: [team:support, urgent]
description: {purpose: Answers, usage: Agents, limitations: None}
servers:
  - server: bucket
    type: s3
    location: s3://acme/${STAGE}/tickets
    format: records
team:
  - {username: ann@acme.test, role: steward}
  - {username: bob@acme.test, role: Owner}
roles:
  - {role: support, access: read}
  - {role: auditors}
  - {role: writers, access: write}
slaProperties:
  - {property: frequency, value: 1, unit: w}
  - {property: latency, value: 36, unit: h}
  - {property: retention, value: 2, unit: years}
schema:
  - name: documents
    quality:
      - rule: rowCount
        mustBeBetween: [10, 5000]
    properties:
      - name: title
        quality:
          - {rule: nullCheck, mustBeLessThan: 5, unit: percent, severity: warning, dimension: completeness}
customProperties:
  - {property: records, value: {id: _id, title: title, text: body}}
  - {property: chunking, value: {max_tokens: 128, overlap_tokens: 16, strategy: by_title}}
  - {property: include, value: ["*.jsonl"]}
  - {property: golden, value: support.yaml}
  - {property: privacy, value: {classification: restricted, personal_data: true, legal_basis: contract}}
  - {property: removalThreshold, value: 0.2}
  - {property: metadata, value: {product: widget, year: 2026, areas: [a, b]}}
  - {property: languages, value: [en, de]}
"""


def written(folder: Path, text: str = FULL, name: str = "support.yaml") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def loaded(folder: Path, text: str = FULL) -> Contract:
    return load_contract(written(folder, text), {"STAGE": "prod"})


def test_every_part_of_a_contract_is_read(tmp_path: Path) -> None:
    contract = loaded(tmp_path)
    assert (contract.name, contract.version, contract.owner, contract.domain) == ("support", "2.1.0", "bob@acme.test", "service")
    assert (contract.location, contract.format) == ("s3://acme/prod/tickets", "records")
    assert contract.records == RecordMapping(id="_id", title="title", text="body")
    assert (contract.freshness_sla, contract.retention) == (timedelta(hours=36), timedelta(days=730))
    assert (contract.frequency, contract.languages) == (timedelta(weeks=1), ("en", "de"))
    assert contract.access_groups == ("support", "auditors")
    assert (contract.chunking.max_tokens, contract.chunking.overlap_tokens, contract.chunking.strategy) == (128, 16, "by_title")
    assert (contract.include, contract.exclude, contract.golden, contract.removal_threshold) == (("*.jsonl",), (), "support.yaml", 0.2)
    assert contract.privacy.personal_data
    assert contract.tags == {"team": "support", "urgent": ""}
    assert contract.metadata == {"product": "widget", "year": 2026, "areas": ["a", "b"]}
    count, nulls = contract.rules
    assert (count.name, count.expectation, count.kwargs) == (
        "contract_documents_table_row_count_to_be_between",
        "expect_table_row_count_to_be_between",
        {"min_value": 10, "max_value": 5000},
    )
    assert (nulls.severity, nulls.dimension, nulls.kwargs["max_value"], nulls.kwargs["strict_max"]) == (
        "warning",
        "completeness",
        0.05,
        True,
    )


def test_defaults_are_the_documented_ones(tmp_path: Path) -> None:
    contract = load_contract(written(tmp_path, default_contract("docs", "/srv/docs")), {})
    assert (contract.tenant, contract.access_groups) == ("default", ("everyone",))
    assert (contract.chunking.max_tokens, contract.chunking.overlap_tokens, contract.chunking.strategy) == (256, 32, "by_title")
    assert (contract.removal_threshold, contract.freshness_sla, contract.records, contract.rules) == (0.5, None, None, ())
    assert contract.owner


@pytest.mark.parametrize("tenant", ["north", "north-sea_2", "a" * 64])
def test_a_contract_says_whose_the_source_is(tmp_path: Path, tenant: str) -> None:
    contract = load_contract(written(tmp_path, f"tenant: {tenant}\n{default_contract('docs', '/srv/docs')}"), {})
    assert contract.tenant == tenant


MISTAKES = [
    ("status: active", "status: active\ntenant: North", 7, "tenant: 'North' does not match"),
    ("status: active", "status: active\ntenant: ''", 7, "tenant: '' does not match"),
    ("status: active", f"status: active\ntenant: {'a' * 65}", 7, "is too long"),
    ("domain: service", "domian: service", 7, "unknown key 'domian' in the contract (did you mean 'domain'?)"),
    ("overlap_tokens: 16", "overlap_token: 16", 37, "unknown key 'overlap_token'"),
    ("version: 2.1.0", "version: 2.1", 5, "version must be text: put 2.1 in quotes"),
    ("id: urn:acme:support\n", "", 1, "'id' is missing from the contract"),
    ("name: support\n", "name: Support\n", 4, "name: 'Support' does not match"),
    ("${STAGE}", "${STAG}", 13, "nothing is known as ${STAG} (did you mean 'STAGE'?)"),
    ("    location: s3", "    path: s3", 11, "'location' is missing from servers.0"),
    ("unit: h", "unit: fortnights", 24, "slaProperties.1.unit cannot be 'fortnights'"),
    ("rule: nullCheck", "rule: nullChek", 34, "(did you mean 'nullCheck'?)"),
    ("rule: nullCheck, ", "", 34, "wants `rule` or `metric`"),
    ("- name: title\n", "- name: text\n", 34, "a rule may not read text; use 'text_length'"),
    ("- name: title\n", "- name: titel\n", 34, "documents have no column 'titel' that a rule may read (did you mean 'title'?)"),
    ("mustBeBetween: [10, 5000]", "severity: error", 29, "rowCount wants an operator"),
    ("mustBeBetween: [10, 5000]", "mustBeBetween: [50, 10]", 29, "no number is at least 50 and at most 10"),
    ("property: golden,", "property: goldn,", 39, "(did you mean 'golden'?)"),
    ("property: golden, value: support.yaml", "property: include, value: [x]", 39, "'include' is given twice"),
    ("overlap_tokens: 16", "overlap_tokens: 65", 37, "overlap_tokens (65) is more than half of max_tokens (128)"),
    ("product: widget", "source: widget", 42, "metadata may not set 'source'"),
    ("format: records", "format: files", 36, "'records' is for a server whose format is 'records'"),
    ("removalThreshold, value: 0.2", "removalThreshold, value: 2", 41, "greater than the maximum of 1"),
    ("status: active", "status: [active", 7, "expected"),
    ("status: active", "status: &a active\nid: *a", 7, "aliases are not allowed"),
    ("status: active", "status: active\nstatus: draft", 7, "duplicate key"),
]


@pytest.mark.parametrize(("old", "new", "line", "reason"), MISTAKES, ids=[reason for *_, reason in MISTAKES])
def test_a_mistake_is_reported_with_file_line_and_reason(tmp_path: Path, old: str, new: str, line: int, reason: str) -> None:
    assert FULL.count(old) == 1
    with pytest.raises(ContractInvalid) as raised:
        loaded(tmp_path, FULL.replace(old, new))
    assert [said for said in raised.value.what.splitlines() if f"support.yaml:{line}: " in said and reason in said], raised.value.what


def test_all_mistakes_are_reported_at_once(tmp_path: Path) -> None:
    text = FULL.replace("domain:", "domian:").replace("access: write", "access: wrte").replace("unit: years", "unit: aeons")
    with pytest.raises(ContractInvalid) as raised:
        loaded(tmp_path, text)
    assert raised.value.what.count("support.yaml:") == 3


def test_nobody_can_be_left_out_of_owning_or_reading(tmp_path: Path) -> None:
    start, end = FULL.index("team:\n"), FULL.index("roles:")
    with pytest.raises(ContractInvalid, match="nobody owns this source"):
        loaded(tmp_path, FULL[:start] + FULL[end:])
    supported = FULL[:start] + "support: [{channel: mail, url: 'mailto:help@acme.test'}]\n" + FULL[end:]
    assert loaded(tmp_path, supported).owner == "help@acme.test"
    with pytest.raises(ContractInvalid, match="no role has `access: read`"):
        loaded(tmp_path, FULL.replace("access: read", "access: none").replace("{role: auditors}", "{role: auditors, access: none}"))


def test_a_relative_location_is_relative_to_the_file_and_the_environment_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "leaked")
    text = default_contract("docs", "../files/./a")
    assert load_contract(written(tmp_path / "contracts", text), {}).location == str(tmp_path / "files" / "a")
    with pytest.raises(ContractInvalid, match=r"nothing is known as \$\{SECRET\}"):
        load_contract(written(tmp_path, default_contract("docs", "${SECRET}/a")), {})
    assert "SECRET" in os.environ


def test_the_digest_changes_with_content_and_not_with_comments_or_places(tmp_path: Path) -> None:
    digest = loaded(tmp_path).digest
    assert loaded(tmp_path / "elsewhere", "# a comment\n" + FULL).digest == digest
    assert load_contract(written(tmp_path), {"STAGE": "test"}).digest == digest
    assert loaded(tmp_path, FULL.replace("access: write", "access: read")).digest != digest


def test_a_folder_gives_the_good_and_the_broken_by_name(tmp_path: Path) -> None:
    written(tmp_path / "a")
    written(tmp_path / "a", default_contract("docs", "/srv").replace("kind:", "kid:"), "whatever.yml")
    written(tmp_path / "a", "name: [", "Half Written.yaml")
    good, broken = load_contracts([tmp_path / "a", tmp_path / "absent"], {"STAGE": "x"})
    assert list(good) == ["support"]
    assert sorted(broken) == ["docs", "half_written"]
    assert "did you mean 'kind'?" in broken["docs"].what


def test_a_name_two_files_claim_belongs_to_neither(tmp_path: Path) -> None:
    first, second = written(tmp_path / "a"), written(tmp_path / "b", name="other.yaml")
    good, broken = load_contracts([tmp_path / "a", tmp_path / "b"], {"STAGE": "x"})
    assert good == {}
    assert str(first) in broken["support"].what
    assert str(second) in broken["support"].what


def test_a_file_that_cannot_be_read_is_a_broken_contract(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_bytes(b"name: \xff\xfe")
    with pytest.raises(ContractInvalid, match=r"bad\.yaml:1: not UTF-8"):
        load_contract(tmp_path / "bad.yaml", {})
    with pytest.raises(ContractInvalid, match="cannot be read"):
        load_contract(tmp_path / "absent.yaml", {})


def test_the_shipped_contracts_are_valid() -> None:
    good, broken = load_contracts([ROOT / "contracts"], {"PLUMBLINE_HOME": "/srv/home"})
    assert broken == {}
    assert good["handbook"].location == str(ROOT)
    assert good["samples"].location == "/srv/home/samples"
    assert all(contract.owner and contract.description for contract in good.values())


@given(st.text(max_size=30), st.sampled_from(["/srv/", "s3://bucket/", "https://"]))
def test_any_place_gets_a_name_that_makes_a_valid_default_contract(last: str, before: str) -> None:
    name = source_name_for(before + last.replace("\x00", ""))
    assert name[0].isalpha()
    assert name.isascii()
    assert name.islower()
    assert name.replace("_", "").isalnum()


@pytest.mark.parametrize(
    "location", ["/tmp/a b: #c", "s3://bucket/ü", "gs://b/x", "https://docs.example.com/", "memory://x", '/it\'s "here"']
)
def test_a_default_contract_survives_odd_places(tmp_path: Path, location: str) -> None:
    contract = load_contract(written(tmp_path, default_contract("docs", location)), {})
    assert contract.location == location
    assert contract.format == "files"
