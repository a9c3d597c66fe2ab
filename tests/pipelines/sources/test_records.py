"""Records as documents: of JSON Lines, CSV, TSV and Parquet; what is wrong with one is said with its file and line."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.lane.document_rows import _record
from pipelines.parsing.pool import ParseTask
from pipelines.sources import open_source
from pipelines.sources.conformance import check_changes, check_source, check_unavailable
from quality_checks.contracts import Contract, RecordMapping
from search_index.errors import SourceUnavailable
from tests.pipelines.sources.contracts import contract, listed, problems

MAPPING = RecordMapping(id="_id", text="text", title="title")
ROWS = [{"_id": str(n), "title": f"Title {n}", "text": f'text, of "{n}"\nin two lines', "year": str(1990 + n)} for n in range(5)]


def records(location: Path, mapping: RecordMapping = MAPPING, limits: dict[str, int] | None = None, **more: object) -> Contract:
    return contract(location, limits, format="records", records=mapping, **more)


def write(path: Path, rows: list[dict[str, str]]) -> None:
    kind = path.suffix
    if kind == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=2)
    elif kind == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif kind == ".gz":
        path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))
    else:
        mark = "," if kind == ".csv" else "\t"
        lines = [mark.join(rows[0])] + [mark.join('"' + v.replace('"', '""') + '"' for v in row.values()) for row in rows]
        path.write_text("\ufeff" + "\r\n".join(lines) + "\r\n")


@pytest.mark.parametrize("name", ["c.jsonl", "c.csv", "c.tsv", "c.parquet", "c.jsonl.gz"])
def test_it_conforms_and_gives_one_json_object_a_record(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write(path, ROWS)
    items = check_source(lambda: open_source(records(path)), at_least=5)
    source = open_source(records(path))
    assert [item.path for item in items] == ["0", "1", "2", "3", "4"]
    assert [json.loads(source.read(item)) for item in items] == ROWS

    def change() -> str:
        write(path, [ROWS[0] | {"text": "other"}, *ROWS[1:]])
        return "0"

    def remove() -> str:
        write(path, [ROWS[0] | {"text": "other"}, *ROWS[2:]])
        return "1"

    check_changes(lambda: open_source(records(path)), change, remove)
    check_unavailable(lambda: open_source(records(tmp_path / "gone.jsonl")))


def test_only_the_changed_record_has_another_signature(tmp_path: Path) -> None:
    write(tmp_path / "c.csv", ROWS)
    before = listed(records(tmp_path))
    write(tmp_path / "c.csv", [*ROWS[:4], ROWS[4] | {"text": "new"}])
    after = listed(records(tmp_path))
    assert [path for path in before if before[path].signature != after[path].signature] == ["4"]


def test_bad_lines_and_double_ids_are_listed_with_file_and_line(tmp_path: Path) -> None:
    lines = [
        '{"_id": "7", "text": "seven"}',
        "",
        "not json",
        '{"_id": "3", "text": "three"}',
        '{"_id": "7", "text": "again"}',
        "[1]",
        '{"x": 1}',
        "[" * 99_999,
    ]
    (tmp_path / "corpus.jsonl").write_text("\n".join(lines))
    place = records(tmp_path / "corpus.jsonl")
    source = open_source(place)
    items = {item.path: item for item in source.list()}
    found = problems(place)
    assert items.keys() - found.keys() == {"3", "7"}
    assert source.read(items["7"]) == b'{"_id": "7", "text": "seven"}'
    assert found.keys() == {f"corpus.jsonl#{line}" for line in (3, 5, 6, 7, 8)}
    assert all(f"corpus.jsonl, line {path.partition('#')[2]}" in problem for path, problem in found.items())
    assert "in corpus.jsonl, line 1" in found["corpus.jsonl#5"] and "again" not in found["corpus.jsonl#5"]
    check_source(lambda: open_source(place), at_least=2)


def test_bad_rows_of_a_csv_are_listed_with_their_line(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_bytes(b'_id,text\n1,one\n2\n3,"three\nlines"\n4,caf\xe9\n5,"a"b\n6,six\n')
    found = problems(records(tmp_path))
    assert set(found) == {"c.csv#3", "c.csv#6", "c.csv#7"}
    assert ("1 columns" in found["c.csv#3"], "UTF-8" in found["c.csv#6"], "CSV" in found["c.csv#7"]) == (True, True, True)
    assert listed(records(tmp_path)).keys() - found.keys() == {"1", "3", "6"}


def test_other_files_and_records_over_the_limit_are_quarantined(tmp_path: Path) -> None:
    (tmp_path / "readme.md").write_text("text")
    (tmp_path / "c.jsonl").write_text('{"_id": "1", "text": "%s"}\n{"_id": "2", "text": "two"}\n' % ("x" * 5000))
    found = problems(records(tmp_path, limits={"file_bytes": 1000}))
    assert "no file of records" in found["readme.md"] and "more than 1,000 bytes" in found["c.jsonl#1"]
    assert "2" in listed(records(tmp_path, limits={"file_bytes": 1000}))
    with pytest.raises(SourceUnavailable, match=r"limits\.files"):
        listed(records(tmp_path, limits={"files": 2}))


def test_a_file_larger_than_memory_allows_is_streamed(tmp_path: Path) -> None:
    with open(tmp_path / "c.jsonl", "w") as file:
        file.writelines(f'{{"_id": "{n}", "text": "{"x" * 100_000}"}}\n' for n in range(400))
    source = open_source(records(tmp_path))
    tracemalloc.start()
    total = sum(len(source.read(item)) for item in source.list())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total > 40_000_000 > 8 * peak


def test_reading_in_any_order_gives_the_same(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", ROWS[:3])
    write(tmp_path / "b.csv", ROWS[3:])
    source = open_source(records(tmp_path))
    items = list(source.list())
    assert [json.loads(source.read(items[n]))["_id"] for n in (4, 0, 2, 1, 3, 3)] == ["4", "0", "2", "1", "3", "3"]


def test_a_file_that_changes_between_listing_and_reading_is_no_other_record(tmp_path: Path) -> None:
    write(tmp_path / "c.jsonl", ROWS)
    source = open_source(records(tmp_path))
    items = list(source.list())
    write(tmp_path / "c.jsonl", list(reversed(ROWS))[:4])
    with pytest.raises(OSError, match="changed while it was read"):
        source.read(items[0])
    with pytest.raises(OSError, match="shorter"):
        source.read(items[4])


def test_a_damaged_parquet_file_holds_the_source(tmp_path: Path) -> None:
    (tmp_path / "c.parquet").write_bytes(b"PAR1 but not really PAR1")
    with pytest.raises(SourceUnavailable, match="Parquet"):
        listed(records(tmp_path))


def test_times_and_metadata_are_mapped(tmp_path: Path) -> None:
    rows = {
        "id": [1, 2],
        "body": ["one", "two"],
        "at": [datetime(2026, 4, 1, tzinfo=UTC), None],
        "year": [1990, 1991],
        "secret": ["x", "y"],
    }
    pq.write_table(pa.table(rows), tmp_path / "c.parquet")
    mapping = RecordMapping(id="id", text="body", modified_at="at", metadata=("year",))
    source = open_source(records(tmp_path, mapping))
    one, two = source.list()
    assert one.modified_at == datetime(2026, 4, 1, tzinfo=UTC) < two.modified_at
    document = _record(mapping, ParseTask("1", "1", source.read(one))).document
    assert document is not None and (document.text, dict(document.metadata)) == ("one", {"year": 1990})
    everything = _record(mapping.model_copy(update={"metadata": None}), ParseTask("1", "1", source.read(one))).document
    assert everything is not None and dict(everything.metadata) == {"year": 1990, "secret": "x"}


def test_a_beir_corpus_is_read_as_it_stands(shared_data: Callable[[str], Path]) -> None:
    corpus = shared_data("nfcorpus") / "corpus.jsonl"
    if not corpus.exists():
        pytest.skip("needs nfcorpus/corpus.jsonl in ../shared/data")
    source = open_source(records(corpus))
    lines = corpus.read_bytes().splitlines()
    items = list(source.list())
    assert len(items) == len(lines) and not [item for item in items if item.problem]
    assert {source.read(item) for item in items[:50]} == set(lines[:50])
