"""Records as documents: each row of each file of records below the contract's location; a document's path is its record's id."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from pipelines.sources.files import FileSource
from pipelines.sources.interface import SourceItem, instant, refuse_problem, utc
from pipelines.sources.limits import problem_item, too_many
from pipelines.sources.names import clean_path
from pipelines.sources.record_files import Row, reader_of
from quality_checks.contract_terms import Limits
from quality_checks.contracts import Contract
from search_index.errors import DocumentUnreadable, SourceUnavailable
from search_index.model.document import sha256

_NO_FILE_LIMIT = 1 << 62


class RecordSource:
    """Files are streamed, so they may be of any size; ``limits.file_bytes`` holds for one record, ``limits.files`` for their number.

    Listing reads every file once. Reading goes forward through the files: items read in the order of the list cost one pass.
    """

    def __init__(self, contract: Contract) -> None:
        if contract.records is None:
            raise SourceUnavailable(f"Source {contract.name} maps no record fields.", "Add `records` to the contract.")
        self._contract, self._mapping = contract, contract.records
        limits = Limits(file_bytes=_NO_FILE_LIMIT, files=contract.limits.files, depth=contract.limits.depth)
        self._files = FileSource(contract.model_copy(update={"limits": limits}))
        self._by_path: dict[str, SourceItem] = {}
        self._cursor: _Cursor | None = None

    def list(self) -> Iterator[SourceItem]:
        """See ``Source.list``: files by path, records as they stand in them."""
        files = list(self._files.list())
        self._by_path, self._cursor = {file.path: file for file in files}, None
        seen: dict[str, str] = {}
        for file in files:
            for count, item in enumerate(self._items(file, seen), start=len(seen)):
                if count >= self._contract.limits.files:
                    raise too_many(self._contract)
                yield item

    def read(self, item: SourceItem) -> bytes:
        """See ``Source.read``: the record as one JSON object; of JSON Lines, the line as it is."""
        refuse_problem(item)
        path, _, number = item.location.rpartition("#")
        if not self._by_path:
            self._by_path = {file.path: file for file in self._files.list()}
        if path not in self._by_path:
            raise FileNotFoundError(0, "its file is gone")
        wanted = int(number) if number.isdigit() else 0
        cursor = self._cursor
        if cursor is None or cursor.path != path or cursor.number >= wanted:
            cursor = self._cursor = _Cursor(path, self._rows(self._by_path[path]))
        for row in cursor.rows:
            cursor.number = row.number
            if row.number == wanted:
                if sha256(row.content)[:32] != item.signature:
                    raise OSError(0, "its file changed while it was read; the next run reads it again")
                return row.content
        self._cursor = None
        raise FileNotFoundError(0, "its file has become shorter")

    def _rows(self, file: SourceItem) -> Iterator[Row]:
        reader = reader_of(file.path)
        with self._files.open(file) as stream:
            yield from reader(stream, self._contract.limits.file_bytes)

    def _items(self, file: SourceItem, seen: dict[str, str]) -> Iterator[SourceItem]:
        if file.problem:
            yield file
            return
        try:
            for row in self._rows(file):
                place = f"{file.path}#{row.number}"
                item = self._item(file, row, place)
                if item.path in seen:
                    reason = f"{file.path}, line {row.number}: another record has the same id, in {seen[item.path]}."
                    item = problem_item(place, reason, "Give each record an id of its own; the first one counts.")
                seen[item.path] = place.replace("#", ", line ")
                yield item
        except DocumentUnreadable as e:
            yield problem_item(file.path, e.what, e.remedy)
        except OSError as e:
            # Its records may be as they were, so they must not vanish: the source is held.
            raise SourceUnavailable(
                f"Source {self._contract.name}: {file.path} cannot be read: {e.strerror or type(e).__name__}.",
                "Check that the file is there and whole, then run again.",
            ) from e

    def _item(self, file: SourceItem, row: Row, place: str) -> SourceItem:
        where = f"{file.path}, line {row.number}"
        if row.problem:
            return problem_item(place, f"{where}: the record {row.problem}.", "Mend the line.")
        try:
            fields = json.loads(row.content)
        except (ValueError, RecursionError) as e:
            at = f" (column {e.colno})" if isinstance(e, json.JSONDecodeError) else ""
            return problem_item(place, f"{where}: the record is not JSON{at}.", "Mend the line.")
        if not isinstance(fields, dict):
            return problem_item(place, f"{where}: the record is not a JSON object.", "Write one object a line.")
        name = fields.get(self._mapping.id)
        if not isinstance(name, str | int) or name == "":
            reason = f"{where}: the record has no {self._mapping.id!r}, which the contract maps to its id."
            return problem_item(place, reason, "Give the record an id, or correct `records` in the contract.")
        told = fields.get(self._mapping.modified_at) if self._mapping.modified_at else None
        modified_at = _instant(told) or file.modified_at
        return SourceItem(clean_path(str(name)), place, len(row.content), modified_at, sha256(row.content)[:32])


@dataclass
class _Cursor:
    """Where reading stands in a file."""

    path: str
    rows: Iterator[Row]
    number: int = 0


def _instant(told: object) -> datetime | None:
    """A time as records write it: ISO 8601, UTC unless it says otherwise, or seconds since 1970."""
    try:
        if isinstance(told, str):
            return utc(datetime.fromisoformat(told))
    except (ValueError, OverflowError):
        return None
    return instant(told) if isinstance(told, int | float) else None
