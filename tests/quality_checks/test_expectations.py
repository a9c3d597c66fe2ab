"""Each built-in check fails on a table with exactly its defect, and no other check does."""

from __future__ import annotations

import hashlib
import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from quality_checks.columns import WORKED_OUT
from quality_checks.contracts import Contract, load_contract
from quality_checks.default_contract import default_contract
from quality_checks.expectations import CheckResult, CheckSpec, checks_for, run_checks
from quality_checks.rules import STAGES, Stage

Row = dict[str, object]
SECRET = "the text of a document"
DIMENSION = 32


def contract(tmp_path: Path, extra: str = "") -> Contract:
    path = tmp_path / "docs.yaml"
    path.write_text(default_contract("docs", "/srv/docs") + extra, encoding="utf-8")
    return load_contract(path, {})


def documents(count: int = 30) -> list[Row]:
    return [
        {
            "document_id": f"d{n}",
            "uri": f"docs:{n}.md",
            "path": f"{n}.md",
            "title": f"Page {n}",
            "status": "ok",
            "reason": None,
            "raw_sha256": hashlib.sha256(str(n).encode()).hexdigest(),
            "size": 100 + n,
            "parser": "markdown",
            "text": f"{SECRET} {n}",
            "access": ["everyone"],
            "access_ok": True,
            "bytes_ok": True,
            "modified_at": None,
        }
        for n in range(count)
    ]


def chunks(count: int = 30) -> list[Row]:
    rows: list[Row] = []
    for n in range(count):
        text = f"{SECRET} {n}"
        rows.append(
            {
                "chunk_id": f"c{n}",
                "document_id": f"d{n}",
                "ordinal": 0,
                "start": 0,
                "end": len(text),
                "text": text,
                "header": "",
                "text_sha256": hashlib.sha256(text.encode()).hexdigest(),
                "tokens": 12,
                "page_first": None,
                "page_last": 1,
                "access": ["everyone", "staff"],
                "document_text_slice_ok": True,
                "places_ok": True,
                "encoder_fits": True,
                "access_ok": True,
                "overlap_ok": True,
                "covered": True,
            }
        )
    return rows


def vectors(count: int = 30) -> list[Row]:
    made = np.random.default_rng(7).normal(size=(count, DIMENSION)).astype(np.float32)
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    return [{"vector_key": f"k{n}", "vector": made[n].tolist()} for n in range(count)]


TYPES: dict[Stage, pa.Schema] = {
    "documents": pa.schema(
        [(name, pa.string()) for name in ("document_id", "uri", "path", "title", "status", "reason", "raw_sha256", "parser", "text")]
        + [
            ("size", pa.int64()),
            ("access", pa.list_(pa.string())),
            ("modified_at", pa.timestamp("us", tz="UTC")),
            ("access_ok", pa.bool_()),
            ("bytes_ok", pa.bool_()),
        ]
    ),
    "chunks": pa.schema(
        [(name, pa.string()) for name in ("chunk_id", "document_id", "text", "header", "text_sha256")]
        + [(name, pa.int64()) for name in ("ordinal", "start", "end", "tokens", "page_first", "page_last")]
        + [("access", pa.list_(pa.string()))]
        + [(name, pa.bool_()) for name in WORKED_OUT]
    ),
    "vectors": pa.schema([("vector_key", pa.string()), ("vector", pa.list_(pa.float32()))]),
}
MAKE: dict[Stage, Callable[[int], list[Row]]] = {"documents": documents, "chunks": chunks, "vectors": vectors}
EXPECTED: dict[Stage, list[str]] = {
    "documents": [f"d{n}" for n in range(30)],
    "chunks": [f"d{n}" for n in range(30)],
    "vectors": [f"k{n}" for n in range(30)],
}


def run(specs: tuple[CheckSpec, ...], stage: Stage, rows: list[Row]) -> list[CheckResult]:
    return run_checks(specs, pa.Table.from_pylist(rows, schema=TYPES[stage]), EXPECTED[stage])


def first(**changes: object) -> Callable[[list[Row]], list[Row]]:
    return lambda rows: [rows[0] | changes, *rows[1:]]


def quarantined(count: int) -> Callable[[list[Row]], list[Row]]:
    return lambda rows: [
        row | {"status": "quarantined", "reason": "broken", "text": ""} if n < count else row for n, row in enumerate(rows)
    ]


def boilerplate(length: int) -> Callable[[list[Row]], list[Row]]:
    """A block that stands in every document, beside 300 characters of their own."""
    return lambda rows: [row | {"text": f"{n} " + f"{n:03}" * 100 + "\n" + "x" * length} for n, row in enumerate(rows)]


def outdated(rows: list[Row]) -> list[Row]:
    return [row | {"bytes_ok": n > 2} for n, row in enumerate(rows)]


def damaged(count: int, share: float) -> Callable[[list[Row]], list[Row]]:
    bad = round(1000 * share)
    return lambda rows: [row | {"text": "é" * (1000 - bad) + "\ufffd" * bad} if n < count else row for n, row in enumerate(rows)]


def replaced(text: str) -> Callable[[list[Row]], list[Row]]:
    """A chunk whose text, span and digest still agree."""
    return first(text=text, end=len(text), text_sha256=hashlib.sha256(text.encode()).hexdigest())


def alike(count: int, noise: float) -> Callable[[list[Row]], list[Row]]:
    def change(rows: list[Row]) -> list[Row]:
        base = np.array(rows[-1]["vector"], dtype=np.float64)
        made = base + np.random.default_rng(1).normal(size=(count, DIMENSION)) * noise
        made /= np.linalg.norm(made, axis=1, keepdims=True)
        return [row | {"vector": made[n].tolist()} if n < count else row for n, row in enumerate(rows)]

    return change


UNIT = [1.0] + [0.0] * (DIMENSION - 1)
DEFECTS: list[tuple[Stage, str, Callable[[list[Row]], list[Row]], set[str]]] = [
    ("documents", "empty", lambda rows: [], {"source_not_empty", "listed_documents_present"}),
    ("documents", "same id", first(document_id="d1"), {"document_ids_unique", "listed_documents_present"}),
    ("documents", "a listed one lost", lambda rows: rows[1:], {"listed_documents_present"}),
    ("documents", "one that is not listed", lambda rows: [*rows, rows[0] | {"document_id": "d99", "text": "other"}], {"document_listed"}),
    ("documents", "of older bytes", first(bytes_ok=False), {"document_bytes_as_listed"}),
    ("documents", "many of older bytes", outdated, {"document_bytes_as_listed", "document_bytes_current"}),
    ("documents", "for other groups", first(access_ok=False), {"document_access_as_contract"}),
    ("documents", "hardly any text", first(size=100_000), {"document_text_not_thin"}),
    ("documents", "copies", lambda rows: [*(row | {"text": "Same."} for row in rows[:8]), *rows[8:]], {"document_duplicates_low"}),
    ("documents", "some boilerplate", boilerplate(150), {"boilerplate_share_low"}),
    ("documents", "nothing but boilerplate", boilerplate(2000), {"boilerplate_share_low", "boilerplate_share_bounded"}),
    ("documents", "odd status", first(status="okay"), {"document_status_known"}),
    ("documents", "short digest", first(raw_sha256="abc"), {"document_raw_sha256_well_formed"}),
    ("documents", "no digest", first(raw_sha256=None), {"document_raw_sha256_well_formed"}),
    ("documents", "some quarantined", quarantined(4), {"quarantine_share_low"}),
    ("documents", "most quarantined", quarantined(16), {"quarantine_share_low", "quarantine_share_bounded"}),
    ("documents", "blank text", first(text=" \n\t"), {"document_text_not_empty"}),
    ("documents", "null text", first(text=None), {"document_text_not_empty"}),
    ("documents", "a little damage", damaged(1, 0.02), {"document_encoding_intact"}),
    ("documents", "mojibake", first(text="Ã©tÃ© Ã  la mer, câ€™est beau"), {"document_encoding_intact"}),
    ("documents", "much damage", damaged(7, 0.03), {"document_encoding_intact", "document_encoding_damage_bounded"}),
    ("documents", "nobody may read", first(access=[]), {"document_access_present"}),
    ("documents", "access unknown", first(access=None), {"document_access_present"}),
    ("documents", "nameless group", first(access=["", " "]), {"document_access_present"}),
    ("chunks", "same id", first(chunk_id="c1"), {"chunk_ids_unique"}),
    ("chunks", "text moved", first(document_text_slice_ok=False), {"chunk_spans_exact"}),
    ("chunks", "tokens not as counted", first(encoder_fits=False), {"chunk_fits_encoder"}),
    ("chunks", "tokens not counted", first(encoder_fits=None), {"chunk_fits_encoder"}),
    ("chunks", "another place", first(places_ok=False), {"chunk_places_exact"}),
    ("chunks", "for other groups", first(access_ok=False), {"chunk_access_as_document"}),
    ("chunks", "too much said again", first(overlap_ok=False), {"chunk_overlap_as_configured"}),
    ("chunks", "text left out", first(covered=False), {"chunk_documents_covered"}),
    ("chunks", "span too long", first(end=999), {"chunk_spans_exact"}),
    ("chunks", "stale digest", first(text_sha256="0" * 64), {"chunk_digests_exact"}),
    ("chunks", "blank text", replaced("  "), {"chunk_text_not_empty"}),
    ("chunks", "too many tokens", first(tokens=257), {"chunk_tokens_within_limit"}),
    ("chunks", "no tokens", first(tokens=None), {"chunk_tokens_within_limit"}),
    ("chunks", "nobody may read", first(access=[]), {"chunk_access_present"}),
    ("chunks", "orphan", lambda rows: [*rows, rows[0] | {"chunk_id": "c99", "document_id": "d99"}], {"chunk_documents_known"}),
    ("chunks", "document without a chunk", lambda rows: rows[1:], {"document_chunks_present"}),
    ("vectors", "same key", lambda rows: [*rows, {"vector_key": "k0", "vector": UNIT}], {"vector_keys_unique"}),
    ("vectors", "short vector", first(vector=[1.0]), {"vector_dimensions_agree"}),
    ("vectors", "NaN", first(vector=[math.nan, *UNIT[1:]]), {"vector_values_finite"}),
    ("vectors", "infinity", first(vector=[math.inf, *UNIT[1:]]), {"vector_values_finite"}),
    ("vectors", "zero", first(vector=[0.0] * DIMENSION), {"vector_not_zero"}),
    ("vectors", "not normalised", first(vector=[1.02, *UNIT[1:]]), {"vector_norms_unit"}),
    ("vectors", "repeated", alike(17, 0.0), {"vector_duplicates_bounded", "vector_twins_bounded"}),
    ("vectors", "twins", alike(17, 0.0002), {"vector_twins_bounded"}),
    ("vectors", "collapsed", alike(30, 0.001), {"vector_space_not_collapsed"}),
    ("vectors", "missing", lambda rows: rows[1:], {"chunk_vectors_present"}),
]


@pytest.mark.parametrize(("stage", "defect", "change", "failing"), DEFECTS, ids=[f"{stage}: {defect}" for stage, defect, _, _ in DEFECTS])
def test_a_defect_fails_exactly_its_check(
    tmp_path: Path, stage: Stage, defect: str, change: Callable[[list[Row]], list[Row]], failing: set[str]
) -> None:
    results = run(checks_for(contract(tmp_path), stage), stage, change(MAKE[stage](30)))
    assert {result.name for result in results if not result.passed} == failing


@pytest.mark.parametrize("stage", STAGES)
def test_sound_tables_pass_every_check_and_every_check_has_a_defect(tmp_path: Path, stage: Stage) -> None:
    specs = checks_for(contract(tmp_path), stage)
    results = run(specs, stage, MAKE[stage](30))
    assert [result.name for result in results] == [spec.name for spec in specs]
    assert all(result.passed for result in results), [result for result in results if not result.passed]
    assert {spec.name for spec in specs} == {name for at, _, _, names in DEFECTS for name in names if at == stage}


def test_check_names_are_unique_over_all_stages_and_fit_dagster(tmp_path: Path) -> None:
    names = [spec.name for stage in STAGES for spec in checks_for(contract(tmp_path), stage)]
    assert len(set(names)) == len(names)
    assert all(name.isidentifier() and name.islower() for name in names)


def test_evidence_names_up_to_twenty_rows_and_holds_no_text(tmp_path: Path) -> None:
    rows = [row | {"raw_sha256": "x", "text": f"\ufffd\ufffd {SECRET}", "title": SECRET} for row in documents(30)]
    results = run(checks_for(contract(tmp_path), "documents"), "documents", rows)
    found = next(result for result in results if result.name == "document_raw_sha256_well_formed")
    assert found.evidence == {"rows": 30, "failed": 30, "percent": 100.0, "ids": [f"d{n}" for n in range(20)]}
    assert "30 of 30" in found.summary
    assert SECRET not in json.dumps([[result.summary, result.evidence] for result in results])


def test_a_share_names_the_rows_that_count_and_the_share(tmp_path: Path) -> None:
    results = run(checks_for(contract(tmp_path), "documents"), "documents", quarantined(6)(documents(30)))
    found = next(result for result in results if result.name == "quarantine_share_low")
    assert found.evidence == {"rows": 30, "observed": 0.2, "failed": 6, "percent": 20.0, "ids": [f"d{n}" for n in range(6)]}
    assert found.severity == "warning"


def test_a_source_that_lost_all_its_chunks_fails(tmp_path: Path) -> None:
    results = run(checks_for(contract(tmp_path), "chunks"), "chunks", [])
    assert [result.name for result in results if not result.passed] == ["document_chunks_present"]


def test_the_code_digest_changes_with_the_definition_and_only_then(tmp_path: Path) -> None:
    def codes(text: str) -> dict[str, str]:
        return {spec.name: spec.code for spec in checks_for(contract(tmp_path, text), "chunks")}

    plain = codes("")
    assert codes("") == plain
    shorter = codes("customProperties: [{property: chunking, value: {max_tokens: 128}}]\n")
    assert {name for name in plain if plain[name] != shorter[name]} == {"chunk_tokens_within_limit"}


RULES = """
schema:
  - name: documents
    properties:
      - name: title
        required: true
      - name: parser
        quality:
          - {name: known parsers, rule: validValues, validValues: [markdown, pdf], mustBeLessOrEqualTo: 10, unit: percent}
          - {name: parser pattern, metric: invalidValues, arguments: {pattern: "^[a-z]+$"}, severity: warning}
      - name: reason
        quality:
          - {name: missing reasons, metric: missingValues, arguments: {missingValues: [null, "n/a"]}, mustBeLessThan: 30}
    quality:
      - {name: at least thirty, rule: rowCount, mustBeGreaterOrEqualTo: 30}
      - {name: pairs, metric: duplicateValues, arguments: {properties: [path, parser]}}
      - name: small files
        type: custom
        engine: greatExpectations
        implementation: {type: expect_column_values_to_be_between, kwargs: {column: size, max_value: 200, mostly: 0.9}}
"""


@pytest.mark.parametrize(
    ("change", "failing"),
    [
        (lambda rows: [row | {"reason": "seen"} for row in rows], set()),
        (lambda rows: rows, {"contract_missing_reasons"}),
        (lambda rows: [row | {"reason": "n/a"} for row in rows], {"contract_missing_reasons"}),
        (lambda rows: first(title=None)([row | {"reason": "seen"} for row in rows]), {"contract_documents_null_values_title"}),
        (
            lambda rows: [row | {"reason": "seen", "parser": "docx"} if n < 4 else row for n, row in enumerate(rows)],
            {"contract_known_parsers"},
        ),
        (first(parser="pdf2", reason="seen"), {"contract_parser_pattern"}),
        (lambda rows: first(reason="seen")(rows)[:29], {"contract_at_least_thirty", "listed_documents_present"}),
        (first(path="1.md", reason="seen"), {"contract_pairs"}),
        (lambda rows: [row | {"size": 500, "reason": "seen"} if n < 4 else row for n, row in enumerate(rows)], {"contract_small_files"}),
    ],
)
def test_contract_rules_hold_what_they_say(tmp_path: Path, change: Callable[[list[Row]], list[Row]], failing: set[str]) -> None:
    results = run(checks_for(contract(tmp_path, RULES), "documents"), "documents", change(documents(30)))
    assert {result.name for result in results if not result.passed} == failing


MISFITS = """
schema:
  - name: documents
    properties:
      - name: size
        quality:
          - type: custom
            name: no such argument
            engine: greatExpectations
            implementation: {type: expect_column_values_to_be_between, kwargs: {regex: a}}
      - name: title
        quality:
          - type: custom
            name: mean of words
            engine: greatExpectations
            implementation: {type: expect_column_mean_to_be_between, kwargs: {max_value: 1}}
"""


def test_a_rule_whose_arguments_do_not_fit_fails_and_says_so(tmp_path: Path) -> None:
    results = run(checks_for(contract(tmp_path, MISFITS), "documents"), "documents", documents(30))
    failed = [result for result in results if not result.passed]
    assert [result.name for result in failed] == ["contract_no_such_argument", "contract_mean_of_words"]
    assert all("could not be evaluated" in result.summary for result in failed)
    assert "Page" not in str(failed)


def test_listing_checks_does_not_load_great_expectations(tmp_path: Path) -> None:
    code = (
        "import sys, quality_checks.expectations as e; print([m for m in ('great_expectations', 'pandas', 'pyarrow') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
