"""The table of sources, as ``plumbline sources`` and ``plumbline status`` show it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plumbline.cli.output import out, table, when

if TYPE_CHECKING:
    from plumbline.cli.facts import SourceFacts

_NUMBERS = ("documents", "passages", "quarantined")


def show_sources(sources: list[SourceFacts]) -> None:
    """Print a row a source: whose it is where there are tenants, what it holds, when it changed, and its lag against its contract."""
    from search_index.model.tenant import DEFAULT_TENANT

    tenants = any(s.tenant != DEFAULT_TENANT for s in sources)
    rows = [
        [
            s.name,
            *([s.tenant] if tenants else []),
            s.state,
            f"{s.documents:,}",
            f"{s.chunks:,}",
            f"{s.quarantined:,}",
            when(s.changed_at) if s.changed_at else "-",
            s.freshness,
            s.location,
        ]
        for s in sources
    ]
    headings = ("source", *(["tenant"] if tenants else []), "state", *_NUMBERS, "last change", "lag", "location")
    out().print(table(headings, rows, numbers=_NUMBERS))
