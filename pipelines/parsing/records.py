"""Records of a JSONL corpus (``_id``, ``title``, ``text``, as BEIR lays them out) as documents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from pipelines.parsing.assembly import Metadata, Part, assemble, one_line
from search_index.errors import DocumentUnreadable
from search_index.model.document import ParsedDocument

RECORD_PARSER = "record 1"


def parse_record(record: Mapping[str, object], path: str) -> ParsedDocument:
    """One element for the title, where there is one, and one for the text; other scalar fields become metadata.

    Args:
        record: ``text`` is required; ``metadata`` may hold more fields.
        path: what the record is called in errors.

    Raises:
        DocumentUnreadable: ``text`` and ``title`` are both missing or empty, or not text.
    """
    title, text = record.get("title") or "", record.get("text") or ""
    if not isinstance(title, str) or not isinstance(text, str):
        raise DocumentUnreadable(f"Record {path} has a title or text that is not a string.", "Write both as JSON strings.")
    nested = record.get("metadata")
    more = cast("Mapping[str, object]", nested) if isinstance(nested, Mapping) else {}
    metadata: Metadata = {
        key: value
        for key, value in [*more.items(), *record.items()]
        if key not in ("_id", "id", "title", "text") and isinstance(value, str | int | float | bool) and value != ""
    }
    parts = [Part("Title", one_line(title), depth=0), Part("NarrativeText", text)]
    document = assemble(parts, title=title, parser=RECORD_PARSER, mime_type="application/x-ndjson", metadata=metadata)
    if not document.text:
        raise DocumentUnreadable(f"Record {path} has no text.", "Fill in its `text`, or leave the record out.")
    return document
