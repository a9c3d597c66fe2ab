"""The lake: rows replaced in one commit, old versions that stay readable, and digests of what rows hold."""

from __future__ import annotations

import uuid
from pathlib import Path

import numpy as np
import pytest

from pipelines.lane.vectors import vectors_table
from pipelines.tables import Lake, bucket_of, rows_digest, rows_of, vectors_digest
from search_index.errors import HomeDamaged


def document(source: str, text: str, identity: str | None = None) -> dict[str, object]:
    identity = identity or str(uuid.uuid4())
    return {
        "source": source,
        "bucket": bucket_of(identity),
        "document_id": identity,
        "uri": f"{source}:{text}",
        "text": text,
        "access": ["everyone"],
    }


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


def test_rows_are_replaced_by_document_and_other_sources_stay(lake: Lake) -> None:
    first, second, other = document("a", "one"), document("a", "two"), document("b", "three")
    assert lake.version("documents") == -1
    assert lake.read_source("documents", "a").num_rows == 0
    lake.replace_documents("documents", "a", [str(first["document_id"]), str(second["document_id"])], rows_of("documents", [first, second]))
    lake.replace_documents("documents", "b", [str(other["document_id"])], rows_of("documents", [other]))
    before = lake.version("documents")
    edited = document("a", "one, edited", str(first["document_id"]))
    after = lake.replace_documents("documents", "a", [str(first["document_id"])], rows_of("documents", [edited]))
    assert sorted(lake.read_source("documents", "a")["text"].to_pylist()) == ["one, edited", "two"]
    assert lake.read_source("documents", "b")["text"].to_pylist() == ["three"]
    assert after > before
    assert sorted(lake.read_source("documents", "a", version=before)["text"].to_pylist()) == ["one", "two"]
    lake.replace_documents("documents", "a", [str(second["document_id"])], rows_of("documents", []))
    assert lake.read_source("documents", "a")["text"].to_pylist() == ["one, edited"]


def test_a_quote_in_an_id_breaks_nothing(lake: Lake) -> None:
    row = document("a", "it's")
    lake.replace_documents("documents", "a", [str(row["document_id"])], rows_of("documents", [row]))
    lake.replace_documents("documents", "a", ["00000000'; --"], rows_of("documents", []))
    assert lake.read_source("documents", "a").num_rows == 1


def test_a_digest_is_of_content_not_of_order_or_of_the_run(lake: Lake) -> None:
    one, two = document("a", "one"), document("a", "two")
    digest = rows_digest(rows_of("documents", [one, two]), "document_id")
    assert rows_digest(rows_of("documents", [two | {"run_id": "later"}, one]), "document_id") == digest
    assert rows_digest(rows_of("documents", [one, two | {"access": []}]), "document_id") != digest
    assert rows_digest(rows_of("documents", [one]), "document_id") != digest


def test_vectors_come_back_bit_for_bit(lake: Lake) -> None:
    vectors = np.random.default_rng(3).standard_normal((50, 8)).astype(np.float32)
    keys = [f"{i:064x}" for i in np.random.default_rng(4).permutation(50)]
    lake.append("vectors", vectors_table(keys[:30], vectors[:30], "e", "r"))
    lake.append("vectors", vectors_table(keys[30:], vectors[30:], "e", "r"))
    found = lake.vectors(keys[10:40])
    assert {k: bytes(v) for k, v in found.items()} == {k: vectors[i].tobytes() for i, k in enumerate(keys) if 10 <= i < 40}
    changed = dict(found)
    changed[keys[10]] = memoryview(vectors[11].tobytes())
    assert vectors_digest(changed) != vectors_digest(found)


def test_text_that_is_not_unicode_is_made_so() -> None:
    assert rows_of("documents", [document("a", "half \ud83d")])["text"].to_pylist() == ["half ?"]


def test_a_damaged_table_is_named_with_a_remedy(lake: Lake, tmp_path: Path) -> None:
    row = document("a", "one")
    lake.replace_documents("documents", "a", [str(row["document_id"])], rows_of("documents", [row]))
    for log in (tmp_path / "lake" / "documents" / "_delta_log").glob("*.json"):
        log.write_text("{ not a log")
    with pytest.raises(HomeDamaged, match="documents") as damaged:
        lake.read_source("documents", "a")
    assert "plumbline ingest" in damaged.value.remedy
