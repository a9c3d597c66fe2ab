"""The checks of each stage: what Plumbline asks of every source, and what a source's contract asks besides.

A check is plain data and cheap to list; ``quality_checks.expectations`` runs it.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pydantic import JsonValue as Json

from quality_checks import columns, text_signs
from quality_checks.columns import SPREAD_MINIMUM_ROWS, Frame
from quality_checks.contracts import Contract
from quality_checks.rules import Indicator, Stage
from search_index.model.document import sha256
from search_index.model.release import Severity, digest_of


@dataclass(frozen=True, slots=True)
class CheckSpec:
    """One check: its name, unique over all stages and stable, and the expectation it stands for.

    ``description`` says what should be so. ``frame`` is what it looks at: the rows, or one row for each thing that the stage
    before expects here. ``marks`` names the column that tells the offending rows when the expectation is about a sum or mean.
    """

    name: str
    stage: Stage
    severity: Severity
    description: str
    expectation: str
    kwargs: Mapping[str, Json]
    frame: Frame = "rows"
    marks: str | None = None
    indicator: Indicator | None = None

    @property
    def code(self) -> str:
        """Digest of the definition and of the code that evaluates it: a verdict is bound to it."""
        indicator = self.indicator.model_dump() if self.indicator else None
        said = [self.name, self.stage, self.severity, self.expectation, dict(self.kwargs), self.frame, self.marks, indicator]
        return digest_of([said, _evaluator()])


def checks_for(contract: Contract, stage: Stage) -> tuple[CheckSpec, ...]:
    """The checks of one stage of a source: the built-in ones, then its contract's rules."""
    built_in = {"documents": _DOCUMENTS, "chunks": (*_CHUNKS, _tokens_within(contract.chunking.max_tokens)), "vectors": _VECTORS}[stage]
    ruled = (
        CheckSpec(
            name=rule.name,
            stage=stage,
            severity=rule.severity,
            description=rule.description,
            expectation=rule.expectation,
            kwargs=rule.kwargs,
            marks=rule.indicator.column if rule.indicator else None,
            indicator=rule.indicator,
        )
        for rule in contract.rules
        if rule.table == stage
    )
    return (*built_in, *ruled)


@cache
def _evaluator() -> str:
    """What evaluates a check besides its definition: the code that works out the columns, and Great Expectations."""
    files = (columns.__file__, text_signs.__file__)
    return "".join(sha256(Path(file).read_bytes()) for file in files if file) + importlib.metadata.version("great_expectations")


def _true(name: str, stage: Stage, column: str, description: str) -> CheckSpec:
    return CheckSpec(name, stage, "error", description, "expect_column_values_to_be_in_set", {"column": column, "value_set": [True]})


def _within(name: str, stage: Stage, column: str, bounds: Mapping[str, Json], description: str) -> CheckSpec:
    return CheckSpec(name, stage, "error", description, "expect_column_values_to_be_between", {"column": column, **bounds})


def _unique(name: str, stage: Stage, column: str, description: str) -> CheckSpec:
    return CheckSpec(name, stage, "error", description, "expect_column_values_to_be_unique", {"column": column})


def _found(name: str, stage: Stage, description: str) -> CheckSpec:
    return CheckSpec(
        name, stage, "error", description, "expect_column_values_to_be_between", {"column": "found", "min_value": 1}, "expected"
    )


def _share(name: str, stage: Stage, severity: Severity, column: str, most: float, description: str) -> CheckSpec:
    kwargs: dict[str, Json] = {"column": column, "max_value": most}
    return CheckSpec(name, stage, severity, description, "expect_column_mean_to_be_between", kwargs, marks=column)


def _tokens_within(most: int) -> CheckSpec:
    bounds: dict[str, Json] = {"min_value": 1, "max_value": most}
    return _within("chunk_tokens_within_limit", "chunks", "tokens", bounds, f"Every chunk fits the encoder in {most} tokens.")


_DOCUMENTS = (
    _found("listed_documents_present", "documents", "Every file that the manifest lists has its row."),
    _true("document_listed", "documents", "listed", "Every document is of a file that the manifest lists."),
    CheckSpec(
        "source_not_empty",
        "documents",
        "error",
        "The source holds a document.",
        "expect_table_row_count_to_be_between",
        {"min_value": 1},
    ),
    _unique("document_ids_unique", "documents", "document_id", "No two documents share an id."),
    CheckSpec(
        "document_status_known",
        "documents",
        "error",
        "Every document is ok or quarantined.",
        "expect_column_values_to_be_in_set",
        {"column": "status", "value_set": ["ok", "quarantined"]},
    ),
    CheckSpec(
        "document_raw_sha256_well_formed",
        "documents",
        "error",
        "Every document says the sha256 of the bytes it was made from.",
        "expect_column_values_to_match_regex",
        {"column": "raw_sha256", "regex": "^[0-9a-f]{64}$"},
    ),
    # A file may change between being listed and being read; the next run sees to it.
    _share("document_bytes_as_listed", "documents", "warning", "outdated", 0, "Every document was made from the bytes that are listed."),
    _share("document_bytes_current", "documents", "error", "outdated", 0.05, "At most 1 document of 20 was made from other bytes."),
    _share("quarantine_share_bounded", "documents", "error", "quarantined", 0.5, "At most half of the documents are quarantined."),
    _share("quarantine_share_low", "documents", "warning", "quarantined", 0.1, "At most a tenth of the documents is quarantined."),
    _true("document_text_not_empty", "documents", "text_present", "Every document that was parsed has text."),
    CheckSpec(
        "document_text_not_thin",
        "documents",
        "warning",
        "Every document that was parsed has about as much text as its file lets expect.",
        "expect_column_values_to_be_in_set",
        {"column": "thin", "value_set": [False]},
    ),
    _share("document_duplicates_low", "documents", "warning", "repeated", 0.2, "At most a fifth of the documents repeat another's text."),
    _share(
        "boilerplate_share_low",
        "documents",
        "warning",
        "boilerplate_share",
        0.2,
        "On average at most a fifth of a document's text stands in many others as well.",
    ),
    _share(
        "boilerplate_share_bounded",
        "documents",
        "error",
        "boilerplate_share",
        0.6,
        "On average at most three fifths of a document's text stand in many others as well.",
    ),
    CheckSpec(
        "document_encoding_intact",
        "documents",
        "warning",
        "In no document is more than 1% of the characters wrongly decoded.",
        "expect_column_values_to_be_between",
        {"column": "damage_share", "max_value": 0.01},
    ),
    CheckSpec(
        "document_encoding_damage_bounded",
        "documents",
        "error",
        "In at most a fifth of the documents more than 2% of the characters are wrongly decoded.",
        "expect_column_values_to_be_between",
        {"column": "damage_share", "max_value": 0.02, "mostly": 0.8},
    ),
    _within("document_access_present", "documents", "access_count", {"min_value": 1}, "Every document names a group that may read it."),
    _true("document_access_as_contract", "documents", "access_ok", "Every document may be read by the contract's groups, and no others."),
)

_CHUNKS = (
    _unique("chunk_ids_unique", "chunks", "chunk_id", "No two chunks share an id."),
    _true("chunk_spans_exact", "chunks", "span_ok", "Every chunk's text is its document's text at the chunk's span."),
    _true("chunk_digests_exact", "chunks", "digest_ok", "Every chunk's text has the sha256 stored with it."),
    _true("chunk_text_not_empty", "chunks", "text_present", "Every chunk has text."),
    _within("chunk_access_present", "chunks", "access_count", {"min_value": 1}, "Every chunk names a group that may read it."),
    _true("chunk_access_as_document", "chunks", "access_ok", "Every chunk may be read by its document's groups, and no others."),
    _true("chunk_overlap_as_configured", "chunks", "overlap_ok", "No chunk says more of the one before again than the contract's overlap."),
    _true("chunk_documents_covered", "chunks", "covered", "A document's chunks hold all of its text but white space."),
    _true(
        "chunk_fits_encoder",
        "chunks",
        "encoder_fits",
        "Every chunk's header and text, counted again with the model's own tokenizer, have the tokens it says, and the model reads all.",
    ),
    _true("chunk_documents_known", "chunks", "document_known", "Every chunk belongs to a parsed document that no other stands for."),
    _true("chunk_places_exact", "chunks", "places_ok", "Every chunk names the near-duplicates that its document has, and no others."),
    _found("document_chunks_present", "chunks", "Every parsed document has a chunk, or a near-duplicate that is indexed instead."),
)

_VECTORS = (
    _unique("vector_keys_unique", "vectors", "vector_key", "No two vectors share a key."),
    _true("vector_dimensions_agree", "vectors", "dimension_agrees", "All vectors have as many dimensions."),
    _within("vector_values_finite", "vectors", "nan_count", {"max_value": 0}, "No vector holds NaN or infinity."),
    CheckSpec(
        "vector_not_zero",
        "vectors",
        "error",
        "No vector is zero.",
        "expect_column_values_to_be_in_set",
        {"column": "zero", "value_set": [False]},
    ),
    _within("vector_norms_unit", "vectors", "vector_norm", {"min_value": 0.99, "max_value": 1.01}, "Every vector has length 1."),
    _share("vector_duplicates_bounded", "vectors", "error", "identical", 0.5, "At most half of the vectors repeat another text's vector."),
    _within("vector_twins_bounded", "vectors", "twins", {"max_value": 0.5}, "At most half of the vectors have a twin of another text."),
    _within(
        "vector_space_not_collapsed",
        "vectors",
        "spread",
        {"min_value": 0.1},
        f"{SPREAD_MINIMUM_ROWS} or more vectors do not all point the same way.",
    ),
    _found("chunk_vectors_present", "vectors", "Every chunk has its vector."),
)
