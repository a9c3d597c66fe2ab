"""The table of sources, as ``plumbline sources`` and ``plumbline status`` show it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plumbline.cli.output import out, table, when

if TYPE_CHECKING:
    from plumbline.cli.facts import SourceFacts

_NUMBERS = ("documents", "passages", "quarantined")


def show_sources(sources: list[SourceFacts]) -> None:
    """Print a row a source: what it holds, when it last changed, and its lag against what its contract promises."""
    rows = [
        [
            s.name,
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
    headings = ("source", "state", *_NUMBERS, "last change", "lag", "location")
    out().print(table(headings, rows, numbers=_NUMBERS))
