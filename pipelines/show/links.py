"""Where the things that tables name can be looked at."""

from __future__ import annotations

from search_index.settings import Settings


def service_url(settings: Settings) -> str:
    """Where links to passages lead."""
    return f"http://{settings.host}:{settings.port}"


def lineage_url(settings: Settings, item_id: str) -> str:
    """The address that shows a document's or a passage's way from its source into the release."""
    return f"{service_url(settings)}/v1/lineage/{item_id}"
