"""Documents that could not be read, and why: kept aside, counted, and tried again when they change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from search_index.settings import Settings

SHOWN = 5


@dataclass(frozen=True)
class Quarantined:
    """One document that could not be read."""

    uri: str
    reason: str
    remedy: str

    @property
    def line(self) -> str:
        """As a person reads it."""
        return f"{self.uri}: {self.reason} {self.remedy}".strip()


def quarantined_documents(settings: Settings, counts: Mapping[str, int], most: int = SHOWN) -> dict[str, list[Quarantined]]:
    """The first ``most`` quarantined documents of each source that has any, by address.

    Args:
        counts: how many each source has, from the catalog; sources with none are not looked into.
    """
    if not counts:
        return {}
    import pyarrow.dataset as ds

    from pipelines.tables import Lake

    lake = Lake(settings.lake)
    found: dict[str, list[Quarantined]] = {}
    for source in sorted(counts):
        where = (ds.field("source") == source) & (ds.field("status") == "quarantined")
        rows = lake.read("documents", columns=["uri", "reason", "remedy"], where=where).sort_by("uri").slice(0, most).to_pylist()
        found[source] = [Quarantined(str(r["uri"]), str(r["reason"]), str(r["remedy"])) for r in rows]
    return found
