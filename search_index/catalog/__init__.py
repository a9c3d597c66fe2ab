"""The catalog: releases and the live pointer, verdicts, lane state and pending changes, in a small SQL database."""

from search_index.catalog.catalog import Catalog

__all__ = ["Catalog"]
