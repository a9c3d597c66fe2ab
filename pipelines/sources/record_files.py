"""The rows of a file of records, one after the other and never all at once: JSON Lines, CSV, TSV, Parquet."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from io import BytesIO
from math import isfinite
from pathlib import PurePosixPath
from typing import BinaryIO, cast

from pipelines.sources.limits import read_bounded
from search_index.errors import DocumentUnreadable

_PARQUET_ROWS = 64


@dataclass(frozen=True, slots=True)
class Row:
    """One row: ``number`` is its line in the file (its row, in Parquet), counted from 1. ``content`` is one JSON object as UTF-8."""

    number: int
    content: bytes
    problem: str = ""


Reader = Callable[[BinaryIO, int], Iterator[Row]]


def reader_of(path: str) -> Reader:
    """What reads the rows of the file at ``path``, by its extension; ``.gz`` after it is unpacked on the way.

    The reader takes the file and how many bytes one record may have.

    Raises:
        DocumentUnreadable: no extension of a format of records.
    """
    suffixes = [suffix.lower() for suffix in PurePosixPath(path).suffixes]
    packed = suffixes[-1:] == [".gz"]
    reader = _READERS.get((suffixes[:-1] if packed else suffixes)[-1:][0] if len(suffixes) > packed else "")
    if reader is None or (packed and reader is _parquet):
        known = ", ".join(sorted(_READERS))
        raise DocumentUnreadable(f"{path} is no file of records ({known}).", "Give it the extension of its format, or exclude it.")
    return (lambda file, limit: reader(cast("BinaryIO", gzip.GzipFile(fileobj=file)), limit)) if packed else reader


def _lines(file: BinaryIO, limit: int) -> Iterator[tuple[int, bytes]]:
    """Line number and line; of a line over the limit no more than one byte too many."""
    number = 0
    while line := file.readline(limit + 1):
        number += 1
        yield number, line
        while len(line) > limit and not line.endswith(b"\n"):
            line = file.readline(limit + 1)


def _json_lines(file: BinaryIO, limit: int) -> Iterator[Row]:
    for number, line in _lines(file, limit):
        content = line.rstrip(b"\r\n")
        if number == 1:
            content = content.removeprefix(b"\xef\xbb\xbf")
        if len(content) > limit:
            yield Row(number, b"", f"has more than {limit:,} bytes")
        elif content.strip():
            yield Row(number, content)


def _separated(file: BinaryIO, limit: int, delimiter: str) -> Iterator[Row]:
    csv.field_size_limit(limit)  # of the whole process, but every reader here sets its own before it begins
    lines = (line.decode("utf-8-sig" if number == 1 else "utf-8", "surrogateescape") for number, line in _lines(file, limit))
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    header = next(reader, None)
    if header is None:
        return
    while True:
        number = reader.line_num + 1
        try:
            values = next(reader, None)
        except csv.Error as e:
            yield Row(number, b"", f"is not {'TSV' if delimiter == chr(9) else 'CSV'}: {e}")
            continue
        if values is None:
            return
        if len(values) != len(header) and values:
            yield Row(number, b"", f"has {len(values)} columns where the first line has {len(header)}")
        elif values:
            yield _row(number, dict(zip(header, values, strict=True)))


def _csv(file: BinaryIO, limit: int) -> Iterator[Row]:
    return _separated(file, limit, ",")


def _tsv(file: BinaryIO, limit: int) -> Iterator[Row]:
    return _separated(file, limit, "\t")


def _parquet(file: BinaryIO, limit: int) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not file.seekable():
        file = BytesIO(read_bounded(file, "The Parquet file", limit))
    try:
        table = pq.ParquetFile(file, pre_buffer=False)
        for group in range(table.num_row_groups):
            size = table.metadata.row_group(group).total_byte_size
            if size > limit:
                reason = f"is the first of a row group of {size:,} bytes, more than a record may have ({limit:,})"
                yield Row(1 + sum(table.metadata.row_group(g).num_rows for g in range(group)), b"", reason)
                return
        number = 0
        for batch in table.iter_batches(batch_size=_PARQUET_ROWS, use_threads=False):
            for row in batch.to_pylist():
                number += 1
                yield _row(number, {name: _plain(value) for name, value in row.items()})
    except (pa.ArrowException, ValueError) as e:
        raise OSError(0, f"it is no Parquet file, or damaged ({type(e).__name__})") from e


def _row(number: int, fields: dict[str, object]) -> Row:
    try:
        return Row(number, json.dumps(fields, ensure_ascii=False, allow_nan=False).encode())
    except UnicodeEncodeError:
        return Row(number, b"", "is not UTF-8")


def _plain(value: object) -> object:
    """A value of Arrow's as JSON has it: times as text, what JSON lacks as nothing."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, float) and not isfinite(value):
        return None
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


_READERS: dict[str, Reader] = {
    ".jsonl": _json_lines, ".ndjson": _json_lines, ".csv": _csv, ".tsv": _tsv, ".parquet": _parquet,
}  # fmt: skip
