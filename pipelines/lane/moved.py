"""Files that only moved, or were copied: their bytes were parsed before, in another folder, and are not parsed again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import PurePosixPath

import pyarrow.dataset as ds

from pipelines.tables import Lake, bucket_of

_PORTION = 2000
Row = dict[str, object]


def moved_from(listed: Iterable[Row], standing: Iterable[Row], parser_of: Callable[[str], str]) -> dict[str, str]:
    """Which parsed document has what each of these files would be parsed into, by document id; files without one are left out.

    That is one of the same bytes, read by the same parser, under the same file name: a title may come from the name, and so
    may its format, so a file that was renamed is parsed again. What is quarantined names its path, and is tried again too.

    Args:
        listed: rows of the manifest that want parsing.
        standing: rows of the documents table, with ``path``, ``raw_sha256``, ``parsed_with`` and ``status``.
        parser_of: the fingerprint of the parser that reads a path.
    """
    known = {_key(row, str(row["parsed_with"])): str(row["document_id"]) for row in standing if row["status"] == "ok"}
    found = {str(row["document_id"]): known.get(_key(row, parser_of(str(row["path"])))) for row in listed if not row["problem"]}
    return {document: other for document, other in found.items() if other is not None}


def moved_rows(lake: Lake, source: str, moved: Mapping[str, str], listed: Mapping[str, Row]) -> Iterator[Row]:
    """The documents rows of files that moved: what was parsed, with the new place, size and time."""
    wanted = sorted(moved)
    for start in range(0, len(wanted), _PORTION):
        portion = wanted[start : start + _PORTION]
        among = sorted({moved[document] for document in portion})
        rows = lake.read("documents", where=(ds.field("source") == source) & ds.field("document_id").isin(among)).to_pylist()
        parsed = {row["document_id"]: row for row in rows}
        for document in portion:
            place = {name: listed[document][name] for name in ("document_id", "uri", "path", "size", "modified_at")}
            yield parsed[moved[document]] | place | {"bucket": bucket_of(document)}


def _key(row: Row, parser: str) -> tuple[str, str, str]:
    return str(row["raw_sha256"]), parser, PurePosixPath(str(row["path"])).name
