"""From a contract to its source."""

from __future__ import annotations

from collections.abc import Mapping

from pipelines.sources.interface import Source
from quality_checks.contracts import Contract


def open_source(contract: Contract, known: Mapping[str, str] | None = None) -> Source:
    """The source that a contract describes. Nothing is opened before it is listed or read.

    Args:
        known: path -> signature as they were listed last. A website asks with them whether a page has changed since; without them
            it lists what its sitemap says and asks nothing.

    Raises:
        SourceUnavailable: the contract names a plug-in that is not installed, or lacks what its kind of source needs.
    """
    if contract.server_type == "custom":
        from pipelines.sources.custom import custom_source

        return custom_source(contract)
    if contract.format == "website" or contract.website is not None:
        from pipelines.sources.website import WebsiteSource

        return WebsiteSource(contract, known)
    if contract.format == "records" or contract.records is not None:
        from pipelines.sources.records import RecordSource

        return RecordSource(contract)
    from pipelines.sources.files import FileSource

    return FileSource(contract)
