"""Files on a web server: one file, or what an index page (a URL that ends in a slash) links to below itself."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import BinaryIO, cast
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from pipelines.sources.interface import UNKNOWN_TIME, SourceItem, refuse_problem, utc
from pipelines.sources.limits import problem_item, too_deep, too_many, within_limits
from pipelines.sources.names import Wanted, clean_path, harmless_path, leaves_its_root
from pipelines.sources.web_client import Headers, WebClient
from quality_checks.contracts import Contract
from search_index.errors import DocumentUnreadable, SourceUnavailable
from search_index.model.document import sha256

_INDEX_BYTES = 16 << 20
_PAGES_A_FILE = 10
_TIMEOUT_S = 30.0


class WebPlace:
    """What an ``http://`` or ``https://`` location holds. Index pages below the first are followed, links out of it are not.

    A file costs one HEAD to list; it is downloaded again when its entity tag or date changes, or each time if it has neither.
    """

    def __init__(self, contract: Contract) -> None:
        self._contract, self._root = contract, contract.location
        self._wanted = Wanted(contract.include, contract.exclude)
        self._client = WebClient(contract.website.timeout_s if contract.website else _TIMEOUT_S)

    def list(self) -> Iterator[SourceItem]:
        """See ``Source.list``."""
        single = not urlsplit(self._root).path.endswith("/")
        found = [self._root] if single else sorted(self._links())
        return within_limits((item for url in found for item in self._item(url, single)), self._contract)

    def read(self, item: SourceItem) -> bytes:
        """See ``Source.read``."""
        refuse_problem(item)
        answer = self._client.get(item.location, self._contract.limits.file_bytes)
        if not answer.ok:
            raise OSError(0, f"the server answers {answer.status}")
        return answer.body

    @contextmanager
    def open(self, item: SourceItem) -> Iterator[BinaryIO]:
        """See ``FilePlace.open``."""
        refuse_problem(item)
        with self._client.stream(item.location) as pieces:
            yield cast("BinaryIO", io.BufferedReader(_Pieces(pieces)))

    def _links(self) -> Iterator[str]:
        """Every URL below the root that an index page at or below it links to, and that is not itself an index page, unless too deep."""
        pages, seen, files = [self._root], {self._root}, 0
        while pages:
            page = pages.pop()
            for target in self._links_of(page):
                if target in seen or not target.startswith(self._root):
                    continue
                seen.add(target)
                if target.endswith("/") and target[len(self._root) :].count("/") <= self._contract.limits.depth:
                    pages.append(target)
                else:
                    yield target
                    files += 1
                if files > self._contract.limits.files or len(seen) > _PAGES_A_FILE * self._contract.limits.files:
                    raise too_many(self._contract)

    def _links_of(self, page: str) -> Iterator[str]:
        from lxml import etree, html

        try:
            answer = self._client.get(page, _INDEX_BYTES)
        except (OSError, DocumentUnreadable) as e:
            raise self._unavailable(page, str(e)) from e
        if not answer.ok:
            raise self._unavailable(page, f"the server answers {answer.status}")
        try:
            tree = html.document_fromstring(answer.body) if answer.body.strip() else None
        except etree.ParserError:
            return
        for link in tree.iter("a") if tree is not None else ():
            target, _ = urldefrag(urljoin(answer.url, link.get("href") or ""))
            if "?" not in target:  # an index page links to itself in other orders
                yield target

    def _item(self, url: str, single: bool) -> Iterator[SourceItem]:
        quoted = urlsplit(url).path.rsplit("/", 1)[-1] if single else url[len(self._root) :]
        name = unquote(quoted, errors="surrogateescape") or "index.html"
        if leaves_its_root(name):
            shown = harmless_path(name)
            yield problem_item(shown, f"{shown} has a name that leads out of the source.", "Rename it.")
        elif name.endswith("/"):
            yield too_deep(clean_path(name), self._contract.limits.depth)
        elif self._wanted(path := clean_path(name)):
            try:
                answer = self._client.head(url)
            except (OSError, DocumentUnreadable) as e:
                raise self._unavailable(url, str(e)) from e
            if answer.status in (404, 410) and single:
                raise SourceUnavailable(f"Source {self._contract.name}: {url} does not exist.", "Correct `servers` in the contract.")
            # A server that does not do HEAD is asked for the file itself, which then tells what is wrong.
            told = answer.headers if answer.ok else {}
            length = told.get("content-length", "")
            yield SourceItem(path, url, int(length) if length.isdigit() else 0, modified_header(told), _signature(told))

    def _unavailable(self, url: str, reason: str) -> SourceUnavailable:
        return SourceUnavailable(
            f"Source {self._contract.name}: {url} cannot be listed: {reason}.",
            "Check the address and the network, or correct the contract.",
        )


def modified_header(headers: Headers) -> datetime:
    """``Last-Modified``, or ``UNKNOWN_TIME``."""
    try:
        return utc(parsedate_to_datetime(headers.get("last-modified", "")))
    except ValueError:
        return UNKNOWN_TIME


def _signature(headers: Headers) -> str:
    told = [headers[name] for name in ("etag", "last-modified") if headers.get(name)]
    return sha256("|".join([*told, headers.get("content-length", "")]))[:32] if told else ""


class _Pieces(io.RawIOBase):
    """Pieces of bytes as a file to read from."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._rest = pieces, b""

    def readable(self) -> bool:
        """See ``io.RawIOBase``."""
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        """See ``io.RawIOBase``."""
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = piece
        taken = min(len(buffer), len(self._rest))
        buffer[:taken], self._rest = self._rest[:taken], self._rest[taken:]
        return taken
