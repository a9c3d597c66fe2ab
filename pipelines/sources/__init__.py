"""Where documents come from: files, archives, records, websites, and whatever a team plugs in."""

from __future__ import annotations

from pipelines.sources.interface import Source, SourceItem
from pipelines.sources.opening import open_source

__all__ = ["Source", "SourceItem", "open_source"]
