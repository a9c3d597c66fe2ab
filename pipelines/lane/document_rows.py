"""Rows of the documents table: what files are parsed into, and what their contract puts on each."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Generator, Iterator
from dataclasses import asdict

from pipelines.near_duplicates import signature
from pipelines.parsing.formats import parser_fingerprint
from pipelines.parsing.pool import ParseOutcome, ParserPool, ParseTask
from pipelines.parsing.records import RECORD_PARSER, parse_record
from pipelines.sources import Source, SourceItem, open_source
from pipelines.tables import bucket_of
from quality_checks.contracts import Contract, RecordMapping
from search_index.errors import DocumentUnreadable
from search_index.model.document import document_id, sha256
from search_index.model.release import canonical_json, digest_of

Row = dict[str, object]


def told_by(contract: Contract) -> Row:
    """What a contract puts on each of its documents."""
    return {"access": list(contract.access_groups), "metadata": dict(contract.metadata)}


def telling(row: Row, told: Row) -> Row:
    """A row with what the contract says of it now, and the text it has."""
    metadata = json.loads(str(row["metadata"])) | {"contract": told["metadata"]}
    return row | {"access": told["access"], "metadata": canonical_json(metadata)}


def parser_of(contract: Contract, path: str) -> str:
    """The fingerprint of the parser that reads a path of this source: a row made by another is made again."""
    if contract.records is None:
        return parser_fingerprint(path, contract.parsing)
    return f"{RECORD_PARSER} {digest_of(contract.records.model_dump())[:12]}"


def parsed_rows(contract: Contract, listed: list[Row]) -> Iterator[Row]:
    """A documents row for each of these manifest rows, in the order in which parsing ends; the source is read meanwhile."""
    source = open_source(contract)
    by_id = {str(row["document_id"]): row for row in listed}
    items = {document_id(contract.name, item.path): item for item in source.list() if document_id(contract.name, item.path) in by_id}
    hashes: dict[str, str] = {}
    for key in by_id.keys() - items.keys():
        # It went away between listing and reading: the next run's manifest no longer has it.
        yield _row(contract, by_id[key], None, "", "it was removed while the run was reading", "")
    tasks = (ParseTask(key, item.path, _loader(source, item, hashes, key)) for key, item in items.items())
    with contextlib.closing(_outcomes(contract, tasks)) as outcomes:
        for outcome in outcomes:
            row = by_id[outcome.key]
            yield _row(contract, row, outcome, hashes.get(outcome.key, ""), outcome.reason, outcome.remedy)


def _outcomes(contract: Contract, tasks: Iterator[ParseTask]) -> Generator[ParseOutcome]:
    """Files go to worker processes; a record is a few fields, parsed here."""
    if contract.records is None:
        with ParserPool(parsing=contract.parsing) as pool:
            yield from pool.parse_all(tasks)
    else:
        for task in tasks:
            yield _record(contract.records, task)


def _record(mapping: RecordMapping, task: ParseTask) -> ParseOutcome:
    try:
        found = json.loads(task.load if isinstance(task.load, bytes) else task.load())
        if not isinstance(found, dict):
            raise DocumentUnreadable(f"Record {task.path} is not a JSON object.", "Write one object a line.")
        named = {"title": found.get(mapping.title) if mapping.title else "", "text": found.get(mapping.text)}
        used = (mapping.id, mapping.title, mapping.text, mapping.modified_at)
        kept = found if mapping.metadata is None else {k: found[k] for k in mapping.metadata if k in found}
        rest = {k: v for k, v in kept.items() if k not in used}
        return ParseOutcome(task.key, parse_record({**rest, **named}, task.path))
    except OSError as e:
        reason = f"Record {task.path} cannot be read: {e.strerror or type(e).__name__}."
        return ParseOutcome(task.key, None, reason, "Check that its file is there and may be read, then run again.")
    except ValueError as e:
        return ParseOutcome(task.key, None, f"Record {task.path} is not JSON: {e}", "Mend the line.")
    except DocumentUnreadable as e:
        return ParseOutcome(task.key, None, e.what, e.remedy)


def _loader(source: Source, item: SourceItem, hashes: dict[str, str], key: str) -> Callable[[], bytes]:
    def load() -> bytes:
        content = source.read(item)
        hashes[key] = sha256(content)  # of the bytes that are parsed, should the file have changed since it was listed
        return content

    return load


def _row(contract: Contract, listed: Row, outcome: ParseOutcome | None, raw_sha256: str, reason: str | None, remedy: str | None) -> Row:
    document = outcome.document if outcome else None
    told = told_by(contract)
    path = str(listed["path"])
    metadata = {"document": dict(document.metadata) if document else {}, "contract": told["metadata"]}
    return {
        "source": contract.name,
        "bucket": bucket_of(str(listed["document_id"])),
        "document_id": listed["document_id"],
        "uri": listed["uri"],
        "path": path,
        "title": document.title if document else path.rsplit("/", 1)[-1],
        "status": "ok" if document else "quarantined",
        "reason": "" if document else str(listed["problem"] or reason or "unknown"),
        "remedy": "" if document else (remedy or ""),
        "mime_type": document.mime_type if document else "",
        "raw_sha256": raw_sha256,
        "size": listed["size"],
        "modified_at": listed["modified_at"],
        "parser": document.parser if document else "",
        "parsed_with": parser_of(contract, path),
        "text": document.text if document else "",
        "elements": json.dumps([asdict(e) for e in document.elements], ensure_ascii=False) if document else "[]",
        "access": told["access"],
        "metadata": canonical_json(metadata),
        "minhash": signature(document.text) if document else None,
    }
