"""Files wherever they lie: on this machine, in an archive, on a web server, or below any other URL that fsspec reads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import cached_property
from typing import BinaryIO

from pipelines.sources.interface import FilePlace, SourceItem
from pipelines.sources.local import LocalPlace
from pipelines.sources.locations import ARCHIVES, local_path, protocol_of, refuse_secrets
from quality_checks.contracts import Contract


class FileSource:
    """The files that a contract's location, globs and limits describe."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract

    def list(self) -> Iterator[SourceItem]:
        """See ``Source.list``."""
        return self._place.list()

    def read(self, item: SourceItem) -> bytes:
        """See ``Source.read``."""
        return self._place.read(item)

    def open(self, item: SourceItem) -> AbstractContextManager[BinaryIO]:
        """See ``FilePlace.open``."""
        return self._place.open(item)

    @cached_property
    def _place(self) -> FilePlace:
        contract, location = self._contract, self._contract.location
        refuse_secrets(location)
        refuse_secrets(contract.endpoint_url or "")
        protocol = protocol_of(location)
        if protocol in ARCHIVES and "::" in location:
            from pipelines.sources.archives import ArchivePlace

            return ArchivePlace(contract, location)
        if protocol in ("http", "https"):
            from pipelines.sources.web_files import WebPlace

            return WebPlace(contract)
        path = local_path(location)
        if path is not None:
            return LocalPlace(contract, path)
        from pipelines.sources.remote import RemotePlace

        return RemotePlace(contract, location)
