"""Tables of what changed and of what could not be read: ids, addresses, reasons and links."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import dagster as dg
import pyarrow.dataset as ds

from pipelines.release.outcomes import ChangedRow
from pipelines.show.links import lineage_url
from pipelines.tables import Lake
from quality_checks.contracts import Contract
from search_index.settings import Settings

QUARANTINE_ROWS_SHOWN = 100


def changed_tables(changed: Sequence[ChangedRow], settings: Settings) -> dict[str, dg.MetadataValue]:
    """What changed, by id, and where to look at each: a table and a list of links, since a table's cells cannot be clicked on."""
    if not changed:
        return {}
    links = [f"- {_link(c.uri, lineage_url(settings, c.id))} {c.change}" for c in changed]
    return {
        "what_changed": table(("change", "uri", "id"), [{"change": c.change, "uri": c.uri, "id": c.id} for c in changed]),
        "links_to_changed": dg.MetadataValue.md("\n".join(links)),
    }


def quarantine_tables(lake: Lake, contract: Contract, settings: Settings) -> dict[str, dg.MetadataValue | int]:
    """Every document of a source that could not be read, with its reason and what to do; the first hundred by address.

    Without a quarantine there is no table, only the count.
    """
    where = (ds.field("source") == contract.name) & (ds.field("status") == "quarantined")
    found = lake.read("documents", columns=["document_id", "uri", "path", "reason", "remedy"], where=where).sort_by("uri")
    if not found.num_rows:
        return {"quarantined": 0}
    rows = found.slice(0, QUARANTINE_ROWS_SHOWN).to_pylist()
    links = [
        f"- {_link(r['uri'], lineage_url(settings, r['document_id']))} is the file {_code(file_address(contract, r['path']))}" for r in rows
    ]
    records = [{"uri": r["uri"], "reason": r["reason"], "remedy": r["remedy"] or "-", "id": r["document_id"]} for r in rows]
    return {
        "quarantined": found.num_rows,
        "quarantine": table(("uri", "reason", "remedy", "id"), records),
        "links_to_quarantine": dg.MetadataValue.md("\n".join(links)),
    }


def file_address(contract: Contract, path: str) -> str:
    """Where a file of a source lies: the location and the path below it, as a URL."""
    if "://" in contract.location:
        return f"{contract.location.rstrip('/')}/{path}"
    place = Path(contract.location)
    return (place if place.is_file() else place / path).absolute().as_uri()


def table(columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> dg.MetadataValue:
    """Rows of text under their columns, in the order given."""
    schema = dg.TableSchema(columns=[dg.TableColumn(name, "string") for name in columns])
    return dg.MetadataValue.table([dg.TableRecord(dict(row)) for row in rows], schema)


def _link(text: str, url: str) -> str:
    return f"[{_code(text)}]({url})"


def _code(text: str) -> str:
    """As Markdown shows it letter by letter, whatever it holds."""
    return f"`{' '.join(text.replace('`', chr(39)).split())}`"
